"""Has a component handle one message, and adds the result to the transaction."""

from __future__ import annotations

from datetime import datetime

from ingenium.bus.base import Bus, Incident, IncidentKind, Message
from ingenium.bus.content_hash import digest_of
from ingenium.bus.envelope import unpack
from ingenium.bus.stream import Record
from ingenium.components import Executor
from ingenium.components.handle_of import handle_of
from ingenium.errors import ComponentError, DecodeError, EventRefusedError
from ingenium.events import (
    ControlEvent,
    DataEvent,
    Event,
    ExecutionEvent,
    OrderEvent,
    ReplaceEvent,
)
from ingenium.runtime.dispatch import Dispatcher, handled_types
from ingenium.runtime.durable.causes import cause_of
from ingenium.runtime.durable.deadline import lateness
from ingenium.runtime.durable.stream_clock import StreamClock
from ingenium.runtime.durable.transaction import Transaction
from ingenium.runtime.handler_limit import BLOCKED_LIMIT, HandlerLimit
from ingenium.runtime.incidents import describe, incident_of
from ingenium.runtime.loop_watchdog import timed
from ingenium.runtime.progress import HURRIED, Progress
from ingenium.runtime.subscriptions import note_arrival, wants
from ingenium.runtime.warm_up import WarmUp
from ingenium.subjects.names import TRADING, event_type_of

__all__ = ["RecordHandler"]


