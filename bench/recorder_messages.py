"""Messages of an app for the benchmarks of the recorder."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from ingenium.bus.headers import encode_headers
from ingenium.bus.nats.direct_reader import KeptMessage
from ingenium.bus.stream import MESSAGE_ID
from ingenium.events import DataEvent, ExecutionEvent, Ohlc, OrderEvent, encode
from ingenium.subjects.names import subject_of

__all__ = ["T0", "make_messages"]

T0 = datetime(2024, 1, 2, 15, 30, tzinfo=UTC)


def make_messages(count: int, start: int = 0) -> list[KeptMessage]:
    """Make bars, and an order and its fill for every tenth message.

    Args:
        count: How many messages.
        start: How many there are before them.
    """
    made: list[KeptMessage] = []
    received = int(T0.timestamp()) * 1_000_000_000
    while len(made) < count:
        n = start + len(made)
        symbol, time_of = f"SYM{n % 50}", T0 + timedelta(seconds=n)
        bar = Ohlc(open="101.25", high="102.5", low="100.75", close="101.5", volume="12345")
        text = time_of.isoformat().replace("+00:00", "Z")
        events: list[Any] = [
            DataEvent(type="ohlc", symbol=symbol, timestamp=text, ohlc=bar, id=f"data_{n:027}")
        ]
        if n % 10 == 0:
            order = f"order_{n:027}"
            side = "buy" if n % 20 else "sell"
            events += [
                OrderEvent(
                    id=order, symbol=symbol, side=side, quantity="10", type="market",
                    timestamp=time_of,
                ),
                ExecutionEvent(
                    id=f"exec_{n:027}", order_id=order, symbol=symbol, side=side, quantity="10",
                    price="101.5", commission="0.1", update="filled", timestamp=time_of,
                ),
            ]  # fmt: skip
        for event in events[: start + count - n]:
            headers = encode_headers(
                {"Ingenium-Source": "bench", "Content-Type": "application/json",
                 MESSAGE_ID: event.id}
            )  # fmt: skip
            place = start + len(made) + 1
            made.append(
                KeptMessage(
                    place, received + place * 1_000_000, subject_of(event), headers, encode(event)
                )
            )
    return made
