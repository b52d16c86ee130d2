"""What the report shows of a backtest; `BacktestResult` has it."""

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
    """A finished backtest, as far as its report reads it."""

    @property
    def stats(self) -> Statistics:
        """The figures."""
        ...

    @property
    def equity(self) -> EquityCurve:
        """What the account was worth, step by step."""
        ...

    @property
    def replay(self) -> ReplayResult:
        """Counts, digest, account and fills of the run."""
        ...

    @property
    def manifest(self) -> Manifest:
        """What went into the run."""
        ...

    @property
    def failure(self) -> str:
        """Which component raised on what; empty for a run that reached its end."""
        ...

    @property
    def problems(self) -> tuple[str, ...]:
        """What never happened, was not done or may be wrong, one line each."""
        ...

    @property
    def trades(self) -> Sequence[Trade]:
        """The round trips that are closed."""
        ...

    @property
    def account(self) -> Account:
        """Cash and positions at the end."""
        ...

    @property
    def events_digest(self) -> str | None:
        """SHA-256 over the ordered event log; ``None`` where it was not asked for."""
        ...

    @property
    def limits(self) -> str:
        """Whether orders were held against limits of risk: ``none``, ``on`` or ``off``."""
        ...

    @property
    def denials(self) -> Sequence[DeniedOrders]:
        """The orders that limits of risk stopped, one entry for each limit."""
        ...

    @property
    def denied_orders(self) -> int:
        """How many orders limits of risk stopped."""
        ...

    def flattering(self) -> list[str]:
        """Return what makes the result better than a market would, one line each."""
        ...
