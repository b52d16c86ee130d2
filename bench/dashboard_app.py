"""The app that `bench.dashboard` looks at: 42 symbols, and 200 events a second.

Four bars a second of each symbol are 168; each sixteenth bar of a symbol makes a signal, an order
and a fill, which are 31 more.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from time import monotonic

from ingenium import (
    App,
    Bar,
    ExecutionEvent,
    Executor,
    Ingestor,
    OrderEvent,
    RiskLimits,
    Signal,
    Strategy,
)
from ingenium.portfolios import FixedQuantity

SYMBOLS = [f"SYM{number:02}" for number in range(42)]
PERIOD = timedelta(seconds=0.25)
EVERY = 16


class SteadyFeed(Ingestor):
    """Sends a bar of each symbol four times a second, spread over the time."""

    async def ingest(self) -> None:
        """Send bars until the app stops."""
        began, count = monotonic(), 0
        while True:
            at, round_ = count % len(SYMBOLS), count // len(SYMBOLS)
            price = f"{100 + at + (round_ * 7 + at) % 13 / 10:.2f}"
            bar = Bar.make(
                SYMBOLS[at], datetime.now(UTC), open=price, high=price, low=price, close=price,
                volume="1000", period=PERIOD,
            )  # fmt: skip
            self.send_data(bar.event)
            count += 1
            due = began + count * PERIOD.total_seconds() / len(SYMBOLS)
            await asyncio.sleep(max(0.0, due - monotonic()))


class TurnsOften(Strategy):
    """Sends a signal for each sixteenth bar of a symbol, long and short in turns."""

    def __init__(self) -> None:
        super().__init__()
        self.bars: dict[str, int] = {}

    def on_bar(self, bar: Bar) -> None:
        """Count bars."""
        count = self.bars[bar.symbol] = self.bars.get(bar.symbol, 0) + 1
        if (count + hash_of(bar.symbol)) % EVERY == 0:
            is_long = count // EVERY % 2 == 0
            self.send_signal(bar.symbol, Signal.LONG if is_long else Signal.SHORT)


class FillsAtOnce(Executor):
    """Fills each order."""

    def on_order(self, event: OrderEvent) -> None:
        """Fill an order."""
        self.send_execution(
            ExecutionEvent(
                order_id=event.id or "", symbol=event.symbol, side=event.side,
                quantity=event.quantity, price="100", commission="0.01", update="filled",
            )
        )  # fmt: skip


def hash_of(symbol: str) -> int:
    """Return a number by which symbols do not all signal at once."""
    return int(symbol[3:])


app = App(
    ingestors=[SteadyFeed(name="steady-feed")],
    strategies=[TurnsOften()],
    portfolio=FixedQuantity(10, cash=10**8),
    executor=FillsAtOnce(),
    risk=RiskLimits(max_orders_per_second=None, duplicate_seconds=None, price_collar=None),
    name="busy",
)
