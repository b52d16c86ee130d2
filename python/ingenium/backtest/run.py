"""Run backtests: an app in, a result out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import partial
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ingenium.backtest.engine import Replay
from ingenium.backtest.equity_curve import EquityCurve
from ingenium.backtest.manifest import describe, make_manifest
from ingenium.backtest.over_bus import BusReplay, OnLine
from ingenium.backtest.result import BacktestResult, Limits
from ingenium.backtest.result_problems import as_asked, backtest_problems
from ingenium.backtest.stats import summarize
from ingenium.backtest.stress import stress_exchange
from ingenium.brokers import PaperExecutor
from ingenium.components import App, External, load_app
from ingenium.errors import BacktestError, ComponentError, ConfigError
from ingenium.exchange import FillCounters, NoSlippage
from ingenium.runtime.replay import OnLines, OnStep

__all__ = ["run", "run_async"]

_LISTED = 10

OnApp = Callable[[App], None]

Source = App | Callable[[], App] | str
_ResultT = TypeVar("_ResultT")


def run(
    app: Source,
    *,
    start: date | None = None,
    end: date | None = None,
    benchmark: str | None = None,
    timezone: str | None = None,
    figures_from: datetime | None = None,
    stressed: bool = False,
    risk: bool = True,
    digest: bool = True,
    on_step: OnStep | None = None,
    on_app: OnApp | None = None,
    on_line: OnLine | None = None,
    on_lines: OnLines | None = None,
) -> BacktestResult:
    """Run an app over its history, and return the result.

    Args:
        app: The app, a function that makes it, or its name as on a command line. Components keep
            their state, so an app object can be run once.
        start: Bars before this are a warm-up: strategies see them, but their signals are dropped.
            An aware datetime, or a date for the beginning of that day.
        end: The last instant. An aware datetime, or a date for the end of that day.
        benchmark: Symbol to hold for comparison; the first one in the data when left out.
        timezone: Time zone of the days and months of the figures, and of dates here; an IANA name.
            That of the ingestors when left out, or UTC if they have several.
        figures_from: Start of the figures and the curve; trading begins earlier. Positions open
            then are valued from their price at that time. Trades closed later count with their
            whole profit. Aware.
        stressed: Whether the app's paper exchange uses harsher rules than the app states; see
            `ingenium.backtest.STRESS`.
        risk: Whether orders are checked against the limits of ``App(risk=...)``, as in live
            running; an app that states none has none here. ``False`` turns them off, which the
            result states.
        digest: Whether to compute the events digest, which identifies equal runs; it takes half of
            the time of a fast run.
        on_step: Called after each step with its number, its time, the bars so far, and their total
            number, if known.
        on_app: Called with the app before it runs; an error that it raises ends the run.
        on_line: Called with the name of an external program and each line of its output.
        on_lines: Called with the events as they are digested; see
            `ingenium.runtime.replay.OnLines`. Not called without ``digest``.

    Raises:
        BacktestError: The app cannot be backtested, a component raised, or the benchmark has no
            bars; ``partial`` contains the result so far.
        ConfigError: A time has no zone, the end is before the start, or ``stressed`` is set and the
            app does not use the paper exchange.
        DataFileError: The history cannot be read.
    """
    return _wait_for(
        run_async(
            app,
            start=start,
            end=end,
            benchmark=benchmark,
            timezone=timezone,
            figures_from=figures_from,
            stressed=stressed,
            risk=risk,
            digest=digest,
            on_step=on_step,
            on_app=on_app,
            on_line=on_line,
            on_lines=on_lines,
        )
    )


async def run_async(
    app: Source,
    *,
    start: date | None = None,
    end: date | None = None,
    benchmark: str | None = None,
    timezone: str | None = None,
    figures_from: datetime | None = None,
    stressed: bool = False,
    risk: bool = True,
    digest: bool = True,
    on_step: OnStep | None = None,
    on_app: OnApp | None = None,
    on_line: OnLine | None = None,
    on_lines: OnLines | None = None,
) -> BacktestResult:
    """Run an app within an event loop; see `run`."""
    for name, time in (("start", start), ("end", end), ("figures_from", figures_from)):
        if isinstance(time, datetime) and time.tzinfo is None:
            raise ConfigError(f"{name} {time} has no zone: pass an aware datetime, such as in UTC")
    zone = None if timezone is None else _zone(timezone)
    asked = _RunOptions(
        app, start, end, benchmark, zone, figures_from, stressed, digest, on_app, on_line, risk,
        on_lines,
    )  # fmt: skip
    return await _run(asked, on_step)


def _zone(name: str) -> tzinfo:
    if name.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(
            f"timezone {name!r} is not known: pass a name of the IANA list, such as "
            "'America/New_York' or 'UTC'"
        ) from error


def _zone_of(app: App) -> tzinfo:
    """Return the time zone of the ingestors' days; UTC if they have several."""
    zones = [getattr(ingestor, "zone", UTC) for ingestor in app.ingestors]
    first = zones[0]
    if isinstance(first, tzinfo) and all(str(zone) == str(first) for zone in zones):
        return first
    return UTC


