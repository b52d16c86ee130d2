"""Runs one component in a replay over the bus."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime

from ingenium._gen.ingenium.v1 import LockstepGrant, LockstepReport
from ingenium.bus.base import Bus, Incident, Message, MessageHandler, Subscription
from ingenium.bus.envelope import dead_letter, pack, source_of, unpack
from ingenium.components import (
    App,
    Component,
    Executor,
    Ingestor,
    Portfolio,
    RunnerKind,
    Strategy,
    arm,
)
from ingenium.components.component import ran_already, role_of
from ingenium.components.handle import event_of
from ingenium.components.handle_of import handle_of
from ingenium.errors import (
    BusError,
    ComponentError,
    ConfigError,
    DecodeError,
    EventRefusedError,
    LockstepError,
)
from ingenium.events import (
    CancelEvent,
    ControlEvent,
    DataEvent,
    DenialEvent,
    Event,
    ExecutionEvent,
    OrderEvent,
    ReplaceEvent,
    SignalEvent,
    decode,
    encode,
)
from ingenium.runtime.dispatch import Dispatcher, handled_types
from ingenium.runtime.handler_limit import REPLAY_LIMIT, HandlerLimit, limited
from ingenium.runtime.replay.feed import Feed, time_of
from ingenium.runtime.replay.signal_order import SignalOrder
from ingenium.runtime.replay.window import Window
from ingenium.runtime.subscriptions import subscriptions_of, wants
from ingenium.subjects.names import event_type_of, grant_subject, report_subject, subject_of
from ingenium.trading import Bar

__all__ = ["ReplayRunner", "make_replay_runner"]

_NAMES: dict[type[Event], str] = {
    DataEvent: "data",
    SignalEvent: "signals",
    OrderEvent: "orders",
    CancelEvent: "orders",
    ReplaceEvent: "orders",
    ExecutionEvent: "executions",
    DenialEvent: "denials",
    ControlEvent: "controls",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def make_replay_runner(
    bus: Bus,
    app: App,
    component: Component,
    limit: HandlerLimit = REPLAY_LIMIT,
    window: Window | None = None,
) -> ReplayRunner:
    """Make the replay runner of ``component``.

    Args:
        bus: The bus of the replay.
        app: The app of the component.
        component: The component to run.
        limit: Time limit of a handler.
        window: The part of history that is run; all of it when left out.

    Raises:
        ConfigError: The component is external, or has run already.
    """
    if handle_of(component).has_run:
        raise ConfigError(f"{ran_already(component)}: make a new App for each run")
    if app.limits_history:
        arm(component, app.risk, is_simulated=True)
    if isinstance(component, Ingestor):
        return _Feeder(bus, app, component, limit)
    if isinstance(component, Portfolio):
        return _Gated(bus, app, component, limit, window or Window())
    if isinstance(component, Executor):
        return _Trader(bus, app, component, limit)
    if isinstance(component, Strategy):
        return _Worker(bus, app, component, limit)
    raise ConfigError(
        f"component {component.name!r} is an external program: start its command instead"
    )


class ReplayRunner(ABC):
    """Runs one component in a replay.

    The runner reports handled and sent messages to the conductor, and handles what it may.
    """

    def __init__(self, bus: Bus, app: App, component: Component, limit: HandlerLimit) -> None:
        self.component = component
        self._limit = limit
        self._bus = bus
        self._app = app
        self._dispatcher = Dispatcher(component, app.middleware, RunnerKind.REPLAY)
        self._handled = handled_types(component)
        self._state = LockstepReport(component=component.name, role=role_of(component))
        self._report_subject = report_subject(app.name)
        self._subscriptions: list[Subscription] = []
        self._wake = asyncio.Event()
        self._grants: deque[LockstepGrant] = deque()
        self._ended = False
        self._lost = ""
        self._started = False
        self._now = _EPOCH
        gated = {app.portfolio, app.executor} - {component, None}
        self._other_gate = next((c.name for c in gated if c is not None), "")
        """Name of the component whose control events this component handles."""

    async def start(self) -> None:
        """Subscribe, and report to the conductor that this component is ready.

        Raises:
            BusError: The bus refuses.
        """
        self._bus.on_incident(self._on_incident)
        subscribe = self._bus.subscribe
        self._subscriptions.append(await subscribe(grant_subject(self._app.name), self._on_grant))
        for subject, event_type in subscriptions_of(self.component):
            self._subscriptions.append(await subscribe(subject, self._receiver(event_type)))
        await self._bus.flush()
        await self._send_report()

    async def run(self) -> None:
        """Take part until the conductor ends the replay.

        Raises:
            ComponentError: A handler raised; the conductor has been notified.
            LockstepError: The connection was lost, so messages may be missing.
        """
        try:
            while not self._ended:
                await self._wake.wait()
                self._wake.clear()
                if self._lost:
                    raise LockstepError(self._lost)
                if await self._work():
                    await self._send_report()
            if self._started:
                await self._dispatcher.stop(self._now)
        except Exception as error:
            await self._tell(error)
            raise

    async def stop(self) -> None:
        """End the subscriptions."""
        subscriptions, self._subscriptions = self._subscriptions, []
        for subscription in subscriptions:
            await subscription.stop()

    @abstractmethod
    async def _work(self) -> bool:
        """Handle messages that may be handled now; return whether there is news to report."""

    @abstractmethod
    def _take_in(self, event_type: type[Event], message: Message) -> None:
        """Queue a message for `_work`."""

    def _receiver(self, event_type: type[Event] | None) -> MessageHandler:
        def receive(message: Message) -> None:
            kind = event_type or event_type_of(message.subject)
            if kind is ControlEvent and source_of(message) != self._other_gate:
                return  # its own, or not of this replay
            if kind in self._handled:
                self._take_in(kind, message)
                self._wake.set()

        return receive

    def _on_grant(self, message: Message) -> None:
        grant = decode(LockstepGrant, message.payload)
        if grant.end:
            self._ended = True
        elif grant.step == 0 or grant.component == self.component.name:
            self._grants.append(grant)
        else:
            return
        self._wake.set()

    def _on_incident(self, incident: Incident) -> None:
        if incident.kind.loses_messages:
            self._lost = (
                f"{self.component} may have missed messages ({incident.detail}), so the replay "
                "would not be valid: run the replay again"
            )
            self._wake.set()

    def _was_roll_call(self) -> bool:
        """Drop the conductor's roll calls, and return whether there was one."""
        asked = bool(self._grants) and self._grants[0].step == 0
        while self._grants and self._grants[0].step == 0:
            self._grants.popleft()
        return asked

    async def _handle(
        self, event_type: type[Event], message: Message, now: datetime | None
    ) -> None:
        """Handle one message and publish its effects; count it, readable or not."""
        name = f"{_NAMES[event_type]}_handled"
        setattr(self._state, name, (getattr(self._state, name) or 0) + 1)
        try:
            event = unpack(event_type, message)
            if now is None:
                now = time_of(event) if isinstance(event, DataEvent) else self._now
        except DecodeError as error:
            await self._dead_letter(message, error)
            return
        if not wants(self.component, event, message):
            return
        await self._begin(now)
        work = self._dispatcher.handle(event, now, "", message)
        try:
            sent = await limited(self.component, event_type, work, self._limit)
        except EventRefusedError as error:
            await self._dead_letter(message, error)
            return
        await self._publish(sent)

    async def _dead_letter(self, message: Message, error: Exception) -> None:
        add_headers = self._dispatcher.add_headers
        await dead_letter(self._bus, self.component.name, message, error, add_headers=add_headers)

    async def _begin(self, now: datetime) -> None:
        self._now = now
        if not self._started:
            self._started = True
            handle_of(self.component).has_run = not isinstance(self.component, Ingestor)
            work = self._dispatcher.start(now)
            await self._publish(await limited(self.component, "on_start", work, self._limit))

    async def _publish(self, events: Sequence[Event]) -> None:
        state = self._state
        for event in events:
            name = f"{_NAMES[type(event)]}_sent"
            payload, headers = pack(event, self.component.name, self._bus.content_type)
            headers = self._dispatcher.add_headers(event, headers)
            await self._bus.publish(subject_of(event), payload, headers)
            setattr(state, name, (getattr(state, name) or 0) + 1)

    async def _send_report(self) -> None:
        await self._bus.publish(self._report_subject, encode(self._state))

    async def _tell(self, error: Exception) -> None:
        self._state.error = str(error)
        try:
            await self._send_report()
            await self._bus.flush()
        except BusError:
            # The bus failed; the caller gets the error itself.
            return


