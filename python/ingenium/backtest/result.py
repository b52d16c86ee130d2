"""The result of a backtest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from html import escape
from math import isfinite, isnan
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ingenium.backtest.equity_curve import EquityCurve
from ingenium.backtest.formatting import figures, percent, ratio, session
from ingenium.backtest.manifest import Manifest
from ingenium.backtest.report import ReportSection, render
from ingenium.backtest.stats import Statistics
from ingenium.components import DataNote
from ingenium.errors import BacktestError, MissingDependencyError
from ingenium.events import Side
from ingenium.exchange import FillCounters, FillPolicy
from ingenium.runtime.replay import DeniedOrders, OnStep, ReplayResult
from ingenium.trading import Account, Fill, Trade

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

__all__ = ["BacktestResult", "Limits"]

Limits = Literal["none", "on", "off"]

_FILL_COLUMNS = ("symbol", "side", "quantity", "price", "commission", "time", "order_id")
_TRADE_COLUMNS = (*Trade.__struct_fields__, "net_pnl")
_SHORT_YEARS = 0.25
_BORROWED = 1.005
"""Exposure above which money must have been borrowed; a price gap may slightly exceed 1."""


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """The result of a backtest.

    Attributes:
        stats: The figures.
        equity: Equity, step by step.
        replay: Counts, digest, account and fills of the run.
        policy: Display name of the fill policy; empty unless the paper exchange was used.
        notes: Counters of the exchange.
        manifest: Inputs of the run.
        failure: Component and event on which the run failed, if it did not reach its end.
        run_stressed: Runs a fresh app on a harsher exchange, and takes an `OnStep`; a component
            that raises there is named in the ``failure`` of the returned result. ``None`` when a
            fresh app cannot be made.
        problems: Problems that may affect the result, one line each with its likely cause:
            rejected orders, symbols without data, a strategy without signals, prices that jump as
            by a split. Empty for most runs.
        limits: Whether orders were checked against the limits of ``App(risk=...)``: ``"none"`` if
            the app states none, ``"off"`` if the run turned them off.
        fill_policy: The fill policy; ``None`` unless the paper exchange was used.
        has_slippage: Whether market fills have slippage, as far as known.
    """

    stats: Statistics
    equity: EquityCurve
    replay: ReplayResult
    policy: str
    notes: FillCounters
    manifest: Manifest
    failure: str = ""
    run_stressed: Callable[[OnStep | None], BacktestResult] | None = field(
        default=None, repr=False, compare=False
    )
    problems: tuple[str, ...] = ()
    limits: Limits = "none"
    fill_policy: FillPolicy | None = None
    has_slippage: bool = False

    def __repr__(self) -> str:
        stats = self.stats
        days = "no data"
        if stats.start is not None and stats.end is not None:
            zone = self.equity.zone
            days = f"{session(stats.start, zone)} to {session(stats.end, zone)}"
        return (
            f"<BacktestResult {days}, total return {percent(stats.total_return)}, Sharpe "
            f"{ratio(stats.sharpe)}, max drawdown {percent(stats.max_drawdown)}, "
            f"{stats.trades:,} trades>"
        )

    def _repr_html_(self) -> str:
        """Return the figures as a table, which notebooks show."""
        rows = [*figures(self.stats, self.equity.zone), *(("problem", p) for p in self.problems)]
        cells = (f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>" for name, text in rows)
        return f"<table>{''.join(cells)}</table>"

    @property
    def trades(self) -> Sequence[Trade]:
        """Closed round trips, in the order in which their exits began.

        All fills of one exit order belong to one trade; `fills` lists them one by one.
        """
        return self.replay.trades

    @property
    def fills(self) -> Sequence[Fill]:
        """All fills in order of time; each names its order."""
        return self.replay.fills

    @property
    def account(self) -> Account:
        """Cash and positions at the end."""
        return self.replay.account

    @property
    def events_digest(self) -> str:
        """SHA-256 over all events in their order: equal for equal runs."""
        return self.replay.events_digest

    @property
    def denials(self) -> Sequence[DeniedOrders]:
        """Orders that risk limits stopped, one entry for each limit, largest count first."""
        return self.replay.denials

    @property
    def denied_orders(self) -> int:
        """Number of orders that risk limits stopped."""
        return sum(each.count for each in self.replay.denials)

    @property
    def hopeless(self) -> str:
        """Reason why the run could have no result at any prices; empty if there is none."""
        if self.replay.data and self.stats.start is None and self.manifest.figures_from is None:
            start = self.manifest.start
            after = f"no bars after start {start:%Y-%m-%d}" if start else "no bars count"
            last = self.replay.last
            return after + (f": data ends {session(last, self.equity.zone)}" if last else "")
        if not self.replay.data and self.problems:
            return self.problems[0]
        return self.replay.hopeless

    @property
    def data_notes(self) -> Sequence[DataNote]:
        """Data that the readers skipped, clipped, guessed or left unread."""
        return self.manifest.notes

    @property
    def complete(self) -> bool:
        """Whether the end of history was reached."""
        return self.replay.complete

    def flattering(self) -> list[str]:
        """Return assumptions that make this result better than a market would."""
        stats, notes, policy = self.stats, self.notes, self.fill_policy
        said: list[str] = []
        if stats.fills and not stats.commissions:
            said.append("no fees were paid")
        if policy is not None and not self.has_slippage:
            said.append("fills at the market do not slip")
        if policy is not None and policy.touch_fills:
            said.append("limit orders fill when they are only touched")
        if policy is not None and policy.volume_cap is None:
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
        most = max((part for part in self.equity.exposure if not isnan(part)), default=0.0)
        if most > _BORROWED:
            said.append(
                f"up to {most:.1f} times equity was held, on money that was borrowed without "
                "interest"
            )
        if stats.sharpe is not None and stats.years < _SHORT_YEARS:
            said.append(
                f"the period is {stats.years * 365.25:.0f} days: annual figures of less than three "
                "months say little"
            )
        if any(trade.side is Side.SELL for trade in self.trades):
            said.append("shorts were borrowed for nothing")
        if min(self.equity.equity, default=1.0) <= 0:
            said.append("equity fell to zero or below, where a broker would have ended it")
        return said

    def report(
        self,
        path: str | PathLike[str],
        *,
        stressed: BacktestResult | bool = True,
        sections: Sequence[ReportSection] = (),
    ) -> Path:
        """Write a report as one self-contained HTML file.

        Equal results give equal bytes.

        Args:
            path: File to write; an existing file is replaced.
            stressed: The same run under a harsher policy, for comparison; True to run it now, if
                possible.
            sections: Further sections, behind the main figures.

        Returns:
            The path.

        Raises:
            BacktestError: The file cannot be written.
        """
        beside = stressed if isinstance(stressed, BacktestResult) else None
        if stressed is True and self.run_stressed is not None:
            beside = self.run_stressed(None)
        file, text = Path(path), render(self, beside, sections)
        try:
            _replace(file, text)
        except OSError as error:
            raise BacktestError(f"cannot write the report {file}: {error.strerror}") from error
        return file

    def to_json(self, *, trades: bool = True) -> dict[str, Any]:
        """Return figures, trades and fills as JSON values; money of trades and fills as strings.

        Args:
            trades: Whether to list trades and fills.
        """
        values: dict[str, Any] = {
            "complete": self.complete,
            "events_digest": self.events_digest,
            "failure": self.failure,
            "policy": self.policy,
            "manifest": _plain_fields(self.manifest),
            "stats": {name: _plain(value) for name, value in asdict(self.stats).items()},
            "flattering": self.flattering(),
            "problems": list(self.problems),
            "limits": self.limits,
            "denials": [each.to_json() for each in self.denials],
        }
        if trades:
            values["trades"] = [
                {name: _plain(_of_trade(trade, name)) for name in _TRADE_COLUMNS}
                for trade in self.trades
            ]
            values["fills"] = [
                {name: _plain(getattr(fill, name)) for name in _FILL_COLUMNS} for fill in self.fills
            ]
        return values

    def _curve(self) -> dict[str, list[Any]]:
        curve = self.equity
        return {
            "time": curve.times,
            "equity": list(curve.equity),
            "exposure": list(curve.exposure),
            "benchmark": list(curve.benchmark),
        }

    def _rows(self, *, each_fill: bool) -> dict[str, list[Any]]:
        if each_fill:
            return _columns(self.fills, _FILL_COLUMNS)
        return {
            name: [_in_frame(_of_trade(trade, name)) for trade in self.trades]
            for name in _TRADE_COLUMNS
        }

    def to_pandas(self, *, each_fill: bool = False) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the curve, indexed by time, and the trades, as pandas frames of floats.

        Args:
            each_fill: Whether the second frame has a row for each fill instead of each trade.

        Raises:
            MissingDependencyError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError as error:
            raise MissingDependencyError(
                "frames need pandas: pip install 'ingenium[pandas]'"
            ) from error
        rows = self._rows(each_fill=each_fill)
        return pandas.DataFrame(self._curve()).set_index("time"), pandas.DataFrame(rows)

    def to_polars(self, *, each_fill: bool = False) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return the curve and the trades as polars frames of floats.

        Args:
            each_fill: Whether the second frame has a row for each fill instead of each trade.

        Raises:
            MissingDependencyError: polars is not installed.
        """
        try:
            import polars
        except ImportError as error:
            raise MissingDependencyError(
                "frames need polars: pip install 'ingenium[polars]'"
            ) from error
        return polars.DataFrame(self._curve()), polars.DataFrame(self._rows(each_fill=each_fill))


