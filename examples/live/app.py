"""A live app on a feed of its own: a seeded random walk, and a strategy that follows it.

    ingenium run examples/live/app.py

docs/live.md walks through it. Settings, all by environment: LIVE_SECONDS is the time between two
bars (1), LIVE_SEED chooses the walk (7).
"""

from __future__ import annotations

import asyncio
import os
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from ingenium import App, Bar, Ingestor, RiskLimits
from ingenium.brokers import PaperExecutor
from ingenium.portfolios import FixedQuantity
from ingenium.strategies import SmaCross

SYMBOLS = ("ACME", "BOLT", "CRUX")
CENT = Decimal("0.01")


class RandomWalk(Ingestor):
    """Sends a bar of each symbol every so often; each price is the one before, plus a few cents."""

    def __init__(self, seconds: float, seed: int) -> None:
        super().__init__("feed")
        self.period = timedelta(seconds=seconds)
        self.random = random.Random(seed)  # noqa: S311 - no secret
        self.prices = dict.fromkeys(SYMBOLS, Decimal(100))

    async def ingest(self) -> None:
        """Send bars until the app stops."""
        while True:
            start = datetime.now(UTC)
            await asyncio.sleep(self.period.total_seconds())
            for symbol in SYMBOLS:
                self.send_data(self.bar(symbol, start).event)

    def bar(self, symbol: str, start: datetime) -> Bar:
        """Make the next bar of a symbol."""
        first = self.prices[symbol]
        prices = [first]
        for _ in range(4):
            step = self.random.randint(-25, 25) * CENT
            prices.append(max(prices[-1] + step, CENT))
        self.prices[symbol] = prices[-1]
        return Bar.make(
            symbol,
            start,
            open=str(first),
            high=str(max(prices)),
            low=str(min(prices)),
            close=str(prices[-1]),
            volume=str(self.random.randint(1_000, 5_000)),
            period=self.period,
        )


def app() -> App:
    """Make the app."""
    seconds = float(os.environ.get("LIVE_SECONDS", "1"))
    seed = int(os.environ.get("LIVE_SEED", "7"))
    return App(
        name="live",
        ingestors=[RandomWalk(seconds, seed)],
        strategies=[SmaCross(SYMBOLS, fast=3, slow=8)],
        portfolio=FixedQuantity(10),
        executor=PaperExecutor(),
        # A random walk jumps further, and turns more often, than these limits allow.
        risk=RiskLimits(price_collar=None, duplicate_seconds=None),
    )
