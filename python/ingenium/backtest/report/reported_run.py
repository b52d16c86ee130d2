"""The interface of a backtest result to its report; `BacktestResult` implements it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ingenium.backtest.equity_curve import EquityCurve
from ingenium.backtest.manifest import Manifest
from ingenium.backtest.stats import Statistics
from ingenium.runtime.replay import DeniedOrders, ReplayResult
from ingenium.trading import Account, Trade

__all__ = ["ReportedRun"]


class ReportedRun(Protocol):
    """A finished backtest, as read by the report."""

    @property
    def stats(self) -> Statistics:
        """The figures."""
        ...

    @property
    def equity(self) -> EquityCurve:
        """Equity, step by step."""
        ...

    @property
    def replay(self) -> ReplayResult:
        """Counts, digest, account and fills of the run."""
        ...

    @property
    def manifest(self) -> Manifest:
        """Inputs of the run."""
        ...

    @property
    def failure(self) -> str:
        """Component and event on which the run failed; empty for a run that reached its end."""
        ...

    @property
    def problems(self) -> tuple[str, ...]:
        """Problems that may affect the result, one line each."""
        ...

    @property
    def trades(self) -> Sequence[Trade]:
        """Closed round trips."""
        ...

    @property
    def account(self) -> Account:
        """Cash and positions at the end."""
        ...

    @property
    def events_digest(self) -> str | None:
        """SHA-256 over the ordered event log; ``None`` if it was not requested."""
        ...

    @property
    def limits(self) -> str:
        """Whether orders were checked against risk limits: ``none``, ``on`` or ``off``."""
        ...

    @property
    def denials(self) -> Sequence[DeniedOrders]:
        """Orders that risk limits stopped, one entry for each limit."""
        ...

    @property
    def denied_orders(self) -> int:
        """Number of orders that risk limits stopped."""
        ...

    def flattering(self) -> list[str]:
        """Return assumptions that make the result better than a market would, one line each."""
        ...
