"""A live app for tests, whose portfolio sends orders for signals and whose broker fills them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ingenium.config import Settings
from ingenium.operations.apps import find_app
from ingenium.operations.status import AppStatus, status_of

__all__ = ["APP", "WITH_GO", "status_in"]

APP = """
import asyncio, os
from datetime import UTC, datetime, timedelta

from ingenium import (
    App, Bar, ExecutionEvent, Executor, Ingestor, RiskLimits, Signal, Strategy,
)
from ingenium.portfolios import FixedQuantity

class Ticks(Ingestor):
    async def ingest(self):
        for minute in range(100_000):
            price = str(100 + minute * 3 % 7)
            bar = Bar.make(
                "AAPL", datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=minute),
                open=price, high=price, low=price, close=price, volume="100000",
                period=timedelta(minutes=1),
            )
            self.send_data(bar.event)
            await asyncio.sleep(0.05)

class Turns(Strategy):
    def on_bar(self, bar):
        on_bar(bar)
        self.send_signal(bar.symbol, Signal.SHORT if bar.close > 103 else Signal.LONG)

class FillAll(Executor):
    def on_order(self, event):
        self.send_execution(ExecutionEvent(
            order_id=event.id, symbol=event.symbol, side=event.side, quantity=event.quantity,
            price="100", update="filled",
        ))

def on_bar(bar):
    pass

def app():
    return App(name="live", ingestors=[Ticks()], strategies=[Turns()],
               portfolio=FixedQuantity(10), executor=FillAll(),
               risk=RiskLimits(
                   max_orders_per_second=None, duplicate_seconds=None, price_collar=None))
"""

WITH_GO = """
from ingenium import External

def with_go():
    made = app()
    return App(name="live", ingestors=made.ingestors, portfolio=made.portfolio,
               executor=made.executor, risk=made.risk,
               strategies=[*made.strategies, External(
                   "strategy", ["./strategy", "-symbols", "AAPL"], name="go-rsi",
                   symbols=["AAPL"])])
"""


def status_in(folder: Path) -> AppStatus:
    """Return the status of the app that runs, or ran, in a folder."""
    settings = Settings(data_directory=folder / ".ingenium")
    return asyncio.run(status_of(find_app(settings, "live")))
