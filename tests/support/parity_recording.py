"""An app, a recorded live run of it, and the comparison with its backtest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.live_recording import LiveEvent, events_of, record_live_run

from ingenium.backtest.app_settings import app_settings
from ingenium.components import load_app
from ingenium.recorder.database import Database
from ingenium.recorder.parity_result import Parity
from ingenium.recorder.parity_run import ParityOptions, run_parity

__all__ = ["APP", "LIVE", "Recorded"]

APP = """
from datetime import UTC, datetime, timedelta

from ingenium import App, Bar, Ingestor, RiskLimits, Signal, Strategy
from ingenium.brokers import BrokerExecutor, PaperExecutor
from ingenium.portfolios import FixedQuantity
from ingenium.strategies import SmaCross

LENGTH = timedelta(minutes=1)
T0 = datetime(2024, 1, 2, 15, tzinfo=UTC)

def bars(first, last):
    for number in range(first, last):
        for symbol, factor in (("ACME", 7), ("BOLT", 5)):
            # A second lies between a bar and the next one, in which orders arrive.
            start = T0 + number * (LENGTH + timedelta(seconds=1))
            one, two = (str(100 + n * factor % 13) for n in (number, number + 1))
            high, low = max(one, two, key=int), min(one, two, key=int)
            yield Bar.make(symbol, start, open=one, high=high, low=low, close=two,
                           volume="100000", period=LENGTH)

class History(Ingestor):
    def __init__(self, first=0, last=40):
        super().__init__("feed")
        self.first, self.last = first, last

    def read_bars(self):
        return bars(self.first, self.last)

class Feed(Ingestor):
    async def ingest(self):
        pass

class Turns(Strategy):
    def on_bar(self, bar):
        self.send_signal(bar.symbol, Signal.LONG if bar.close > 106 else Signal.SHORT)

LIMITS = dict(max_orders_per_second=None, duplicate_seconds=None, price_collar=None)

def make(ingestor, strategy=None, quantity=10, executor=None, warm_up=None, **limits):
    return App(name="walk", ingestors=[ingestor], warm_up=warm_up,
               strategies=[strategy or SmaCross(["ACME", "BOLT"], fast=FAST, slow=4)],
               portfolio=FixedQuantity(quantity), executor=executor or PaperExecutor(),
               risk=RiskLimits(**(LIMITS | limits)))

FAST = 2
"""
LIVE = "\ndef app():\n    return make(Feed())\n"


class Recorded:
    """A recorded live run in a folder, and the app that is compared with it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.place = str(folder / "record.db")
        self.database: Database | None = None

    def app(self, name: str, code: str) -> str:
        """Write an app, and return its target."""
        path = self.folder / f"{name}.py"
        path.write_text(APP + code)
        return str(path)

    def record(
        self,
        *,
        code: str = LIVE,
        history: str = "\ndef app():\n    return make(History())\n",
        plant: Callable[[list[LiveEvent]], list[LiveEvent]] = lambda events: events,
        has_settings: bool = True,
    ) -> None:
        """Record a run of the app ``code``, whose data is that of ``history``."""
        live = self.app("live_app", code)
        events = events_of(load_app(self.app("history_app", history)))
        settings = app_settings(load_app(live), live) if has_settings else {}
        self.database = record_live_run(self.place, "walk", plant(events), settings)

    def compare(self, code: str = LIVE, name: str = "live_app", **options: Any) -> Parity:
        """Compare an app with the recording."""
        found, _ = run_parity(self.app(name, code), ParityOptions(self.place, **options))
        return found