def _replace(file: Path, text: str) -> None:
    """Write a file atomically, or leave the existing one unchanged."""
    if file.exists() and not file.is_file():
        file.write_text(text, encoding="utf-8", newline="\n")  # such as /dev/stdout
        return
    file = file.resolve()
    part = file.with_name(f"{file.name}.part")
    try:
        part.write_text(text, encoding="utf-8", newline="\n")
        part.replace(file)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def _of_trade(trade: Trade, name: str) -> Any:
    if name == "side":
        # A trade is long or short, as in tables and report; a fill buys or sells.
        return "long" if trade.side is Side.BUY else "short"
    return getattr(trade, name)


def _columns(rows: Sequence[Fill], names: Sequence[str]) -> dict[str, list[Any]]:
    # By columns, so that they exist even without rows.
    return {name: [_in_frame(getattr(row, name)) for row in rows] for name in names}


def _in_frame(value: Any) -> Any:
    if isinstance(value, datetime | int):
        return value
    return str(value) if isinstance(value, str) else float(value)


def _plain_fields(manifest: Manifest) -> dict[str, Any]:
    answer = {name: _plain(value) for name, value in asdict(manifest).items()}
    return answer | {
        "components": [list(component) for component in manifest.components],
        "data": [asdict(file) for file in manifest.data],
        "programs": [asdict(file) for file in manifest.programs],
        "notes": [asdict(note) for note in manifest.notes],
    }


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, float):
        return value if isfinite(value) else None  # JSON has no infinity
    if value is None or isinstance(value, int):
        return value
    return str(value)
