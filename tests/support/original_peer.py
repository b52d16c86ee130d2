"""A peer that sends byte for byte what programs on the original Go library send, role by role.

It knows nothing of this package: it connects to NATS_SERVER without a name, subscribes as the
library's clients do, and writes its events without headers. Each role answers each event that it
gets with one of its own, so that a test can count.

    python original_peer.py ROLE -symbols AAPL,BRK.B [-count 100]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import signal
import string
import time
from collections import Counter
from typing import Any

import nats
from nats.aio.client import Client

__all__ = ["data", "execution", "order", "signal_event"]

_LETTERS = string.digits + string.ascii_uppercase + string.ascii_lowercase
DATA = "ingenium.ingestor.data"
SIGNAL = "ingenium.strategy.signal"
ORDER = "ingenium.portfolio.order"
EXECUTION = "ingenium.executor.execution"


def write(event: dict[str, Any]) -> bytes:
    """Write an event as encoding/json does."""
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()


def metadata(prefix: str, id: str = "", timestamp: str = "") -> dict[str, Any]:
    """Return what the Send methods of the clients fill in."""
    made = f"{prefix}_{''.join(secrets.choice(_LETTERS) for _ in range(27))}"
    return {"Id": id or made, "Timestamp": timestamp or go_now()}


def go_now() -> str:
    """Return the present time as Go writes ``time.Now()``, in a zone west of Greenwich."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    part = f".{nanoseconds:09d}".rstrip("0").rstrip(".")
    there = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds - 5 * 3600))
    return f"{there}{part}-05:00"


def data(
    symbol: str, start: str, period: str, prices: list[float], volume: int, **meta: str
) -> bytes:
    """Write what the ingestor's client sends: prices with ``%f``, as its example does."""
    names = ("Open", "High", "Low", "Close")
    ohlc = {name: f"{price:f}" for name, price in zip(names, prices, strict=True)}
    ohlc |= {"Volume": f"{volume:d}", "Period": period, "Timestamp": start}
    event = {"Type": "data.type.ohlc", "Symbol": symbol, "Ohlc": ohlc}
    return write(metadata("data", **meta) | event)


def signal_event(symbol: str, direction: str, **meta: str) -> bytes:
    """Write what the strategy's client sends."""
    signal = {"Symbol": symbol, "Signal": f"ingenium.signal.{direction}"}
    return write(metadata("signal", **meta) | signal)


def order(symbol: str, side: str, quantity: str, **meta: str) -> bytes:
    """Write the order of the example portfolio, which its client fills in and does not publish."""
    event: dict[str, Any] = {"Symbol": symbol, "Side": side, "Quantity": quantity}
    event["Type"] = "market"
    event |= {"TimeInForce": "gtc", "ExtendedHours": False}
    event |= dict.fromkeys(
        ("LimitPrice", "StopPrice", "TakeProfit", "TrailPrice", "TrailPercent"), ""
    )
    event["StopLoss"] = {"LimitPrice": "", "StopPrice": ""}
    return write(metadata("order", **meta) | event)


def execution(
    order_id: str,
    quantity: str,
    price: str,
    time: str,
    symbol: str = "",
    update: str = "",
    **meta: str,
) -> bytes:
    """Write what the executor's client sends; its example leaves symbol and update empty."""
    event = {
        "ExecutionTimestamp": time,
        "OrderId": order_id,
        "Symbol": symbol,
        "Quantity": quantity,
        "Price": price,
        "Update": update,
    }
    return write(metadata("exec", **meta) | event)


async def ingest(client: Client, symbols: list[str], count: int) -> None:
    """Send history at full speed, and end."""
    for number in range(count):
        symbol = symbols[number % len(symbols)]
        day, minute = divmod(number // len(symbols), 390)
        start = f"2024-{1 + day // 28:02d}-{1 + day % 28:02d}"
        start += f"T{14 + (30 + minute) // 60:02d}:{(30 + minute) % 60:02d}:00Z"
        price = 100 + number % 7 / 4
        payload = data(symbol, start, "1Min", [price, price + 0.5, price - 0.5, price], 1_000_000)
        await client.publish(f"{DATA}.{symbol.lower()}", payload)
    await client.drain()


async def answer(client: Client, role: str, symbols: list[str]) -> None:
    """Answer each event with one of the role's own, until asked to stop."""
    seen: Counter[str] = Counter()

    async def on_data(message: Any) -> None:
        symbol = json.loads(message.data)["Symbol"]
        seen[symbol] += 1
        await client.publish(SIGNAL, signal_event(symbol, "long" if seen[symbol] % 2 else "short"))

    async def on_signal(message: Any) -> None:
        event = json.loads(message.data)
        side = "buy" if event["Signal"].endswith("long") else "sell"
        await client.publish(ORDER, order(event["Symbol"], side, "1"))

    async def on_execution(message: Any) -> None:
        seen["executions"] += 1

    async def on_order(message: Any) -> None:
        event = json.loads(message.data)
        await client.publish(
            EXECUTION,
            execution(
                event["Id"], event["Quantity"], "100.25", go_now(), event["Symbol"], "filled"
            ),
        )

    if role == "strategy":
        for symbol in symbols:
            await client.subscribe(f"{DATA}.{symbol.lower()}", cb=on_data)
    elif role == "portfolio":
        await client.subscribe(SIGNAL, cb=on_signal)
        await client.subscribe(EXECUTION, cb=on_execution)
    else:
        await client.subscribe(ORDER, cb=on_order)
    await client.flush()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await client.drain()


async def main() -> None:
    """Play a role."""
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=("ingestor", "strategy", "portfolio", "executor"))
    parser.add_argument("-symbols", default="AAPL")
    parser.add_argument("-count", type=int, default=100)
    arguments = parser.parse_args()
    symbols = arguments.symbols.split(",")
    client = await nats.connect(os.environ["NATS_SERVER"])
    if arguments.role == "ingestor":
        await ingest(client, symbols, arguments.count)
    else:
        await answer(client, arguments.role, symbols)


if __name__ == "__main__":
    asyncio.run(main())
