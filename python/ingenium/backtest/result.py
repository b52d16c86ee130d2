"""What comes out of a backtest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ingenium.backtest.curve import EquityCurve
from ingenium.backtest.summary import Statistics
from ingenium.errors import MissingDependencyError
from ingenium.exchange import ExchangeNotes
from ingenium.lockstep import ReplayResult
from ingenium.trading import Account, Trade

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

__all__ = ["BacktestResult"]


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """What came out of a backtest.

    Attributes:
        stats: The figures.
        equity: What the account was worth, step by step.
        replay: Counts, digest, account and problems of the run.
        policy: Name of the rules by which the exchange filled; empty where it is not ours.
        notes: What the exchange counted.
    """

    stats: Statistics
    equity: EquityCurve
    replay: ReplayResult
    policy: str
    notes: ExchangeNotes

    @property
    def trades(self) -> Sequence[Trade]:
        """The round trips that are closed, in the order of their exits."""
        return self.replay.trades

    @property
    def account(self) -> Account:
        """Cash and positions at the end."""
        return self.replay.account

    @property
    def events_digest(self) -> str:
        """SHA-256 over all events in their order: equal for equal runs."""
        return self.replay.events_digest

    @property
    def complete(self) -> bool:
        """Whether the end of history was reached."""
        return self.replay.complete

    def flattering(self) -> list[str]:
        """Say what makes this result better than a market would."""
        stats, notes = self.stats, self.notes
        said: list[str] = []
        if stats.fills and not stats.commissions:
            said.append("no fees were paid")
        if "slippage" not in self.policy:
            said.append("fills at the market do not slip")
        if "touch_fills=True" in self.policy:
            said.append("limit orders fill when they are only touched")
        if "volume_cap=None" in self.policy:
            said.append("orders fill whatever the volume of the bar")
        if notes.uncapped_fills:
            said.append(
                f"{notes.uncapped_fills} of {notes.fills} fills are on bars without a volume, so "
                "no cap held"
            )
        if notes.ambiguous_fills:
            said.append(
                f"{notes.ambiguous_fills} of {notes.fills} fills are ambiguous, and were decided "
                "against the owner"
            )
        return said

    def to_json(self) -> dict[str, Any]:
        """Return figures, trades and curve as JSON values; money of trades as decimal strings."""
        return {
            "complete": self.complete,
            "events_digest": self.events_digest,
            "policy": self.policy,
            "stats": {name: _plain(value) for name, value in asdict(self.stats).items()},
            "flattering": self.flattering(),
            "problems": list(self.replay.problems),
            "trades": [
                {f.name: _plain(getattr(trade, f.name)) for f in fields(trade)}
                for trade in self.trades
            ],
        }

    def _curve(self) -> dict[str, list[Any]]:
        curve = self.equity
        return {
            "time": curve.times,
            "equity": list(curve.equity),
            "exposure": list(curve.exposure),
            "benchmark": list(curve.benchmark),
        }

    def _trades(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for trade in self.trades:
            row = {f.name: getattr(trade, f.name) for f in fields(trade)}
            rows.append(
                {k: v if isinstance(v, str | datetime) else float(v) for k, v in row.items()}
            )
        return rows

    def to_pandas(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the curve, indexed by time, and the trades, as pandas frames of floats.

        Raises:
            MissingDependencyError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise MissingDependencyError(
                "frames need pandas: pip install 'ingenium[pandas]'"
            ) from error
        return pandas.DataFrame(self._curve()).set_index("time"), pandas.DataFrame(self._trades())

    def to_polars(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return the curve and the trades as polars frames of floats.

        Raises:
            MissingDependencyError: polars is not installed.
        """
        try:
            import polars
        except ImportError as error:
            raise MissingDependencyError(
                "frames need polars: pip install 'ingenium[polars]'"
            ) from error
        return polars.DataFrame(self._curve()), polars.DataFrame(self._trades())


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if value is None or isinstance(value, int | float):
        return value
    return str(value)
