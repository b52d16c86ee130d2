"""Backtests: an app in, a result out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TypeVar

from ingenium.backtest.curve import EquityCurve
from ingenium.backtest.engine import Replay
from ingenium.backtest.harsher import make_harsher
from ingenium.backtest.manifest import describe, make_manifest
from ingenium.backtest.problems import backtest_problems
from ingenium.backtest.result import BacktestResult
from ingenium.backtest.summary import summarize
from ingenium.brokers import PaperExecutor
from ingenium.components import App, load_app
from ingenium.errors import BacktestError, ComponentError, ConfigError
from ingenium.exchange import ExchangeNotes, NoSlippage
from ingenium.lockstep import OnStep

__all__ = ["run", "run_async"]

_LISTED = 10

Source = App | Callable[[], App] | str
_ResultT = TypeVar("_ResultT")


def run(
    app: Source,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    benchmark: str | None = None,
    harsher: bool = False,
    digest: bool = True,
    on_step: OnStep | None = None,
) -> BacktestResult:
    """Run an app over its history, and return what came out.

    Args:
        app: The app, a function that makes it, or what names it on a command line. Components
            keep what they have learned, so one app object is good for one run.
        start: What comes before this is a warm-up: strategies see the bars, but their signals are
            dropped. Aware.
        end: The last instant. Aware.
        benchmark: Symbol to hold for comparison; the first one in the data when left out.
        harsher: Whether the app's paper exchange is to be harsher than the app asks for; see
            `ingenium.backtest.HARSHER`.
        digest: Whether to digest every event, by which equal runs are known; it takes half of the
            time of a fast run.
        on_step: Called after each step with its number, its time, the bars so far, and how many
            there will be, if that is known.

    Raises:
        BacktestError: The app cannot be backtested, a component raised, or the benchmark has no
            bars; ``partial`` holds what came out.
        ConfigError: A time has no zone, the end is before the start, or the harsher exchange is
            asked for and the app has none of ours.
        DataFileError: The history cannot be read.
    """
    return _wait_for(
        run_async(
            app,
            start=start,
            end=end,
            benchmark=benchmark,
            harsher=harsher,
            digest=digest,
            on_step=on_step,
        )
    )


async def run_async(
    app: Source,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    benchmark: str | None = None,
    harsher: bool = False,
    digest: bool = True,
    on_step: OnStep | None = None,
) -> BacktestResult:
    """Do as `run`, within an event loop."""
    for name, time in (("start", start), ("end", end)):
        if time is not None and time.tzinfo is None:
            raise ConfigError(f"{name} {time} has no zone: pass an aware datetime, such as in UTC")
    if start is not None and end is not None and end < start:
        raise ConfigError(f"end {end} is before start {start}: swap them")
    return await _run(_Asked(app, start, end, benchmark, harsher, digest), on_step)


def _wait_for(coroutine: Coroutine[object, object, _ResultT]) -> _ResultT:
    """Run a coroutine to its end, also where an event loop is running, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


@dataclass(frozen=True, slots=True)
class _Asked:
    """What `run` was asked for."""

    source: Source
    start: datetime | None
    end: datetime | None
    benchmark: str | None
    harsher: bool
    digest: bool

    def make_app(self) -> App:
        app = self.source
        if isinstance(app, str):
            app = load_app(app)
        elif not isinstance(app, App):
            app = app()
        if self.harsher and not make_harsher(app):
            raise ConfigError(
                "the app has no PaperExecutor, whose exchange could be harsher: run it as it is"
            )
        return app


class _Backtest:
    def __init__(self, asked: _Asked, on_step: OnStep | None) -> None:
        self._asked = asked
        self._app = asked.make_app()
        self._curve = EquityCurve(0.0, asked.benchmark)
        self._replay = Replay(
            self._app,
            on_step=on_step,
            curve=self._curve,
            start=asked.start,
            end=asked.end,
            digest=asked.digest,
        )
        self._curve.starting_equity = float(self._replay.log.account.starting_cash)

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
        notes, policy = ExchangeNotes(), ""
        executor = self._app.executor
        if isinstance(executor, PaperExecutor):
            exchange = executor.exchange
            notes, policy = exchange.notes, exchange.policy.name
            if not isinstance(exchange.slippage, NoSlippage):
                policy = f"{policy}, slippage {describe(exchange.slippage)}"
        stats = summarize(
            self._curve,
            replay.account,
            replay.trades,
            notes,
            float(log.traded_value),
            rejected_orders=replay.rejected_orders,
        )
        own = backtest_problems(
            log,
            self._curve,
            notes,
            start=asked.start,
            end=asked.end,
            first=self._replay.next_time(),
        )
        said = own if own and not log.data else [*replay.problems, *own]
        can_run_again = not isinstance(asked.source, App) and not asked.harsher and not failure
        return BacktestResult(
            stats,
            self._curve,
            replay,
            policy,
            notes,
            make_manifest(self._app, asked.source, asked.start, asked.end),
            failure,
            partial(_again, replace(asked, harsher=True)) if policy and can_run_again else None,
            problems=tuple(said),
        )


async def _run(asked: _Asked, on_step: OnStep | None) -> BacktestResult:
    return await _Backtest(asked, on_step).run()


def _again(asked: _Asked, on_step: OnStep | None) -> BacktestResult:
    try:
        return _wait_for(_run(asked, on_step))
    except BacktestError as error:
        # It stands beside a result of its own, which is not to be lost with it.
        if not isinstance(error.partial, BacktestResult):
            raise
        return error.partial
