"""Portfolios and events for tests of risk limits in components."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ingenium.brokers import PaperExecutor
from ingenium.components import Portfolio
from ingenium.components.handle_of import risk_of
from ingenium.events import (
    ControlEvent,
    DataEvent,
    Event,
)
from ingenium.risk import RiskGate
from ingenium.trading import Bar

NOW = datetime(2024, 1, 2, tzinfo=UTC)
ANN = "ann@trader-1"


def gate_of(component: Portfolio | PaperExecutor) -> RiskGate:
    risk = risk_of(component)
    assert risk is not None
    assert risk.gate is not None
    return risk.gate


def data(close: str = "100", seconds: float = 0, symbol: str = "AAPL") -> DataEvent:
    minute = timedelta(minutes=1)
    return Bar.make(
        symbol,
        NOW + timedelta(seconds=seconds) - minute,
        open=close,
        high=close,
        low=close,
        close=close,
        period=minute,
    ).event


def control(state: str, sender: str = ANN, id: str = "") -> ControlEvent:
    return ControlEvent(id=id, state=state, sender=sender, reason="because", timestamp=NOW)


def kinds(events: list[Event]) -> list[type]:
    return [type(event) for event in events]
