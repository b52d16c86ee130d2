"""The app that the chaos suite runs: one order for each signal, at a broker over HTTP."""

from __future__ import annotations

import os

from support.http_broker import HttpBroker

from ingenium import App, Ingestor, Portfolio, Side, Signal, SignalEvent
from ingenium.brokers import BrokerExecutor
from ingenium.risk import RiskLimits

__all__ = ["EXECUTOR", "NAME", "PORTFOLIO", "OneOrderEach", "app", "quantity_of"]

NAME, PORTFOLIO, EXECUTOR = "chaos", "portfolio", "broker"
# What the portfolio keeps for nothing with each signal.
_HOARDED = int(os.environ.get("HOARDED_BYTES", "0"))


def quantity_of(signal_id: str) -> int:
    """Return what the portfolio trades for a signal, so that sums tell one order from another."""
    return int(signal_id.partition("_")[2]) % 7 + 1


class OneOrderEach(Portfolio):
    """Sends one order for each signal."""

    def __init__(self) -> None:
        super().__init__(name=PORTFOLIO)
        self._hoard: list[bytearray] = []

    def on_signal(self, event: SignalEvent) -> None:
        if _HOARDED:
            self._hoard.append(bytearray(_HOARDED))
        side = Side.BUY if event.signal == Signal.LONG else Side.SELL
        self.send_order(event.symbol, side, quantity_of(event.id or ""))


class NotStarted(Ingestor):
    """An app has one; the suite plays what would send signals itself."""

    async def ingest(self) -> None:
        """Send nothing."""


def app() -> App:
    """Make the app; ``BROKER_PORT`` says where its broker is."""
    broker = HttpBroker(int(os.environ["BROKER_PORT"]))
    return App(
        name=NAME,
        ingestors=[NotStarted()],
        portfolio=OneOrderEach(),
        executor=BrokerExecutor(broker, name=EXECUTOR, timeout_seconds=2.0, poll_seconds=0.2),
        risk=RiskLimits(max_orders_per_second=None, duplicate_seconds=None),
    )
