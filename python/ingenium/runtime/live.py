"""Runs one component on live data over a plain bus, at most once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from ingenium.bus.base import Bus, Incident, IncidentKind, Message, MessageHandler, Subscription
from ingenium.bus.envelope import cause_header, dead_letter, pack, unpack
from ingenium.bus.headers import with_headers
from ingenium.clock import Clock, SystemClock
from ingenium.components.blame import text_of
from ingenium.components.component import Component, role_of
from ingenium.components.executor import Executor
from ingenium.components.handle_of import handle_of
from ingenium.components.ingestor import Ingestor
from ingenium.components.ingestor_feed import LiveFeed, OnEnd
from ingenium.components.middleware import Middleware, RunnerKind
from ingenium.errors import BusAwayError, ComponentError, DecodeError, FeedError
from ingenium.events import Event, OrderEvent, ReplaceEvent
from ingenium.runtime.dispatch import Dispatcher, handled_types
from ingenium.runtime.handler_limit import BLOCKED_LIMIT, HandlerLimit
from ingenium.runtime.incidents import incident_of, report_alarms
from ingenium.runtime.loop_watchdog import timed
from ingenium.runtime.progress import Observation, Progress
from ingenium.runtime.subscriptions import note_arrival, subscriptions_of, wants
from ingenium.runtime.warm_up import WarmUp
from ingenium.subjects.names import event_type_of, subject_of

__all__ = ["LiveRunner"]

_log = logging.getLogger("ingenium.components")


class LiveRunner:
    """Runs one component, which handles events as they arrive.

    A handler that raises, or a payload that cannot be read, becomes an incident and a dead
    letter; the component continues.

    Args:
        bus: The bus of the app.
        component: The component to run.
        clock: Tells the time; the machine's when left out.
        limit: Time after which a handler that blocks the process is reported.
        warm_up: Feeds it history before its first live data; none when left out.
        on_end: The action when an ingestor has ended.
        middleware: Called around each handler.

    Attributes:
        progress: Events handled and sent so far.
    """

    def __init__(
        self,
        bus: Bus,
        component: Component,
        clock: Clock | None = None,
        *,
        limit: HandlerLimit = BLOCKED_LIMIT,
        warm_up: WarmUp | None = None,
        on_end: OnEnd = "restart",
        middleware: Sequence[Middleware] = (),
    ) -> None:
        self.progress = Progress()
        self._limit = limit
        self._warm_up = warm_up
        self.component = component
        self._bus = bus
        self._clock = clock or SystemClock()
        self._dispatcher = Dispatcher(component, middleware, RunnerKind.LIVE)
        self._handled = frozenset(handled_types(component))
        self._subscriptions: list[Subscription] = []
        self._sent = asyncio.Event()
        # Each subscription has a task of its own; the component sees one event at a time.
        self._one_at_a_time = asyncio.Lock()
        self._waiting = 0
        self._dropped = 0
        self._feed: LiveFeed | None = None
        if isinstance(component, Ingestor):
            self._feed = LiveFeed(component, bus, lambda: self.progress.sent > 0, on_end)

    async def start(self) -> None:
        """Start the component and subscribe.

        Raises:
            ComponentError: ``on_start`` raised, or a handler in the warm-up.
            BusError: The bus refuses.
            DataFileError: The history of the warm-up cannot be read.
            ConfigError: The history has nothing that the component wants.
        """
        handle_of(self.component).clock = self._clock
        handle_of(self.component).notify = self._sent.set
        report_alarms(self._bus, self.component)
        if isinstance(self.component, Executor):
            handle_of(self.component).remember_orders()
        if handle_of(self.component).max_data_age_seconds is not None:
            _log.warning(
                "%s %r: max_data_age_seconds has no effect without JetStream: enable JetStream "
                "on the server, or leave it out",
                role_of(self.component),
                self.component.name,
            )
        await self._publish(await self._dispatcher.start(self._clock.now()))
        # Events that arrive during a warm-up wait until it is over.
        async with self._one_at_a_time:
            for subject, event_type in subscriptions_of(self.component):
                self._subscriptions.append(
                    await self._bus.subscribe(subject, self._receiver(event_type))
                )
            await self._bus.flush()
            if self._warm_up is not None:
                await self._warm_up.begin()

    async def run(self) -> None:
        """Publish events sent outside of handlers, and ingest, until canceled.

        Returns when an ingestor has ended and its app is to stop with it.

        Raises:
            FeedError: The ingestor raised, and is not started again.
            ComponentError: Events sent outside of handlers cannot be published.
        """
        component = self.component
        tasks = [asyncio.create_task(self._pump())]
        if self._feed is not None:
            tasks.append(asyncio.create_task(self._feed.run()))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                error = task.exception()
                if isinstance(error, FeedError):
                    raise error
                if error is not None:
                    raise ComponentError(f"{component} failed: {text_of(error)}") from error
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._publish(handle_of(component).take())

    async def stop(self) -> None:
        """Handle the events that have arrived, stop the component, and publish its last events."""
        subscriptions, self._subscriptions = self._subscriptions, []
        for subscription in subscriptions:
            await subscription.stop()
        await self._publish(await self._dispatcher.stop(self._clock.now()))

    def lag(self) -> float | None:
        """Return the lag: unknown over a plain bus."""
        return None

    def observe(self) -> Observation:
        """Return the status of the component."""
        problem = "" if self._feed is None else self._feed.problem
        return Observation(self._clock.now(), waiting=self._waiting, problem=problem)

    async def _pump(self) -> None:
        while True:
            await self._sent.wait()
            self._sent.clear()
            async with self._one_at_a_time:
                await self._publish(handle_of(self.component).take())

    def _receiver(self, event_type: type[Event] | None) -> MessageHandler:
        async def receive(message: Message) -> None:
            kind = event_type or event_type_of(message.subject)
            if kind in self._handled:
                self._waiting += 1
                try:
                    async with self._one_at_a_time:
                        await self._receive(kind, message)
                finally:
                    self._waiting -= 1

        return receive

    async def _receive(self, event_type: type[Event], message: Message) -> None:
        component = self.component
        try:
            event = unpack(event_type, message)
            if not wants(component, event, message):
                return
            now = self._clock.now()
            if self._warm_up is not None and self._warm_up.repeats(event, now):
                return
            note_arrival(event, now)
            is_repeated = (
                isinstance(component, Executor)
                and isinstance(event, OrderEvent | ReplaceEvent)
                and handle_of(component).remembers(event.id)
            )
            work = self._dispatcher.handle(event, now, "", message, is_repeated=is_repeated)
            self.progress.begin(event, now)
            try:
                sent = await timed(self._bus, component, work, event_type, self._limit)
            finally:
                self.progress.end()
            await self._publish(sent, event)
            if self._dispatcher.unbooked is not None:
                raise self._dispatcher.unbooked
        except (DecodeError, ComponentError) as error:
            self._bus.report(incident_of(error, message.subject))
            add_headers = self._dispatcher.add_headers
            await dead_letter(
                self._bus, component.name, message, error, self._clock, add_headers=add_headers
            )

    async def _publish(self, events: Sequence[Event], handled: Event | None = None) -> None:
        if not events:
            return
        cause = cause_header(handled)
        for event in events:
            payload, headers = pack(event, self.component.name, self._bus.content_type)
            headers = self._dispatcher.add_headers(event, with_headers(headers, cause))
            try:
                await self._bus.publish(subject_of(event), payload, headers)
            except BusAwayError as error:
                if self._feed is None:
                    raise
                self._drop(error)
                continue
            if self._dropped:
                self._tell_dropped()
            if self._handled:
                self.progress.sent += 1
            else:
                self.progress.ingest(event, self._clock.now())

    def _drop(self, error: BusAwayError) -> None:
        # Data that has waited for minutes is useless for trading.
        self._dropped += 1
        if self._dropped == 1:
            text = (
                f"ingestor {self.component.name!r} drops its data until the server is back: {error}"
            )
            self._bus.report(Incident(IncidentKind.FEED, text))

    def _tell_dropped(self) -> None:
        count, self._dropped = self._dropped, 0
        text = (
            f"ingestor {self.component.name!r} has dropped {count:,} events while the server was "
            "away"
        )
        self._bus.report(Incident(IncidentKind.GAP, text))
