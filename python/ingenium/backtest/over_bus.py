"""Backtest an app with components in other languages, over an embedded server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from ingenium.backtest.equity_curve import EquityCurve
from ingenium.components import App, External, Portfolio
from ingenium.components.component import ran_already
from ingenium.components.handle_of import handle_of
from ingenium.config import Settings
from ingenium.errors import BacktestError, ComponentError, DeployError, LockstepError
from ingenium.events import DataEvent
from ingenium.runtime.replay import EventLog, OnStep, ReplayResult, Step, Window

__all__ = ["BusReplay"]

OnLine = Callable[[str, str], None]


class BusReplay:
    """Replays an app with external programs; the counterpart of `ingenium.backtest.engine.Replay`.

    Programs and Python components run in lockstep over an embedded server; the events equal those
    of the same app written entirely in Python.

    Args:
        app: App whose ingestors read history, and whose programs have commands.
        on_step: Called after each step.
        curve: Records the account's equity after each step.
        start: Signals of earlier instants are dropped, and the curve begins here.
        end: The last instant to run.
        checkpoint: A time, and a function called once before the first step from that time on.
        digest: Whether to digest the events.
        on_line: Called with the name of a program and each line of its output.

    Raises:
        BacktestError: The app has live components, ones that have run already, or programs that
            cannot be backtested.
    """

    def __init__(
        self,
        app: App,
        *,
        on_step: OnStep | None,
        curve: EquityCurve,
        start: datetime | None,
        end: datetime | None,
        checkpoint: tuple[datetime, Callable[[], None]] | None,
        digest: bool,
        on_line: OnLine,
    ) -> None:
        _check(app, start)
        self._app = app
        self._on_step = on_step
        self._on_line = on_line
        self._curve = curve
        self._window = Window()
        if start is not None:
            self._window.start = start
        if end is not None:
            self._window.end = end
        portfolio = app.portfolio
        cash = portfolio.account.cash if isinstance(portfolio, Portfolio) else Decimal(0)
        self.log: EventLog = _Log(cash, curve, self._window, checkpoint, digest=digest)
        self._inexact: tuple[str, ...] = ()

    async def run(self) -> ReplayResult:
        """Run to the end of history, and return the result.

        Raises:
            ComponentError: A component failed; `log` holds what happened before.
            IngeniumError: A program or the server cannot be started.
        """
        from ingenium.deploy.local.private_replay import run_history

        try:
            result = await run_history(
                self._app,
                Settings.from_environment(),
                self.log,
                self._window,
                on_step=self._on_step,
                on_line=self._on_line,
            )
        except (DeployError, LockstepError) as error:
            raise ComponentError(str(error)) from error
        self._inexact = result.inexact
        return self.result(complete=True)

    def result(self, *, complete: bool) -> ReplayResult:
        """Return the result so far.

        Args:
            complete: Whether the end of history was reached.
        """
        here = [each for each in self._app.components if not isinstance(each, External)]
        bars = {symbol: track.bars for symbol, track in self._curve.prices.tracks.items()}
        result = self.log.result(complete=complete, app=self._app, here=here, bars_of=bars)
        return replace(result, inexact=self._inexact)

    def next_time(self) -> datetime | None:
        """Return the first instant after the end; ``None`` if all of history was run."""
        return self._window.next_time


class _Log(EventLog):
    """Collects the events of a replay, and the equity after each step."""

    def __init__(
        self,
        cash: Decimal,
        curve: EquityCurve,
        window: Window,
        checkpoint: tuple[datetime, Callable[[], None]] | None,
        *,
        digest: bool,
    ) -> None:
        super().__init__(cash, digest=digest)
        self._curve = curve
        self._window = window
        self._checkpoint = checkpoint
        self._data: list[DataEvent] = []

    def add(self, step: Step) -> None:
        if self._checkpoint is not None and step.time >= self._checkpoint[0]:
            _, reached = self._checkpoint
            self._checkpoint = None
            reached()
        if step.time < self._window.start:
            self._count_signals(step.signals)
            step = replace(step, signals=())
        self._data = []
        super().add(step)
        if step.time >= self._window.start:
            self._curve.record(step.time, self.account, self._data)

    def _mark(self, event: DataEvent) -> None:
        super()._mark(event)
        self._data.append(event)


def _check(app: App, start: datetime | None) -> None:
    """Refuse an app that cannot be backtested."""
    for component in app.components:
        if handle_of(component).has_run:
            raise BacktestError(
                f"{ran_already(component)}: make a new App with new components for each run, or "
                "pass a function that makes it"
            )
        if isinstance(component, External) and component.command is None:
            raise BacktestError(
                f"{component} is an external program without a command: pass its command to "
                "External, so that the backtest can start it"
            )
    if not app.historical:
        raise BacktestError("app has live ingestors: use historical ingestors, such as CsvIngestor")
    if start is not None and isinstance(app.portfolio, External):
        raise BacktestError(
            f"portfolio {app.portfolio.name!r} is an external program, which cannot wait for the "
            "end of a warm-up: omit start"
        )
