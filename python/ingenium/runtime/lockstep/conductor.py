"""Conducts a lockstep replay over the bus.

A step is one instant of simulated time. The next one begins when all effects of this one have been
handled: components report counts of handled and sent messages, and the conductor, which sees every
message itself, compares. A program that reports nothing gets a settle time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from ingenium._gen.ingenium.v1 import LockstepGrant, LockstepReport
from ingenium.bus.base import Bus, Incident, Message, Subscription
from ingenium.components import App, Component, External
from ingenium.errors import BusError, ComponentError, DecodeError, LockstepError
from ingenium.events import (
    DataEvent,
    Event,
    ExecutionEvent,
    OrderEvent,
    SignalEvent,
    decode,
    encode,
)
from ingenium.runtime.handler_limit import REPLAY_LIMIT, HandlerLimit, handler_place
from ingenium.runtime.lockstep.gate_notices import GateNotices
from ingenium.runtime.lockstep.reports import Reports
from ingenium.runtime.lockstep.settle_timer import SettleTimer
from ingenium.runtime.lockstep.step_counts import StepCounts
from ingenium.runtime.replay.event_log import EventLog, OnStep, Step
from ingenium.runtime.replay.feed import next_turn
from ingenium.runtime.replay.signal_order import SignalOrder
from ingenium.runtime.replay.window import Window
from ingenium.subjects.names import ALL_EVENTS, event_type_of, grant_subject, report_subject

__all__ = ["Conductor"]

# Time for a component that is too slow to report so itself, with the line of its handler.
_GRACE_SECONDS = 2.0
# Programs may take this long to start on a busy machine.
_READY_SECONDS = 30.0
_BLOCKED_SECONDS = 0.1


class Conductor:
    """Runs one replay over the bus.

    Args:
        bus: The bus of the components.
        app: The components that take part.
        log: Receives the events, step by step.
        on_step: Called after each step.
        stall_seconds: How long nothing may happen before the replay is aborted; a little more than
            the limit of a handler when left out.
        limit: Time limit of a handler.
        window: The part of history to run; all of it when left out.
    """

    def __init__(
        self,
        bus: Bus,
        app: App,
        log: EventLog,
        *,
        on_step: OnStep | None = None,
        stall_seconds: float | None = None,
        limit: HandlerLimit = REPLAY_LIMIT,
        window: Window | None = None,
    ) -> None:
        self._bus = bus
        self._app = app
        self._log = log
        self._on_step = on_step or (lambda *_: None)
        self._limit = limit
        self._window = window or Window()
        self._stall_seconds = stall_seconds or limit.seconds + _GRACE_SECONDS
        self._changed = asyncio.Event()
        self._timer: asyncio.TimerHandle
        self._problem: Exception | None = None
        self._stop_asked = False
        self._ending: list[Callable[[], None]] = []
        self._reports = Reports(app)
        self._arrived = StepCounts()
        self._notices = GateNotices(app, self._reports)
        log.outcomes.denied.is_gated = app.limits_history
        self._signal_order = SignalOrder(app)
        self._step = 0
        self._orders_settled = 0
        self._portfolio_settled = (0, 0)
        self._subscriptions: list[Subscription] = []
        self._members: list[Component] = [
            c for c in app.components if not isinstance(c, External) or c.reports
        ]
        self._silent = SettleTimer(app)

    async def start(self) -> None:
        """Subscribe; components may be started before or after this."""
        self._bus.on_incident(self._on_incident)
        for subject, receive in (
            (report_subject(self._app.name), self._on_report),
            (ALL_EVENTS, self._on_event),
        ):
            self._subscriptions.append(await self._bus.subscribe(subject, receive))
        await self._bus.flush()

    async def wait_ready(self, timeout_seconds: float | None = None) -> None:
        """Wait until every component that reports is ready.

        Raises:
            LockstepError: Some are not ready; the text names them.
            ComponentError: A component reported that it cannot continue.
        """
        # A component that was there before this subscription answers the question.
        await self._grant(LockstepGrant(step=0))

        def missing() -> list[str]:
            return [c.name for c in self._members if c.name not in self._reports]

        await self._until(
            lambda: self._stop_asked or not missing(),
            lambda: f"not ready: {', '.join(missing())}: check that they run and use this server",
            timeout_seconds or max(_READY_SECONDS, self._stall_seconds),
        )

    def ask_to_stop(self) -> None:
        """End after the step that is under way."""
        self._stop_asked = True
        self._changed.set()

    def on_end(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` right before the end of the replay is sent to the components."""
        self._ending.append(callback)

    def check(self) -> bool:
        """Return whether to continue: no stop has been requested.

        Raises:
            IngeniumError: The replay has failed.
        """
        self._raise_problem()
        return not self._stop_asked

    def fail(self, error: Exception) -> None:
        """Abort the replay with an error that only the caller can see."""
        self._problem = self._problem or error
        self._changed.set()

    async def run(self) -> bool:
        """Replay all of history.

        Returns:
            Whether the end was reached; ``False`` after `ask_to_stop`.

        Raises:
            LockstepError: Nothing happened for too long, or messages may have been lost.
            ComponentError: A component failed.
        """
        try:
            while not self._stop_asked and (time := self._reports.next_time()) is not None:
                if time > self._window.end:
                    self._window.next_time = time
                    break
                await self._one_step(time)
        finally:
            for callback in self._ending:
                callback()
            # A lost connection is reported by the run itself.
            with suppress(BusError):
                await self._grant(LockstepGrant(end=True))
                await self._bus.flush()
        return not self._stop_asked

    @property
    def inexact(self) -> tuple[str, ...]:
        """Reasons why another run may have another result, one line each."""
        return self._silent.inexact()

    async def stop(self) -> None:
        """End the subscriptions."""
        subscriptions, self._subscriptions = self._subscriptions, []
        for subscription in subscriptions:
            await subscription.stop()

    # One step.

    async def _one_step(self, time: datetime) -> None:
        self._step += 1
        self._silent.begin()
        await self._feed_instant(time)
        await self._wait_handled()
        await self._end_instant(time)
        await self._work_orders(time)
        self._close(time)
        self._on_step(
            self._step,
            time,
            self._arrived.total(DataEvent),
            self._reports.total(),
        )

    async def _feed_instant(self, time: datetime) -> None:
        """Have the ingestors send all data of an instant, one at a time, merged by symbol."""
        ingestors = self._app.ingestors
        while True:
            heads = [head if head and head.time == time else None for head in self._reports.heads()]
            if not any(heads):
                break
            turn = next_turn(heads)
            await self._let_send(ingestors[turn.feed].name, time, turn.until_symbol)
        for head in self._reports.heads():
            if head is not None and head.time < time:
                raise ComponentError(
                    f"an ingestor sent {head.time.isoformat()} after {time.isoformat()}: sort "
                    "history by time"
                )
        await self._until_sent("data", DataEvent)

    async def _until_sent(self, what: str, kind: type[Event]) -> None:
        """Wait until all sent events of a kind have arrived here."""
        await self._until(
            lambda: self._arrived.total(kind) >= self._reports.sent(what),
            lambda: f"{self._arrived.total(kind)} of {self._reports.sent(what)} {what} arrived",
        )

    async def _let_send(self, name: str, time: datetime, until_symbol: str) -> None:
        sent = self._reports[name].data_sent
        await self._grant(
            LockstepGrant(
                step=self._step,
                time=time,
                component=name,
                until_time=time,
                until_symbol=until_symbol,
            )
        )
        await self._until(
            lambda: self._reports[name].data_sent > sent,
            lambda: f"ingestor {name!r} sends nothing",
        )

    async def _wait_handled(self) -> None:
        """Wait until strategies and the executor have handled the instant's data."""
        waiting = [
            component
            for component in (*self._app.strategies, self._app.executor)
            if component is not None and component not in self._silent
        ]

        def behind() -> list[Component]:
            return [
                c for c in waiting if self._reports[c.name].data_handled < self._arrived.data_for(c)
            ]

        def what() -> str:
            return "; ".join(
                f"{c} handled {self._reports[c.name].data_handled} of "
                f"{self._arrived.data_for(c)} data events, in {handler_place(c, DataEvent)}"
                for c in behind()
            )

        await self._until(lambda: not behind(), what)
        if any(
            self._arrived.has_data_for(c) for c in self._silent.components if c.role == "strategy"
        ):
            await self._settle()
        await self._until_sent("signals", SignalEvent)

    async def _end_instant(self, time: datetime) -> None:
        """Notify an executor that asks for it that all data of the instant has arrived."""
        executor = self._app.executor
        name = "" if executor is None or executor in self._silent else executor.name
        if executor is None or not name or not self._reports[name].holding:
            return
        data = self._arrived.data_for(executor)
        await self._grant(LockstepGrant(step=self._step, time=time, component=name, data=data))
        await self._until(
            lambda: not self._reports[name].holding,
            lambda: f"executor {name!r} did not end the instant",
        )

    async def _work_orders(self, time: datetime) -> None:
        """Grant work to portfolio and executor until neither has any left."""
        portfolio, executor = self._app.portfolio, self._app.executor
        if portfolio is None or executor is None:
            return
        while True:
            executions = self._executions_so_far(executor)
            signals = self._arrived.total(SignalEvent)
            controls = self._notices.controls_between(executor, portfolio)
            grant = LockstepGrant(
                step=self._step,
                time=time,
                component=portfolio.name,
                data=self._arrived.total(DataEvent),
                executions=executions,
                signals=signals,
                controls=controls,
            )
            await self._let_order(portfolio, grant)
            await self._let_execute(executor, self._orders_so_far(portfolio))
            await self._let_hear(executor, portfolio, time)
            if (
                self._executions_so_far(executor) == executions
                and self._arrived.total(SignalEvent) == signals
                and self._notices.controls_between(executor, portfolio) == controls
            ):
                await self._until(lambda: not self._notices.missing(), self._notices.missing)
                return

    async def _let_order(self, portfolio: Component, grant: LockstepGrant) -> None:
        if portfolio in self._silent:
            heard = (grant.signals, grant.executions)
            if heard != self._portfolio_settled:
                await self._settle()
                self._portfolio_settled = heard
            return
        await self._grant(grant)
        await self._until(
            lambda: has_handled(self._reports[portfolio.name], grant),
            lambda: (
                f"portfolio {portfolio.name!r} did not handle the granted events, in "
                f"{handler_place(portfolio, SignalEvent)}"
            ),
        )

    async def _let_execute(self, executor: Component, orders: int) -> None:
        """Wait until the executor has handled all orders, and its executions have arrived."""
        if executor in self._silent:
            if orders > self._orders_settled:
                await self._settle()
                self._orders_settled = orders
        else:
            await self._until(
                lambda: self._reports[executor.name].orders_handled >= orders,
                lambda: (
                    f"executor {executor.name!r} handled "
                    f"{self._reports[executor.name].orders_handled} of {orders} orders, in "
                    f"{handler_place(executor, OrderEvent)}"
                ),
            )
        await self._until(
            lambda: (
                self._arrived.total(OrderEvent) >= orders
                and self._arrived.total(ExecutionEvent) >= self._executions_so_far(executor)
            ),
            lambda: "orders or executions did not arrive here",
        )

    async def _let_hear(self, executor: Component, portfolio: Component, time: datetime) -> None:
        """Have the executor handle the control events of the portfolio, and await the effects."""
        controls = self._notices.controls_between(portfolio, executor)
        if controls is None or self._notices.has_handled(executor, controls):
            return
        name = executor.name
        await self._grant(
            LockstepGrant(step=self._step, time=time, component=name, controls=controls)
        )
        await self._until(
            lambda: self._notices.has_handled(executor, controls),
            lambda: f"executor {name!r} did not handle a restriction of trading",
        )
        await self._until_sent("executions", ExecutionEvent)

    def _orders_so_far(self, portfolio: Component) -> int:
        if portfolio in self._silent:
            return self._arrived.total(OrderEvent)
        return self._reports[portfolio.name].orders_sent

    def _executions_so_far(self, executor: Component) -> int:
        if executor in self._silent:
            return self._arrived.total(ExecutionEvent)
        return self._reports[executor.name].executions_sent

    async def _settle(self) -> None:
        await self._silent.settle(lambda: self._arrived.all)
        self._raise_problem()

    def _close(self, time: datetime) -> None:
        data, signals, orders, executions = self._arrived.take_step()
        signals = self._signal_order.sort(signals)
        notices = self._notices.take_step()
        self._log.add(Step(time, data, signals, orders, executions, notices))

    # Arrivals.

    def _on_event(self, message: Message) -> None:
        kind = event_type_of(message.subject)
        if kind is None:
            return
        if self._notices.add(kind, message):
            self._changed.set()
            return
        if not self._arrived.add(kind, message):
            self._log.add_dead_letter(message)
            return
        if kind is SignalEvent:
            self._check_late(message)
        self._silent.note_answer(kind)
        self._changed.set()

    def _check_late(self, message: Message) -> None:
        try:
            self._silent.check(message)
        except LockstepError as error:
            self.fail(error)

    def _on_report(self, message: Message) -> None:
        try:
            report = decode(LockstepReport, message.payload)
        except DecodeError as error:
            self.fail(LockstepError(f"a component's report cannot be read: {error}"))
            return
        self._reports[report.component] = report
        if report.error:
            self.fail(ComponentError(report.error))
        self._changed.set()

    def _on_incident(self, incident: Incident) -> None:
        if incident.kind.loses_messages:
            self.fail(
                LockstepError(
                    f"the connection to {self._bus.url} failed at step {self._step} "
                    f"({incident.detail}), so messages may be missing: run the replay again"
                )
            )

    # Waiting.

    async def _grant(self, grant: LockstepGrant) -> None:
        await self._bus.publish(grant_subject(self._app.name), encode(grant))

    def _raise_problem(self) -> None:
        if self._problem is not None:
            raise self._problem

    async def _until(
        self,
        done: Callable[[], bool],
        what: Callable[[], str],
        timeout_seconds: float | None = None,
    ) -> None:
        """Wait until ``done``; raise when nothing at all happens for too long."""
        limit = self._stall_seconds if timeout_seconds is None else timeout_seconds
        while True:
            self._raise_problem()
            if done():
                return
            self._changed.clear()
            # wait_for makes a task each time, which would be most of a step's cost.
            self._set_timer(limit, limit, what)
            try:
                await self._changed.wait()
            finally:
                self._timer.cancel()

    def _set_timer(self, seconds: float, limit: float, what: Callable[[], str]) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        self._timer = loop.call_later(seconds, self._on_stall, due, limit, what)

    def _on_stall(self, due: float, limit: float, what: Callable[[], str]) -> None:
        if asyncio.get_running_loop().time() - due > _BLOCKED_SECONDS:
            # A handler has blocked this process: its report is on its way.
            self._set_timer(_GRACE_SECONDS, limit, what)
            return
        text = f"replay stalled at step {self._step}: {what()}; nothing came within {limit:g} s"
        self.fail(LockstepError(f"{text}, and {self._limit}" if self._step else text))


def has_handled(report: LockstepReport, grant: LockstepGrant) -> bool:
    """Return whether a component has handled all messages that it was granted."""
    return (
        report.data_handled >= grant.data
        and report.executions_handled >= grant.executions
        and report.signals_handled >= grant.signals
        and (report.controls_handled or 0) >= (grant.controls or 0)
    )