class _Worker(ReplayRunner):
    """A strategy: handles messages as they arrive."""

    def __init__(self, bus: Bus, app: App, component: Component, limit: HandlerLimit) -> None:
        super().__init__(bus, app, component, limit)
        self._inbox: deque[tuple[type[Event], Message]] = deque()

    def _take_in(self, event_type: type[Event], message: Message) -> None:
        self._inbox.append((event_type, message))

    async def _work(self) -> bool:
        worked = self._was_roll_call()
        while self._inbox:
            event_type, message = self._inbox.popleft()
            await self._handle(event_type, message, None)
            worked = True
        return worked


class _Trader(_Worker):
    """An executor: asks for a grant where orders wait for the end of an instant."""

    def __init__(self, bus: Bus, app: App, component: Executor, limit: HandlerLimit) -> None:
        super().__init__(bus, app, component, limit)
        self._executor = component
        self._controls: deque[Message] = deque()
        handle_of(component).knows_instants = True

    def _take_in(self, event_type: type[Event], message: Message) -> None:
        if event_type is ControlEvent:
            self._controls.append(message)
        else:
            super()._take_in(event_type, message)

    async def _work(self) -> bool:
        worked = await super()._work()
        while self._grants and self._state.data_handled >= self._grants[0].data:
            controls = self._grants[0].controls
            if controls is not None:
                missing = controls - (self._state.controls_handled or 0)
                if missing > len(self._controls):
                    break  # granted before it arrived; the arrival wakes us again
                now = self._grants.popleft().time or self._now
                for _ in range(missing):
                    await self._handle(ControlEvent, self._controls.popleft(), now)
                worked = True
                continue
            self._grants.popleft()
            sent = await self._dispatcher.end_instant()
            await self._publish([event_of(each) for each in sent])
            worked = True
        self._state.holding = handle_of(self._executor).is_holding or None
        return worked


