"""Lets a component handle one message, and drafts what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial

from ingenium.bus.contract import Bus, Message
from ingenium.bus.envelope import unpack
from ingenium.bus.stream import Record
from ingenium.components import Component
from ingenium.components.blocking import watched
from ingenium.components.handler_limit import BLOCKED_LIMIT, HandlerLimit
from ingenium.components.handling import (
    handle,
    handlers_of,
    incident_of,
    note_arrival,
    wants,
)
from ingenium.components.progress import HURRIED, Progress
from ingenium.delivery.causes import cause_of
from ingenium.delivery.lateness import lateness
from ingenium.delivery.stream_clock import StreamClock
from ingenium.delivery.writing import Draft
from ingenium.errors import ComponentError, DecodeError
from ingenium.events import ControlEvent, DataEvent, Event, ExecutionEvent
from ingenium.subjects import TRADING, event_type_of

__all__ = ["Taker"]


class Taker:
    """Decides what becomes of a message: handled, passed over, or a dead letter.

    Args:
        bus: Takes incidents.
        component: Handles.
        draft: Takes what comes of it.
        clock: Tells the server's time.
        stream: Name of the stream of orders.
        limit: From when on a handler that blocks everything else is reported.

    Attributes:
        progress: What was handled and sent so far.
    """

    def __init__(
        self,
        bus: Bus,
        component: Component,
        draft: Draft,
        clock: StreamClock,
        stream: str,
        limit: HandlerLimit = BLOCKED_LIMIT,
    ) -> None:
        self.progress = Progress()
        self._limit = limit
        self._bus = bus
        self._component = component
        self._draft = draft
        self._clock = clock
        self._stream = stream
        self._handlers = handlers_of(component)

    async def take_record(self, record: Record, created: str) -> None:
        """Take a message of the stream of orders.

        Args:
            record: The message.
            created: When the stream was made; names what has no id of its own.
        """
        self._clock.see(record.time)
        message = record.message
        kind = ControlEvent if message.subject == TRADING else event_type_of(message.subject)
        if kind is not ControlEvent and kind not in self._handlers:
            return
        # All who replay the stream see the same time.
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
        try:
            event = unpack(kind, message)
            if not wants(component, event, message):
                return
            if record is not None and event.id and self._draft.has_seen(event.id):
                return
            since = component.cause_time = cause_of(event, message.headers, kept_at)
            self.progress.begin(event, self._clock.present(), kept_at)
            try:
                sent = await self._let_handle(event, message.headers, record, cause)
            finally:
                self.progress.end()
                component.cause_time = None
            if (refusal := component.take_refusal()) is not None:
                # Not marked as handled, so that it may come again when what it needs is known.
                self._send(sent, since)
                raise refusal
        except (DecodeError, ComponentError) as error:
            self._bus.report(incident_of(error, message.subject))
            kept = None if record is None else (self._stream, record)
            self._draft.bury(message, error, kept, self._clock)
            if isinstance(event, ExecutionEvent) and isinstance(error, ComponentError) and event.id:
                # Its fill is booked, whatever the handler did then.
                self._draft.see(event.id)
            return
        if record is not None and event.id:
            self._draft.see(event.id)
        self._send(sent, since)

    def _send(self, events: list[Event], cause: datetime | None) -> None:
        if events:
            now = self._clock.present()
            self.progress.send(events, now, cause)
            self._draft.send(events, now, cause)

    async def _let_handle(
        self, event: Event, headers: Mapping[str, str], record: Record | None, cause: str
    ) -> list[Event]:
        component = self._component
        now = self._clock.present()
        if record is None:
            note_arrival(event, now)
            work = handle(component, self._handlers[DataEvent], event, now)
            return await watched(self._bus, component, work, type(event), self._limit)
        handler = self._handlers.get(type(event), component.handle_control)
        late = lateness(event, headers, record.time, now)
        if isinstance(event, HURRIED) and component.cause_time is not None:
            self.progress.cause_age_seconds = (now - component.cause_time).total_seconds()
        if late is not None:
            self.progress.late += 1
            handler = partial(component.handle_late, age_seconds=late)
        work = handle(component, handler, event, record.time, cause)
        return await watched(self._bus, component, work, type(event), self._limit)
