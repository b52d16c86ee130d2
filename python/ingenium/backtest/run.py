"""Backtests: an app in, a result out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from ingenium.backtest.curve import EquityCurve
from ingenium.backtest.engine import Replay
from ingenium.backtest.result import BacktestResult
from ingenium.backtest.summary import summarize
from ingenium.brokers import PaperExecutor
from ingenium.components import App, load_app
from ingenium.errors import BacktestError, ComponentError, ConfigError
from ingenium.exchange import ExchangeNotes, NoSlippage
from ingenium.lockstep import OnStep

__all__ = ["run", "run_async"]


def run(
    app: App | Callable[[], App] | str,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    benchmark: str | None = None,
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
        on_step: Called after each step with its number, its time, the bars so far, and how many
            there will be, if that is known.

    Raises:
        BacktestError: The app cannot be backtested, or a component raised; ``partial`` holds what
            came out until then.
        ConfigError: A time has no zone, or the end is before the start.
        DataFileError: The history cannot be read.
    """
    return asyncio.run(run_async(app, start=start, end=end, benchmark=benchmark, on_step=on_step))


async def run_async(
    app: App | Callable[[], App] | str,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    benchmark: str | None = None,
    on_step: OnStep | None = None,
) -> BacktestResult:
    """Do as `run`, within an event loop."""
    for name, time in (("start", start), ("end", end)):
        if time is not None and time.tzinfo is None:
            raise ConfigError(f"{name} {time} has no zone: pass an aware datetime, such as in UTC")
    if start is not None and end is not None and end < start:
        raise ConfigError(f"end {end} is before start {start}: swap them")
    if isinstance(app, str):
        app = load_app(app)
    elif not isinstance(app, App):
        app = app()
    backtest = _Backtest(app, start, end, benchmark, on_step)
    return await backtest.run()


class _Backtest:
    def __init__(
        self,
        app: App,
        start: datetime | None,
        end: datetime | None,
        benchmark: str | None,
        on_step: OnStep | None,
    ) -> None:
        self._app = app
        self._curve = EquityCurve(0.0, benchmark)
        self._replay = Replay(app, on_step=on_step, curve=self._curve, start=start, end=end)
        self._curve.starting_equity = float(self._replay.log.account.starting_cash)

    async def run(self) -> BacktestResult:
        try:
            await self._replay.run()
        except ComponentError as error:
            raise BacktestError(str(error), self._result(complete=False)) from error
        return self._result(complete=True)

    def _result(self, *, complete: bool) -> BacktestResult:
        log = self._replay.log
        replay = log.result(complete=complete)
        notes, policy = ExchangeNotes(), ""
        executor = self._app.executor
        if isinstance(executor, PaperExecutor):
            exchange = executor.exchange
            notes, policy = exchange.notes, exchange.policy.name
            if not isinstance(exchange.slippage, NoSlippage):
                policy = f"{policy}, slippage {exchange.slippage}"
        stats = summarize(
            self._curve, replay.account, replay.trades, notes, float(log.traded_value)
        )
        return BacktestResult(stats, self._curve, replay, policy, notes)