class RecordHandler:
    """Decides the outcome of a message: handled, skipped, or dead-lettered.

    Args:
        bus: Receives incidents.
        dispatcher: Calls the component's handlers.
        transaction: Collects the result.
        clock: Tells the server's time.
        stream: Name of the stream of orders.
        limit: Time after which a handler that blocks the process is reported.
        warm_up: Knows which market data was in history; none when left out.

    Attributes:
        progress: Events handled and sent so far.
    """

    def __init__(
        self,
        bus: Bus,
        dispatcher: Dispatcher,
        transaction: Transaction,
        clock: StreamClock,
        stream: str,
        limit: HandlerLimit = BLOCKED_LIMIT,
        warm_up: WarmUp | None = None,
    ) -> None:
        self._warm_up = warm_up
        self.progress = Progress()
        self._limit = limit
        self._bus = bus
        self._dispatcher = dispatcher
        self._component = dispatcher.component
        self._transaction = transaction
        self._clock = clock
        self._stream = stream
        self._handled = frozenset(handled_types(dispatcher.component))

    async def take_record(self, record: Record, created: str) -> None:
        """Take a message of the stream of orders.

        Args:
            record: The message.
            created: When the stream was created; part of the id of events that have none.
        """
        self._clock.see(record.time)
        message = record.message
        kind = ControlEvent if message.subject == TRADING else event_type_of(message.subject)
        if kind is not ControlEvent and kind not in self._handled:
            return
        # Every replay of the stream sees the same time.
        self._clock.standing = record.time
        try:
            cause = f"{self._stream}/{created}/{record.sequence}"
            await self._take(kind, message, record, cause, record.time)
        finally:
            self._clock.standing = None

    async def take_data(self, message: Message, kept_at: datetime | None = None) -> None:
        """Take market data.

        Args:
            message: The message.
            kept_at: When the stream kept it, by the server's clock; ``None`` from a plain bus.
        """
        await self._take(DataEvent, message, None, "", kept_at)

    async def _take(
        self,
        kind: type[Event],
        message: Message,
        record: Record | None,
        cause: str,
        kept_at: datetime | None,
    ) -> None:
        component = self._component
        event: Event | None = None
        key, digest = "", b""
        try:
            event = unpack(kind, message)
            if not wants(component, event, message):
                return
            if self._warm_up is not None and self._warm_up.repeats(event, self._clock.present()):
                return
            if record is not None and (key := event.id or ""):
                digest = digest_of(event)
                key, known = self._recall(key, digest)
                if known is not None:
                    await self._take_repeated(event, message, record, known, digest)
                    return
            since = handle_of(component).cause_time = cause_of(event, message.headers, kept_at)
            self.progress.begin(event, self._clock.present(), kept_at)
            try:
                sent = await self._let_handle(event, message, record, cause)
            finally:
                self.progress.end()
                handle_of(component).cause_time = None
            if self._dispatcher.unbooked is not None:
                # Not marked as handled, so that it may come again when its dependencies are known.
                self._send(sent, since, event)
                raise self._dispatcher.unbooked
        except (DecodeError, ComponentError) as error:
            self._bus.report(incident_of(error, message.subject))
            kept = None if record is None else (self._stream, record)
            self._transaction.dead_letter(message, error, kept, self._clock)
            was_called = isinstance(error, ComponentError) and not isinstance(
                error, EventRefusedError
            )
            if was_called and isinstance(event, ExecutionEvent) and event.id:
                # Its fill is booked, even if the handler raised afterwards.
                self._transaction.see(key, digest)
            return
        if record is not None and key:
            self._transaction.see(key, digest)
        self._send(sent, since, event)

    def _send(self, events: list[Event], cause: datetime | None, handled: Event) -> None:
        if events:
            now = self._clock.present()
            self.progress.send(events, now, cause)
            self._transaction.send(events, now, cause, handled)

    async def _take_repeated(
        self, event: Event, message: Message, record: Record, known: bytes, digest: bytes
    ) -> None:
        """Check an event whose id was handled before: it is never handled again.

        Args:
            event: The event.
            message: The message that carried it.
            record: The stream's record of it.
            known: Digest of the first event; empty if unknown.
            digest: Digest of this event.
        """
        if known == digest:
            return
        component = self._component
        if (
            isinstance(component, Executor)
            and isinstance(event, OrderEvent | ReplaceEvent)
            and handle_of(component).remembers(event.id)
        ):
            # The executor tells another order from a rewording of the same one, and rejects it.
            sent = await self._dispatcher.handle(event, record.time, "", message, is_repeated=True)
            self._transaction.send(sent, self._clock.present(), handled=event)
        elif known:
            self._refuse(event, message, record)

    def _recall(self, identifier: str, digest: bytes) -> tuple[str, bytes | None]:
        """Return the key under which an event is known, and the digest of that event.

        A sender of signals must not be able to use up the id of a future execution: an id known
        from another kind of event is no reason to skip this one.
        """
        known = self._transaction.digest(identifier)
        if known and known[:1] != digest[:1]:
            identifier = f"{digest[:1].hex()}/{identifier}"
            known = self._transaction.digest(identifier)
        return identifier, known

    def _refuse(self, event: Event, message: Message, record: Record) -> None:
        """Report an event that differs from the one that was handled under its id."""
        component = self._component
        error = ComponentError(
            f"{component} does not act upon {describe(event)}, message "
            f"{record.sequence}: its id {event.id!r} is that of another one that it has handled, "
            "and that says something else: two programs send under one name, or one of them forges"
        )
        self._bus.report(Incident(IncidentKind.CONFLICT, str(error), message.subject, error))
        self._transaction.dead_letter(message, error, (self._stream, record), self._clock)

    async def _let_handle(
        self, event: Event, message: Message, record: Record | None, cause: str
    ) -> list[Event]:
        component, dispatcher = self._component, self._dispatcher
        now = self._clock.present()
        if record is None:
            note_arrival(event, now)
            work = dispatcher.handle(event, now, "", message)
            return await timed(self._bus, component, work, type(event), self._limit)
        late = lateness(event, message.headers, record.time, now)
        since = handle_of(component).cause_time
        if isinstance(event, HURRIED) and since is not None:
            self.progress.cause_age_seconds = (now - since).total_seconds()
        if late is not None:
            self.progress.late += 1
        work = dispatcher.handle(event, record.time, cause, message, age_seconds=late)
        return await timed(self._bus, component, work, type(event), self._limit)