def _instant(time: date | None, zone: tzinfo, days: int) -> datetime | None:
    """Return a requested instant, or for a date the midnight ``days`` days after its start."""
    if time is None or isinstance(time, datetime):
        return time
    return datetime.combine(time + timedelta(days=days), datetime.min.time(), zone).astimezone(UTC)


def _wait_for(coroutine: Coroutine[object, object, _ResultT]) -> _ResultT:
    """Run a coroutine to its end, even if an event loop is running, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


@dataclass(frozen=True, slots=True)
class _RunOptions:
    """The options of `run`."""

    source: Source
    start: date | None
    end: date | None
    benchmark: str | None
    zone: tzinfo | None
    figures_from: datetime | None
    stressed: bool
    digest: bool
    on_app: OnApp | None = None
    on_line: OnLine | None = None
    risk: bool = True
    on_lines: OnLines | None = None

    def make_app(self) -> App:
        app = self.source
        if isinstance(app, str):
            app = load_app(app)
        elif not isinstance(app, App):
            app = app()
        if self.on_app is not None:
            self.on_app(app)
        if self.stressed and not stress_exchange(app):
            raise ConfigError(
                "the app has no PaperExecutor to stress: run it without the stress test"
            )
        return app


@dataclass(frozen=True, slots=True)
class _RunTotals:
    """Totals up to some step."""

    commissions: Decimal
    traded_value: Decimal
    notes: FillCounters
    trades: int
    rejected_orders: int

    def since(self, before: _RunTotals) -> _RunTotals:
        """Return the totals since an earlier step."""
        counts = {
            name: count - getattr(before.notes, name)
            for name, count in asdict(self.notes).items()
            if isinstance(count, int)
        }
        return _RunTotals(
            self.commissions - before.commissions,
            self.traded_value - before.traded_value,
            replace(self.notes, **counts),
            self.trades - before.trades,
            self.rejected_orders - before.rejected_orders,
        )


class _Backtest:
    def __init__(self, asked: _RunOptions, on_step: OnStep | None) -> None:
        self._asked = asked
        self._app = asked.make_app()
        self._limits: Limits = "on" if self._app.limits_history else "none"
        if self._limits == "on" and not asked.risk:
            self._app.limits_history, self._limits = False, "off"
        zone = _zone_of(self._app) if asked.zone is None else asked.zone
        self._start, self._end = _instant(asked.start, zone, 0), _instant(asked.end, zone, 1)
        if self._start is not None and self._end is not None and self._end < self._start:
            end, start = (as_asked(each) for each in (asked.end, asked.start))
            raise ConfigError(f"end {end} is before start {start}: swap them")
        self._curve = EquityCurve(0.0, asked.benchmark, zone)
        self._before: _RunTotals | None = None
        self._replay = self._make_replay(on_step)
        if asked.on_lines is not None:
            self._replay.log.copy_lines(asked.on_lines)
        self._curve.starting_equity = float(self._replay.log.account.starting_cash)

    def _make_replay(self, on_step: OnStep | None) -> Replay | BusReplay:
        """Return the replay of the app: over a server if a component is an external program."""
        asked, checkpoint = self._asked, None
        if asked.figures_from is not None:
            checkpoint = (asked.figures_from, self._keep_totals)
        if any(isinstance(component, External) for component in self._app.components):
            return BusReplay(
                self._app,
                on_step=on_step,
                curve=self._curve,
                start=self._start,
                end=self._end,
                checkpoint=checkpoint,
                digest=asked.digest,
                on_line=asked.on_line or (lambda _name, _line: None),
            )
        return Replay(
            self._app,
            on_step=on_step,
            curve=self._curve,
            start=self._start,
            end=self._end,
            checkpoint=checkpoint,
            digest=asked.digest,
        )

    def _keep_totals(self) -> None:
        self._before = self._count()

    def _count(self) -> _RunTotals:
        log, executor = self._replay.log, self._app.executor
        notes = executor.exchange.notes if isinstance(executor, PaperExecutor) else FillCounters()
        return _RunTotals(
            log.account.commissions,
            log.traded_value,
            replace(notes),
            len(log.account.trades),
            log.outcomes.rejected.count,
        )

    async def run(self) -> BacktestResult:
        try:
            await self._replay.run()
        except ComponentError as error:
            raise BacktestError(str(error), self._result(failure=str(error))) from error
        result = self._result()
        symbols = self._curve.prices.tracks
        if symbols and self._asked.benchmark not in {None, *symbols}:
            known = ", ".join(sorted(symbols)[:_LISTED]) + ", ..." * (len(symbols) > _LISTED)
            raise BacktestError(
                f"benchmark {self._asked.benchmark!r} has no bars: use one of {known}", result
            )
        return result

    def _result(self, failure: str = "") -> BacktestResult:
        log, asked = self._replay.log, self._asked
        replay = self._replay.result(complete=not failure)
        totals, policy = self._count(), ""
        rules, has_slippage = None, False
        executor = self._app.executor
        if isinstance(executor, PaperExecutor):
            exchange = executor.exchange
            rules, has_slippage = exchange.policy, not isinstance(exchange.slippage, NoSlippage)
            policy = rules.name
            if has_slippage:
                policy = f"{policy}, slippage {describe(exchange.slippage)}"
        curve, trades = self._curve, replay.trades
        if asked.figures_from is not None:
            curve = curve.since(asked.figures_from)
            totals = totals.since(totals if self._before is None else self._before)
            trades = trades[len(trades) - totals.trades :]
        stats = summarize(
            curve,
            trades,
            totals.notes,
            float(totals.commissions),
            float(totals.traded_value),
            rejected_orders=totals.rejected_orders,
        )
        own = backtest_problems(
            log,
            self._curve,
            totals.notes,
            start=asked.start,
            end=asked.end,
            first=self._replay.next_time(),
        )
        said = own if own and not log.data else [*replay.problems, *own]
        said += [f"not exact: {reason}" for reason in replay.inexact]
        if self._limits == "off":
            said.append(
                "the risk limits of the app were off, as asked: on live data they may deny orders "
                "that were worked here"
            )
        can_run_again = not isinstance(asked.source, App) and not asked.stressed and not failure
        return BacktestResult(
            stats,
            curve,
            replay,
            policy,
            totals.notes,
            make_manifest(
                self._app, asked.source, self._start, self._end, asked.figures_from, curve.zone
            ),
            failure,
            partial(_again, replace(asked, stressed=True, on_lines=None))
            if policy and can_run_again
            else None,
            problems=tuple(said),
            limits=self._limits,
            fill_policy=rules,
            has_slippage=has_slippage,
        )


async def _run(asked: _RunOptions, on_step: OnStep | None) -> BacktestResult:
    return await _Backtest(asked, on_step).run()


def _again(asked: _RunOptions, on_step: OnStep | None) -> BacktestResult:
    try:
        return _wait_for(_run(asked, on_step))
    except BacktestError as error:
        # The stressed run accompanies a result that must not be lost if the stressed run fails.
        if not isinstance(error.partial, BacktestResult):
            raise
        return error.partial
