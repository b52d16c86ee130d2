"""Apps with little, normal and absurd data, for looking at the dashboard."""

from __future__ import annotations

from pathlib import Path

__all__ = ["ABSURD", "LIVE", "LONG_SYMBOL", "QUIET", "SWING", "write_prices"]

LONG_SYMBOL = "A" + "VERY" * 14 + "LON"
"""Name of an instrument with 60 letters."""

LIVE = Path(__file__).parents[2] / "examples" / "live" / "app.py"

SWING = """
from pathlib import Path
from typing import Annotated, Literal

from ingenium import App
from ingenium.brokers import PaperExecutor
from ingenium.ingestors import CsvIngestor
from ingenium.portfolios import FixedQuantity
from ingenium.strategies import SmaCross
from msgspec import Meta

Fast = Annotated[int, Meta(ge=2, le=50, title="bars", description="Length of the fast average")]
Slow = Annotated[int, Meta(ge=3, le=200, title="bars", description="Length of the slow average")]
Quantity = Annotated[int, Meta(ge=1, le=1000, title="shares")]


def app(fast: Fast = 5, slow: Slow = 20, quantity: Quantity = 400) -> App:
    return App(
        name="swing",
        ingestors=[CsvIngestor("{prices}", symbol="IBM")],
        strategies=[SmaCross(["IBM"], fast=fast, slow=slow)],
        portfolio=FixedQuantity(quantity),
        executor=PaperExecutor(),
    )
"""
"""An app with parameters for backtests and sweeps; `{prices}` is the file of its prices."""

QUIET = """
import asyncio

from ingenium import App, Ingestor, Strategy
from ingenium.brokers import PaperExecutor
from ingenium.portfolios import FixedQuantity


class Silent(Ingestor):
    async def ingest(self):
        await asyncio.Event().wait()


class Waits(Strategy):
    def on_bar(self, bar):
        pass


def app():
    return App(name="quiet", ingestors=[Silent()], strategies=[Waits()],
               portfolio=FixedQuantity(10), executor=PaperExecutor())
"""
"""An app in which nothing happens."""

ABSURD = """
import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ingenium import App, Bar, ExecutionEvent, Executor, Ingestor, RiskLimits, Signal, Strategy
from ingenium.portfolios import FixedQuantity

SYMBOLS = ["A" + "VERY" * 14 + "LON", *(f"SYM{n:02}" for n in range(39))]


class Floods(Ingestor):
    async def ingest(self):
        start = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=200)
        for minute in range(100_000):
            for at, symbol in enumerate(SYMBOLS):
                price = f"{98765.4321 - at * 2345.678 - minute * (at + 1) * 0.0571:.4f}"
                self.send_data(Bar.make(
                    symbol, start + timedelta(minutes=minute), open=price, high=price, low=price,
                    close=price, volume="100000", period=timedelta(minutes=1)).event)
            await asyncio.sleep(1 if minute > 20 else 0.05)


class Turns(Strategy):
    def __init__(self):
        super().__init__()
        self.bars = {}

    def on_bar(self, bar):
        seen = self.bars[bar.symbol] = self.bars.get(bar.symbol, 0) + 1
        # Once, so that it passes when it is sent again, and in a backtest.
        if bar.symbol == "SYM07" and seen > 9 and Path("fails").exists():
            Path("fails").unlink()
            raise ValueError("a price of SYM07 has no meaning: " + "the feed sent it anyway, " * 79)
        if seen % 15 == 3:
            self.send_signal(bar.symbol, Signal.LONG if seen % 2 else Signal.SHORT)


class Fussy(FixedQuantity):
    def on_signal(self, event):
        if event.symbol == "SYM08" and Path("fussy").exists():
            Path("fussy").unlink()
            raise ValueError("no order for SYM08 today")
        super().on_signal(event)


class FillAll(Executor):
    def on_order(self, event):
        self.send_execution(ExecutionEvent(
            order_id=event.id, symbol=event.symbol, side=event.side, quantity=event.quantity,
            price="98765.4321", commission="0.0123", update="filled"))


def app():
    return App(name="absurd", ingestors=[Floods()], strategies=[Turns()],
               portfolio=Fussy(123.45, cash=1_000_000_000), executor=FillAll(),
               risk=RiskLimits(max_orders_per_second=None, duplicate_seconds=None,
                               price_collar=None, max_order_notional=None,
                               max_symbol_notional=None, max_gross_notional=None))
"""
"""An app with 40 symbols, one of 60 letters, and losses of millions.

Where there is a file `fails`, a bar fails, with an error of 2,000 letters; where there is a file
`fussy`, a signal does.
"""


def write_prices(path: Path, days: int) -> None:
    """Write daily prices that swing, the same on every machine."""
    lines = ["Date,Open,High,Low,Close,Volume"]
    price = 100.0
    for day in range(days):
        year, rest = divmod(day, 12 * 21)
        month, of_month = divmod(rest, 21)
        step = ((day * 7919) % 401 - 200) / 100 + (0.6 if (day // 60) % 2 == 0 else -0.45)
        closed = max(5.0, price + step)
        high, low = max(price, closed) + 0.4, min(price, closed) - 0.4
        date = f"{2015 + year}-{month + 1:02}-{of_month + 1:02}"
        lines.append(f"{date},{price:.2f},{high:.2f},{low:.2f},{closed:.2f},{10_000 + day}")
        price = closed
    path.write_text("\n".join(lines) + "\n")
