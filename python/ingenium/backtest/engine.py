"""Run an app in this process without a server: the same components, the same event order.

This is the replay of `ingenium.runtime.lockstep` without the bus: events that a component sends are
passed directly to the next one. Both use the same ordering rules, and a test compares their
digests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from time import monotonic

from ingenium.backtest.driver import ComponentDriver
from ingenium.backtest.equity_curve import EquityCurve
from ingenium.backtest.fast_loop import FastLoop
from ingenium.components import (
    App,
    Component,
    Executor,
    External,
    Handling,
    Ingestor,
    Middleware,
    Portfolio,
    RunnerKind,
    arm,
)
from ingenium.components.component import ran_already
from ingenium.components.handle import Sent
from ingenium.components.handle_of import handle_of
from ingenium.components.overrides import overrides_of
from ingenium.errors import BacktestError, EventRefusedError
from ingenium.events import (
    ControlEvent,
    DataEvent,
    DenialEvent,
    Event,
    ExecutionEvent,
    OrderEvent,
    SignalEvent,
)
from ingenium.runtime.dispatch import Dispatcher
from ingenium.runtime.replay import EventLog, Feed, Item, OnStep, ReplayResult, merged, next_turn
from ingenium.trading import Bar

__all__ = ["Replay", "replay", "replay_async"]

_EARLIEST = datetime.min.replace(tzinfo=UTC)
_LATEST = datetime.max.replace(tzinfo=UTC)

_TURN_SECONDS = 0.01
"""Time between two yields to the event loop, so that Ctrl+C and other tasks are served."""


def replay(app: App, *, on_step: OnStep | None = None, digest: bool = True) -> ReplayResult:
    """Run an app over its history and return the result; see `replay_async`."""
    return asyncio.run(replay_async(app, on_step=on_step, digest=digest))


async def replay_async(
    app: App, *, on_step: OnStep | None = None, digest: bool = True
) -> ReplayResult:
    """Run an app over its history and return the result.

    Components keep their state, so a second run needs a fresh app.

    Args:
        app: App whose ingestors read history, and whose components all run in this process.
        on_step: Called after each step.
        digest: Whether to digest the events.

    Raises:
        BacktestError: The app has live or foreign components.
        ComponentError: A component raised.
        DataFileError: The history cannot be read.
    """
    return await Replay(app, on_step=on_step, digest=digest).run()


class Replay:
    """One run of an app over its history.

    Args:
        app: App whose ingestors read history, and whose components all run in this process.
        on_step: Called after each step.
        curve: Records the account's equity after each step.
        start: Steps before this are a warm-up: components see the data, but signals are
            dropped, and the curve begins here.
        end: The last instant to run.
        checkpoint: A time, and a function that is called once, before the first step from that
            time on that may book something.
        digest: Whether to digest the events.
        middleware: Called around each handler, outside of that of the app.

    Raises:
        BacktestError: The app has live or foreign components, or ones that have run already.
    """

    def __init__(
        self,
        app: App,
        *,
        on_step: OnStep | None = None,
        curve: EquityCurve | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        checkpoint: tuple[datetime, Callable[[], None]] | None = None,
        digest: bool = True,
        middleware: Sequence[Middleware] = (),
    ) -> None:
        for component in app.components:
            if isinstance(component, External):
                raise BacktestError(
                    f"{component} is an external program, and this function runs only Python "
                    "components: use ingenium backtest or ingenium run"
                )
            if handle_of(component).has_run:
                raise BacktestError(
                    f"{ran_already(component)}: make a new App with new components for each run, "
                    "or pass a function that makes it"
                )
        if not app.historical:
            raise BacktestError(
                "app has live ingestors: use historical ingestors, such as CsvIngestor"
            )
        self._app = app
        if app.limits_history:
            for component in app.components:
                arm(component, app.risk, is_simulated=True)
        self._on_step = on_step
        self._curve = curve
        self._from, self._until = start or _EARLIEST, end or _LATEST
        self._checkpoint = checkpoint
        self._ingestors = [i for i in app.ingestors if isinstance(i, Ingestor)]
        self._feeds = [Feed(ingestor) for ingestor in self._ingestors]
        self._feeding: list[Ingestor] = []
        self._middleware = (*middleware, *app.middleware)
        self._openers = [self._dispatcher(ingestor) for ingestor in self._ingestors]
        self._strategies = [ComponentDriver(self._dispatcher(each)) for each in app.strategies]
        self._portfolio, self._executor = self._part(app.portfolio), self._part(app.executor)
        self._is_gated = any(
            part is not None and part.is_gated for part in (self._portfolio, self._executor)
        )
        # Denials and control events of the current instant: the portfolio's, and the executor's.
        self._notices: tuple[list[Event], list[Event]] = ([], [])
        self._deliver_to_portfolio = _ignore if self._portfolio is None else self._portfolio.deliver
        self._deliver_to_executor = _ignore if self._executor is None else self._executor.deliver
        self._holder = handle_of(app.executor) if isinstance(app.executor, Executor) else None
        if self._holder is not None:
            self._holder.knows_instants = True
        portfolio = app.portfolio
        cash = portfolio.account.cash if isinstance(portfolio, Portfolio) else Decimal(0)
        self.log = EventLog(cash, digest=digest)
        self.log.outcomes.denied.is_gated = self._is_gated
        self._total: int | None = None
        self._gave_way = 0.0

    def _dispatcher(self, component: Component) -> Dispatcher:
        return Dispatcher(
            component, self._middleware, RunnerKind.BACKTEST, on_refusal=self._note_refusal
        )

    def _part(self, component: Component | None) -> ComponentDriver | None:
        return None if component is None else ComponentDriver(self._dispatcher(component))

    def _note_refusal(self, handling: Handling, error: EventRefusedError) -> None:
        self.log.add_refusal(handling.component, handling.event, handling.time, str(error))

    async def run(self) -> ReplayResult:
        """Run to the end of history, and return the result.

        Raises:
            ComponentError: A component raised; `log` holds what happened before.
            DataFileError: The history cannot be read.
        """
        totals = [ingestor.total() for ingestor in self._ingestors]
        self._total = None if None in totals else sum(count or 0 for count in totals)
        for feed in self._feeds:
            await feed.start()
        for component in self._app.components:
            # Apps may share ingestors: each run reads them from the beginning.
            handle_of(component).has_run = not isinstance(component, Ingestor)
        for ingestor, feed in zip(self._ingestors, self._feeds, strict=True):
            self._check_beginning(ingestor, None if feed.head is None else feed.head.time)
        while (time := self.next_time()) is not None and time <= self._until:
            await self.one_step(time, await self._take_instant(time))
            if pause := self.give_way():
                await pause
            if self._may_be_quick():
                quick = self._quick_steps()
                while (pending := quick.run()) is not None:
                    await pending
                    if pause := self.give_way():
                        await pause
                break
        last = self.log.last
        if last is not None:
            for ingestor in self._feeding:
                await self._openers[self._ingestors.index(ingestor)].stop(last)
            for part in (*self._strategies, self._portfolio, self._executor):
                if part is not None and part.started:
                    await part.dispatcher.stop(last)
        return self.result(complete=True)

    def result(self, *, complete: bool) -> ReplayResult:
        """Return the result so far.

        Args:
            complete: Whether the end of history was reached.
        """
        log, curve = self.log, self._curve
        for strategy in self._strategies:
            log.signals_of[strategy.component.name] = strategy.count
        bars = None
        if curve is not None:
            bars = {symbol: track.bars for symbol, track in curve.prices.tracks.items()}
        return log.result(complete=complete, app=self._app, bars_of=bars)

    def _check_beginning(self, ingestor: Ingestor, time: datetime | None) -> None:
        """Refuse an ingestor that continues where its last run ended."""
        before = handle_of(ingestor).first_time
        if before is not None and time != before:
            begins = "gives nothing now" if time is None else f"begins at {time} now"
            raise BacktestError(
                f"ingestor {ingestor.name!r} {begins}, and began at {before} in its last run: let "
                "read() or read_bars() begin from the start each time, or make a new ingestor"
            )
        handle_of(ingestor).first_time = time

    def _may_be_quick(self) -> bool:
        """Return whether the rest can be read without waiting and no ingestor has to start.

        A middleware sees each bar, so no bar can take the fast path then.
        """
        return not self._middleware and all(
            feed.is_plain
            and (feed.head is None or ingestor in self._feeding or not _has_hooks(ingestor))
            for feed, ingestor in zip(self._feeds, self._ingestors, strict=True)
        )

    def _quick_steps(self) -> FastLoop:
        return FastLoop(
            merged(self._feeds),
            self,
            self._strategies,
            self._executor,
            self._portfolio,
            self.log,
            self._curve,
            self._on_step,
            self._total,
            self._from,
            self._until,
        )

    def give_way(self) -> Awaitable[None] | None:
        """Return an awaitable that yields to other tasks; ``None`` while no yield is due."""
        now = monotonic()
        if now - self._gave_way < _TURN_SECONDS:
            return None
        self._gave_way = now
        return asyncio.sleep(0)

    def next_time(self) -> datetime | None:
        """Return the next instant; ``None`` at the end of history."""
        return min((feed.head.time for feed in self._feeds if feed.head is not None), default=None)

    async def _take_instant(self, time: datetime) -> list[Item]:
        feeds = self._feeds
        if len(feeds) == 1:
            return await self._take(0, time, "")
        data: list[Item] = []
        while True:
            heads = [f.head if f.head and f.head.time == time else None for f in feeds]
            if not any(heads):
                return data
            turn = next_turn(heads)
            data += await self._take(turn.feed, time, turn.until_symbol)

    async def _take(self, place: int, time: datetime, until_symbol: str) -> list[Item]:
        ingestor, feed = self._ingestors[place], self._feeds[place]
        if ingestor in self._feeding:
            return await feed.take(until_symbol)
        self._feeding.append(ingestor)
        sent = await self._openers[place].start(time)
        events: list[Item] = [event for event in sent if isinstance(event, DataEvent)]
        return events + await feed.take(until_symbol)

    async def one_step(self, time: datetime, data: Sequence[Item]) -> None:
        """Execute a whole step."""
        if self._checkpoint is not None:
            self._pass_checkpoint(time)
        filled: list[Sent] = []
        asked: list[Sent] = []
        if pending := self._deliver_to_executor(DataEvent, data, time, filled):
            await pending
        if self._holder is not None and self._holder.is_holding and self._executor is not None:
            filled += await self._executor.dispatcher.end_instant()
        controls = self._take_notices(filled, self._notices[1]) if self._is_gated else ()
        if pending := self._deliver_to_portfolio(DataEvent, data, time, asked):
            await pending
        if filled and (pending := self._deliver_to_portfolio(ExecutionEvent, filled, time, asked)):
            await pending
        if controls and (
            pending := self._deliver_to_portfolio(ControlEvent, controls, time, asked)
        ):
            await pending
        await self.go_on(time, data, [], None, 0, asked, filled)

    async def go_on(
        self,
        time: datetime,
        data: Sequence[Item],
        signals: list[Sent],
        pending: Awaitable[None] | None,
        place: int,
        asked: Sequence[Sent] = (),
        filled: Sequence[Sent] = (),
    ) -> None:
        """Finish a step from the strategy at ``place`` on, after awaiting ``pending``."""
        if self._checkpoint is not None:
            self._pass_checkpoint(time)
        if pending is not None:
            await pending
        for strategy in self._strategies[place:]:
            if pending := strategy.deliver(DataEvent, data, time, signals):
                await pending
        if time < self._from:
            signals = []
        if signals or asked or filled or self._notices[1]:
            await self._settle(time, data, signals, [*asked], [*filled])
        else:
            self.log.add_data(time, data)
        self._end_step(time, data)

    def _pass_checkpoint(self, time: datetime) -> None:
        if self._checkpoint is not None and time >= self._checkpoint[0]:
            _, reached = self._checkpoint
            self._checkpoint = None
            reached()

    def _end_step(self, time: datetime, data: Sequence[Item]) -> None:
        log = self.log
        if self._curve is not None and time >= self._from:
            bar = data[0] if len(data) == 1 else None
            if isinstance(bar, Bar):
                self._curve.record_bar(bar, log.account)
            else:
                self._curve.record(time, log.account, data)
        if self._on_step is not None:
            self._on_step(log.steps, time, log.data, self._total)

    async def _settle(
        self,
        time: datetime,
        data: Sequence[Item],
        signals: Sequence[Sent],
        asked: list[Sent],
        executions: list[Sent],
    ) -> None:
        """Deliver the events caused by the data of an instant, until none are left."""
        orders: list[Sent] = []
        if signals and (pending := self._deliver_to_portfolio(SignalEvent, signals, time, asked)):
            await pending
        while asked:
            controls = self._take_notices(asked, self._notices[0]) if self._is_gated else ()
            orders += asked
            reported: list[Sent] = []
            if pending := self._deliver_to_executor(OrderEvent, asked, time, reported):
                await pending
            if controls and (
                pending := self._deliver_to_executor(ControlEvent, controls, time, reported)
            ):
                await pending
            controls = self._take_notices(reported, self._notices[1]) if self._is_gated else ()
            executions += reported
            asked = []
            if pending := self._deliver_to_portfolio(ExecutionEvent, reported, time, asked):
                await pending
            if controls and (
                pending := self._deliver_to_portfolio(ControlEvent, controls, time, asked)
            ):
                await pending
        self.log.add_data(time, data)
        self.log.add_events(signals, orders, executions)
        if self._is_gated:
            of_portfolio, of_executor = self._notices
            self._notices = ([], [])
            self.log.add_notices([*of_portfolio, *of_executor])

    def _take_notices(self, sent: list[Sent], notices: list[Event]) -> Sequence[ControlEvent]:
        """Move denials and control events out of ``sent``; return the control events."""
        found = [each for each in sent if isinstance(each, ControlEvent | DenialEvent)]
        if not found:
            return ()
        sent[:] = [each for each in sent if not isinstance(each, ControlEvent | DenialEvent)]
        notices += found
        return [each for each in found if isinstance(each, ControlEvent)]


def _has_hooks(component: Component) -> bool:
    """Return whether a component overrides the handlers of its start or stop."""
    return bool(overrides_of(component, Component) & {"on_start", "on_stop"})


def _ignore(
    _kind: type[Event], _items: Sequence[Sent | Bar], _time: datetime, _sent: list[Sent]
) -> Awaitable[None] | None:
    """Drop events, where an app has no component for them."""
    return None
