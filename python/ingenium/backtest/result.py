"""What comes out of a backtest."""

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
"""Exposure above which money must have been borrowed; a gap after sizing makes a little more."""


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """What came out of a backtest.

    Attributes:
        stats: The figures.
        equity: What the account was worth, step by step.
        replay: Counts, digest, account and fills of the run.
        policy: Name of the rules by which the exchange filled, for people; empty where it is not
            ours.
        notes: What the exchange counted.
        manifest: What went into the run.
        failure: Which component raised on what, when the run did not reach its end.
        run_stressed: Runs a fresh app on a harsher exchange, and takes an `OnStep`; a component
            that raises there is named in the ``failure`` of what it returns. ``None`` when there
            is no way to make a fresh app.
        problems: What never happened, was not done or may be wrong, one line each with its likely
            cause: orders that were rejected, symbols that nobody sent, a strategy without signals,
            prices that jump as by a split. Empty for most runs.
        limits: Whether orders were held against the limits of ``App(risk=...)``: ``"none"`` where
            the app states none, ``"off"`` where that was asked for.
        fill_policy: The rules themselves; ``None`` where the exchange is not ours.
        has_slippage: Whether fills at the market slip, as far as that is known.
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
        """The round trips that are closed, in the order in which their exits began.

        All fills of one exit order are in one trade; `fills` has them one by one.
        """
        return self.replay.trades

    @property
    def fills(self) -> Sequence[Fill]:
        """What was traded, fill by fill, in the order of time; each names its order."""
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
        """The orders that limits of risk stopped, one entry for each limit, largest count first."""
        return self.replay.denials

    @property
    def denied_orders(self) -> int:
        """How many orders limits of risk stopped."""
        return sum(each.count for each in self.replay.denials)

    @property
    def hopeless(self) -> str:
        """Why nothing could come of the run, whatever the prices; empty when something could."""
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
        """What reading the data skipped, clipped, guessed or left unread."""
        return self.manifest.notes

    @property
    def complete(self) -> bool:
        """Whether the end of history was reached."""
        return self.replay.complete

    def flattering(self) -> list[str]:
        """Say what makes this result better than a market would."""
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

    def report(self, path: str | PathLike[str], *, stressed: BacktestResult | bool = True) -> Path:
        """Write a report as one HTML file that needs nothing else.

        Equal results give equal bytes.

        Args:
            path: Where to; a file that is there is replaced.
            stressed: The same run under a harsher policy, to stand beside this one; True to run it
                now, where that can be done.

        Returns:
            The path.

        Raises:
            BacktestError: The file cannot be written.
        """
        from ingenium.backtest.report import render

        beside = stressed if isinstance(stressed, BacktestResult) else None
        if stressed is True and self.run_stressed is not None:
            beside = self.run_stressed(None)
        file, text = Path(path), render(self, beside)
        try:
            _replace(file, text)
        except OSError as error:
            raise BacktestError(f"cannot write the report {file}: {error.strerror}") from error
        return file

    def to_json(self, *, trades: bool = True) -> dict[str, Any]:
        """Return figures, trades and fills as JSON values; their money as decimal strings.

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
            each_fill: Whether the second frame has a row for each fill in place of each trade.

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
            each_fill: Whether the second frame has a row for each fill in place of each trade.

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
    """Write a file whole, or leave the one that is there as it is."""
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
        # A trade is long or short, as tables and report say; a fill buys or sells.
        return "long" if trade.side is Side.BUY else "short"
    return getattr(trade, name)


def _columns(rows: Sequence[Fill], names: Sequence[str]) -> dict[str, list[Any]]:
    # By columns, so that they are there without any row, too.
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