class _Gated(ReplayRunner):
    """A portfolio: handles what the conductor grants, executions before signals."""

    def __init__(
        self, bus: Bus, app: App, component: Component, limit: HandlerLimit, window: Window
    ) -> None:
        super().__init__(bus, app, component, limit)
        self._inboxes: dict[type[Event], deque[Message]] = {
            event_type: deque() for event_type in self._handled
        }
        self._signal_order = SignalOrder(app)
        self._start = window.start

    def _take_in(self, event_type: type[Event], message: Message) -> None:
        self._inboxes[event_type].append(message)

    def _missing(self, event_type: type[Event], granted: int) -> int:
        """The number of granted messages that are not handled yet."""
        return granted - int(getattr(self._state, f"{_NAMES[event_type]}_handled") or 0)

    async def _work(self) -> bool:
        worked = self._was_roll_call()
        while self._grants:
            grant = self._grants[0]
            steps: list[tuple[type[Event], int]] = [
                (DataEvent, grant.data),
                (ExecutionEvent, grant.executions),
                (SignalEvent, grant.signals),
            ]
            if grant.controls is not None:
                steps.insert(2, (ControlEvent, grant.controls))
            if any(self._missing(kind, count) > len(self._inboxes[kind]) for kind, count in steps):
                break  # granted before it arrived; the arrival wakes us again
            self._grants.popleft()
            now = grant.time or self._now
            await self._begin(now)
            for kind, count in steps:
                inbox = self._inboxes[kind]
                batch = [inbox.popleft() for _ in range(self._missing(kind, count))]
                if kind is SignalEvent:
                    if now < self._start:
                        self._state.signals_handled += len(batch)
                        continue
                    batch = self._signal_order.sort(batch)
                for message in batch:
                    await self._handle(kind, message, now)
            worked = True
        return worked


class _Feeder(ReplayRunner):
    """An ingestor: gives the events of history that it is granted."""

    def __init__(self, bus: Bus, app: App, component: Ingestor, limit: HandlerLimit) -> None:
        super().__init__(bus, app, component, limit)
        self._feed = Feed(component)
        self._total = component.total

    def _take_in(self, event_type: type[Event], message: Message) -> None:
        raise ComponentError(f"an ingestor does not handle {event_type.__name__}")

    async def start(self) -> None:
        await self._feed.start()
        self._state.total = self._total()
        self._show_head()
        await super().start()

    def _show_head(self) -> None:
        head = self._feed.head
        self._state.next_time = None if head is None else head.time
        self._state.next_symbol = "" if head is None else head.symbol

    async def _work(self) -> bool:
        worked = self._was_roll_call()
        while self._grants:
            grant = self._grants.popleft()
            head = self._feed.head
            if head is not None:
                await self._begin(head.time)
            if head is not None and head.time == grant.until_time:
                items = await self._feed.take(grant.until_symbol)
                await self._publish([i.event if isinstance(i, Bar) else i for i in items])
                self._show_head()
            worked = True
        return worked
