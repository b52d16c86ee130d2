"""An adapter to the broker of `broker_server`, and that broker as a process."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ingenium.brokers.broker import Broker, BrokerFill, BrokerOrder
from ingenium.errors import (
    BrokerError,
    BrokerRefusedError,
    BrokerTimeoutError,
    DuplicateOrderError,
)
from ingenium.events import Side, TradeUpdate
from ingenium.trading import Order

__all__ = ["BrokerProcess", "HttpBroker"]

_UPDATES = {"partially_filled": TradeUpdate.PARTIAL_FILL}


class NotFoundError(BrokerRefusedError):
    """There is no such thing."""


class HttpBroker(Broker):
    """An account at a broker that speaks HTTP.

    Args:
        port: Where it listens on this machine.
        account: Its name.
        idempotent: Whether it takes an id once.
    """

    def __init__(self, port: int, account: str = "U1", *, idempotent: bool = True) -> None:
        self.port = port
        self.account = account
        self.idempotent = idempotent

    async def submit(self, order: Order) -> BrokerOrder:
        return _order(await self._ask("POST", "orders", _body(order)))

    async def cancel(self, client_order_id: str) -> None:
        await self._ask("DELETE", f"orders/{quote(client_order_id, safe='')}")

    async def replace(self, client_order_id: str, order: Order) -> BrokerOrder:
        path = f"orders/{quote(client_order_id, safe='')}"
        return _order(await self._ask("PATCH", path, _body(order)))

    async def find(self, client_order_id: str) -> BrokerOrder | None:
        try:
            return _order(await self._ask("GET", f"orders/{quote(client_order_id, safe='')}"))
        except NotFoundError:
            return None

    async def open_orders(self) -> Sequence[BrokerOrder]:
        return [_order(each) for each in await self._ask("GET", "orders")]

    async def fills(self, after: str) -> Sequence[BrokerFill]:
        return [_fill(each) for each in await self._ask("GET", f"fills?after={after}")]

    async def positions(self) -> Mapping[str, Decimal]:
        held = await self._ask("GET", "positions")
        return {symbol: Decimal(quantity) for symbol, quantity in held.items()}

    async def updates(self) -> AsyncIterator[BrokerOrder]:
        after = 0
        while True:
            news = await self._ask("GET", f"updates?after={after}")
            after += len(news)
            for each in news:
                yield _order(each)

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        return await asyncio.to_thread(ask, self.port, method, path, body)


def ask(port: int, method: str, path: str, body: Any = None) -> Any:
    """Ask the broker once."""
    connection = HTTPConnection("127.0.0.1", port, timeout=8)
    try:
        try:
            connection.connect()
        except OSError as error:
            raise BrokerError(f"cannot reach the broker: {error}") from error
        try:
            connection.request(method, f"/{path}", json.dumps(body))
            response = connection.getresponse()
            answer = json.loads(response.read() or b"null")
        except (OSError, HTTPException, ValueError) as error:
            raise BrokerTimeoutError(f"no answer from the broker: {error!r}") from error
    finally:
        connection.close()
    if response.status == 200:
        return answer
    text = f"HTTP {response.status}: {answer['message']}"
    if response.status == 404:
        raise NotFoundError(text)
    if response.status == 422 and "unique" in text:
        raise DuplicateOrderError(text)
    if response.status == 429:
        raise BrokerError(text)
    if response.status < 500:
        raise BrokerRefusedError(text)
    raise BrokerTimeoutError(text)


class BrokerProcess:
    """The broker as a process; it keeps its port and its ledger when it is started again.

    Args:
        directory: Where its ledger is.
        idempotent: Whether it takes an id once.
    """

    def __init__(self, directory: Path, *, idempotent: bool = True) -> None:
        self.ledger = directory / "ledger.jsonl"
        self.idempotent = idempotent
        self.port = 0
        self._by_hand = 0
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> BrokerProcess:
        """Start it, and return when it listens."""
        script = Path(__file__).with_name("broker_server.py")
        command = [sys.executable, str(script), "--ledger", str(self.ledger)]
        command += ["--port", str(self.port)] + ([] if self.idempotent else ["--twins"])
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        return self

    def stop(self) -> None:
        """End it at once."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def pause(self) -> None:
        """Let it stand still."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def adapter(self) -> HttpBroker:
        """Return an adapter to it."""
        return HttpBroker(self.port, idempotent=self.idempotent)

    def fault(self, kind: str, mode: str = "", times: int = 1, seconds: float = 0) -> None:
        """Let the next requests of a kind go wrong."""
        body = {"kind": kind, "mode": mode, "times": times, "seconds": seconds}
        ask(self.port, "POST", "faults", body)

    def market(self, **values: Any) -> None:
        """Say how orders are filled."""
        ask(self.port, "POST", "market", values)

    def control(self, path: str, **values: Any) -> Any:
        """Do something at the broker, as a person there could."""
        return ask(self.port, "POST", path, values)

    def trade_by_hand(self, symbol: str, quantity: str, side: str = "buy") -> None:
        """Trade past the app."""
        self._by_hand += 1
        client_order_id = f"by-hand-{self._by_hand}"
        body = {"client_order_id": client_order_id, "symbol": symbol, "side": side, "qty": quantity}
        ask(self.port, "POST", "orders", body)

    def lines(self, what: str) -> list[dict[str, Any]]:
        """Return what the ledger holds of a kind: ``"order"``, ``"update"`` or ``"fill"``."""
        lines = [json.loads(line) for line in self.ledger.read_text().splitlines()]
        return [
            line[what if what != "update" else "order"] for line in lines if line["what"] == what
        ]


def _body(order: Order) -> dict[str, Any]:
    return {
        "client_order_id": order.id,
        "symbol": order.symbol,
        "side": order.side.value,
        "qty": f"{order.quantity:f}",
        "type": order.type.value,
        "time_in_force": order.time_in_force.value,
    }


def _order(answer: Mapping[str, Any]) -> BrokerOrder:
    status = answer["status"]
    return BrokerOrder(
        client_order_id=answer["client_order_id"],
        venue_order_id=answer["id"],
        symbol=answer["symbol"],
        side=Side(answer["side"]),
        quantity=Decimal(answer["qty"]),
        filled=Decimal(answer["filled_qty"]),
        update=_UPDATES.get(status) or TradeUpdate(status),
    )


def _fill(answer: Mapping[str, Any]) -> BrokerFill:
    return BrokerFill(
        id=answer["id"],
        client_order_id=answer["client_order_id"],
        symbol=answer["symbol"],
        side=Side(answer["side"]),
        quantity=Decimal(answer["qty"]),
        price=Decimal(answer["price"]),
        commission=Decimal(answer["commission"]),
        time=datetime.fromisoformat(answer["time"]),
    )
