"""A broker in a process of its own, over HTTP, that fails on demand.

It looks like Alpaca's REST interface, as far as an executor needs it. What it did is in a ledger
file that is only ever added to, one JSON object a line: the truth that tests compare with.

Faults are set with ``POST /faults`` and apply to the next requests of a kind (``submit``, ``find``,
``cancel``, ``fills``, ...): ``drop_request`` (nothing is done, no answer), ``drop_response`` (done,
no answer), ``error`` (HTTP 500, nothing is done), ``error_after`` (HTTP 500, done), ``busy`` (HTTP
429), ``reject`` (HTTP 403), and ``seconds`` to wait first. How it fills, ``POST /market`` says.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

ENDED = {"filled", "canceled", "rejected", "expired", "replaced"}


class RefusedError(Exception):
    """An answer that says no."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class Account:
    """Orders, fills and positions."""

    def __init__(self, ledger: Path, *, idempotent: bool) -> None:
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.idempotent = idempotent
        self.orders: list[dict[str, Any]] = []
        self._by_id: dict[str, dict[str, Any]] = {}
        self._by_client_id: dict[str, dict[str, Any]] = {}
        self.fills: list[dict[str, Any]] = []
        self.positions: dict[str, Decimal] = {}
        self.updates: list[dict[str, Any]] = []
        self.faults: list[dict[str, Any]] = []
        # How much of an order is filled at once, in parts of how many; 0 for not at all.
        self.market: dict[str, Any] = {"parts": 1, "price": "100", "duplicates": 0}
        self._ledger = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        for line in ledger.read_text().splitlines():
            self._replay(json.loads(line))

    def _replay(self, line: dict[str, Any]) -> None:
        if line["what"] == "order":
            self._add_order(line["order"])
        elif line["what"] == "update":
            self._by_id[line["order"]["id"]].update(line["order"])
        elif line["what"] == "fill":
            self.fills.append(line["fill"])
            self._count(line["fill"])
            # It may have been killed before it wrote how the order stands now.
            order = self.find(line["fill"]["client_order_id"])
            self._add(order, Decimal(line["fill"]["qty"]))

    def _note(self, what: str, **values: Any) -> None:
        os.write(self._ledger, json.dumps({"what": what} | values).encode() + b"\n")

    def _count(self, fill: dict[str, Any]) -> None:
        signed = Decimal(fill["qty"]) * (1 if fill["side"] == "buy" else -1)
        self.positions[fill["symbol"]] = self.positions.get(fill["symbol"], Decimal(0)) + signed

    def _changed(self, order: dict[str, Any]) -> None:
        self._note("update", order=order)
        self.updates.append(dict(order))
        self.changed.notify_all()

    def find(self, client_order_id: str) -> dict[str, Any]:
        if client_order_id not in self._by_client_id:
            raise RefusedError(404, f"order not found for {client_order_id}")
        return self._by_client_id[client_order_id]

    def _add_order(self, order: dict[str, Any]) -> None:
        self.orders.append(order)
        self._by_id[order["id"]] = order
        # Of twins, the first one is found.
        self._by_client_id.setdefault(order["client_order_id"], order)

    def submit(self, body: dict[str, Any]) -> dict[str, Any]:
        client_order_id = body["client_order_id"]
        if self.idempotent and client_order_id in self._by_client_id:
            raise RefusedError(422, "client_order_id must be unique")
        order = {
            "id": f"b{len(self.orders) + 1}",
            "client_order_id": client_order_id,
            "symbol": body["symbol"],
            "side": body["side"],
            "qty": body["qty"],
            "filled_qty": "0",
            "status": "new",
            "replaces": body.get("replaces", ""),
        }
        self._add_order(order)
        self._note("order", order=order)
        self._changed(order)
        answer = dict(order)
        for _ in range(int(self.market["parts"])):
            self.fill(order, Decimal(order["qty"]) / int(self.market["parts"]))
        return answer

    def fill_open(self) -> None:
        """Fill what is left of all orders: it may have been killed when it was about to."""
        for order in self.orders:
            if order["status"] not in ENDED:
                self.fill(order, Decimal(order["qty"]) - Decimal(order["filled_qty"]))

    def fill(self, order: dict[str, Any], quantity: Decimal, price: str = "") -> None:
        fill = {
            "id": f"f{len(self.fills) + 1}",
            "client_order_id": order["client_order_id"],
            "symbol": order["symbol"],
            "side": order["side"],
            "qty": str(quantity),
            "price": price or str(self.market["price"]),
            "commission": "0.5",
            "time": datetime.now(UTC).isoformat(),
        }
        self.fills.append(fill)
        self._note("fill", fill=fill)
        self._count(fill)
        self._add(order, quantity)
        self._changed(order)

    @staticmethod
    def _add(order: dict[str, Any], quantity: Decimal) -> None:
        filled = Decimal(order["filled_qty"]) + quantity
        order["filled_qty"] = str(filled)
        if order["status"] not in ENDED:
            order["status"] = "filled" if filled >= Decimal(order["qty"]) else "partially_filled"

    def cancel(self, client_order_id: str, word: str = "canceled") -> None:
        order = self.find(client_order_id)
        if order["status"] in ENDED:
            raise RefusedError(422, f"order is {order['status']}")
        order["status"] = word
        self._changed(order)

    def replace(self, client_order_id: str, body: dict[str, Any]) -> dict[str, Any]:
        old = self.find(client_order_id)
        new_id = body["client_order_id"]
        if self.idempotent and new_id in self._by_client_id:
            raise RefusedError(422, "client_order_id must be unique")
        if old["status"] in ENDED:
            raise RefusedError(403, f"order is {old['status']}")
        self.cancel(client_order_id, "replaced")
        return self.submit(body | {"replaces": client_order_id})

    def fills_after(self, after: str) -> list[dict[str, Any]]:
        ids = [fill["id"] for fill in self.fills]
        start = ids.index(after) + 1 if after in ids else 0
        again = max(0, start - int(self.market["duplicates"]))
        return self.fills[again:]

    def fault(self, kind: str) -> dict[str, Any]:
        for fault in self.faults:
            if fault["kind"] == kind and fault["times"] > 0:
                fault["times"] -= 1
                return fault
        return {}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    account: ClassVar[Account]
    never: ClassVar[threading.Event] = threading.Event()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the library's names

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}")
        parts = urlsplit(self.path)
        path = [unquote(part) for part in parts.path.strip("/").split("/")]
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        kind = self._kind(path)
        with self.account.lock:
            fault = self.account.fault(kind)
        mode = fault.get("mode", "")
        if fault.get("seconds"):
            self.never.wait(fault["seconds"])
        if mode == "drop_request":
            self.close_connection = True
            return
        if mode in {"error", "busy", "reject"}:
            self._answer({"error": 500, "busy": 429, "reject": 403}[mode], {"message": mode})
            return
        try:
            with self.account.lock:
                answer = self._act(kind, path, query, body)
        except RefusedError as error:
            self._answer(error.code, {"message": str(error)})
            return
        if mode == "drop_response":
            self.close_connection = True
        elif mode == "error_after":
            self._answer(500, {"message": "something went wrong"})
        else:
            self._answer(200, answer)

    def _kind(self, path: list[str]) -> str:
        if path[0] == "orders":
            if self.command == "POST":
                return "submit"
            if self.command == "DELETE":
                return "cancel"
            if self.command == "PATCH":
                return "replace"
            return "find" if len(path) > 1 else "open_orders"
        return path[0]

    def _act(self, kind: str, path: list[str], query: dict[str, str], body: Any) -> Any:
        account = self.account
        if kind == "submit":
            return account.submit(body)
        if kind == "find":
            return account.find(path[1])
        if kind == "cancel":
            return account.cancel(path[1])
        if kind == "replace":
            return account.replace(path[1], body)
        if kind == "open_orders":
            return [order for order in account.orders if order["status"] not in ENDED]
        if kind == "fills":
            return account.fills_after(query.get("after", ""))
        if kind == "positions":
            return {symbol: str(held) for symbol, held in account.positions.items() if held}
        if kind == "updates":
            after = int(query.get("after", "0"))
            account.changed.wait_for(lambda: len(account.updates) > after, timeout=0.2)
            return account.updates[after:]
        return self._control(kind, path, body)

    def _control(self, kind: str, path: list[str], body: Any) -> Any:
        """Do what a test asks for."""
        account = self.account
        if kind == "faults":
            account.faults.append({"times": 1} | body)
        elif kind == "market":
            fill_open = body.pop("fill_open", False)
            account.market.update(body)
            if fill_open:
                account.fill_open()
        elif kind == "fill":
            account.fill(account.find(path[1]), Decimal(body["qty"]), body.get("price", ""))
        elif kind == "end":
            account.cancel(path[1], body["status"])
        elif kind == "all":
            return account.orders
        else:
            raise RefusedError(404, f"no such path: {self.path}")
        return None

    def _answer(self, code: int, answer: Any) -> None:
        payload = json.dumps(answer).encode()
        with suppress(OSError):
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, *_: Any) -> None:
        """A client that is gone is no news."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--ledger", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--twins", action="store_true", help="take an id more than once")
    arguments = parser.parse_args()
    Handler.account = Account(arguments.ledger, idempotent=not arguments.twins)
    server = Server(("127.0.0.1", arguments.port), Handler)
    print(server.server_address[1], flush=True)
    # Ends with whoever started it.
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    server.serve_forever()


if __name__ == "__main__":
    main()
