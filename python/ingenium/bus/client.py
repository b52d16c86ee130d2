"""Publish and subscribe to typed events on a bus."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self, TypeVar

from ingenium.bus.base import Incident, IncidentKind
from ingenium.bus.client_subscription import (
    EventBuffer,
    EventHandler,
    EventSubscription,
    receiver,
)
from ingenium.bus.envelope import pack
from ingenium.bus.subscription import ReportingBus
from ingenium.clock import Clock, SystemClock, format_time
from ingenium.errors import BusClosedError, SubjectError
from ingenium.events import (
    CancelEvent,
    ControlEvent,
    DataEvent,
    DeadLetterEvent,
    DenialEvent,
    ExecutionEvent,
    OrderEvent,
    ReplaceEvent,
    SignalEvent,
    decode_binary,
    encode_binary,
    full_name_of,
    own_type,
    write_plainly,
)
from ingenium.ids import random_id
from ingenium.subjects.names import check_symbol, subject_for, subject_of

__all__ = ["EventBus"]

EventT = TypeVar("EventT")

_PREFIXES: dict[type[Any], str] = {
    DataEvent: "data",
    SignalEvent: "signal",
    OrderEvent: "order",
    CancelEvent: "cancel",
    ReplaceEvent: "order",
    ExecutionEvent: "exec",
    DeadLetterEvent: "dead",
    DenialEvent: "denial",
    ControlEvent: "control",
}


class EventBus:
    """Publishes and subscribes to typed events. Made by `ingenium.connect`.

    Args:
        bus: Transport of the messages, closed together with this object.
        name: Name of the publisher, sent as the header ``Ingenium-Source``.
        clock: Source of the time of events that are published without one.
        resources: Closed after the bus, such as an embedded server.
    """

    def __init__(
        self,
        bus: ReportingBus,
        *,
        name: str = "ingenium",
        clock: Clock | None = None,
        resources: AsyncExitStack | None = None,
    ) -> None:
        self._bus = bus
        self._name = name
        self._clock = clock or SystemClock()
        self._buffers: weakref.WeakSet[EventBuffer[Any]] = weakref.WeakSet()
        self._resources = resources or AsyncExitStack()
        bus.on_incident(self._on_incident)

    @property
    def bus(self) -> ReportingBus:
        """The underlying bus, which carries messages of any kind."""
        return self._bus

    @property
    def url(self) -> str:
        """Address of the bus, without credentials."""
        return self._bus.url

    async def publish(self, event: Any, *, subject: str | None = None) -> None:
        """Publish an event on its subject.

        An empty ``id`` and ``timestamp`` are filled in; an existing id is kept.

        Args:
            event: ``DataEvent``, ``SignalEvent``, ``OrderEvent`` or ``ExecutionEvent``, or a
                message of your own schema together with ``subject``. An event of another generated
                class, such as ``events_pb2.OrderEvent``, is recognized by the full name of its
                message; filled-in values are not written back to it.
            subject: Subject to publish on, instead of the event's own.

        Raises:
            SubjectError: The symbol is not valid in a subject, or ``subject`` is not valid.
            EncodeError: The wire format cannot represent the value of a field.
            EventTooLargeError: The event is too large; nothing was sent.
            BusClosedError: The bus was closed.
            BusError: There is no connection now, and the buffer for that time is full.
        """
        prefix = _PREFIXES.get(type(event))
        if prefix is None and (own := own_type(type(event))) is not None:
            event = decode_binary(own, encode_binary(event))
            prefix = _PREFIXES.get(own)
        if prefix is None:
            if subject is None:
                raise _no_subject(type(event))
        else:
            write_plainly(event)
            if not event.id:
                event.id = random_id(prefix)
            if not event.timestamp:
                now = self._clock.now()
                event.timestamp = format_time(now) if prefix == "data" else now
            if subject is None:
                subject = subject_of(event)
        payload, headers = pack(event, self._name, self._bus.content_type)
        room = self._bus.hand_over(subject, payload, headers)
        if room is not None:
            await room

    def subscribe(
        self,
        event_type: type[EventT],
        symbol: str | None = None,
        *,
        handler: EventHandler[EventT] | None = None,
        subject: str | None = None,
        queue_group: str = "",
    ) -> EventSubscription[EventT]:
        """Subscribe to events of one type.

        With a handler, await the result::

            await bus.subscribe(DataEvent, handler=on_data)

        Without a handler, iterate over the result; await it first if no event may be missed in
        between::

            async for event in bus.subscribe(DataEvent, symbol="AAPL"):
                ...

        A payload that cannot be read, or a handler that raises, becomes an incident and a dead
        letter, and the subscription continues.

        Args:
            event_type: ``DataEvent``, ``SignalEvent``, ``OrderEvent``, ``ExecutionEvent`` or
                ``DeadLetterEvent``, or a message of your own schema together with ``subject``. A
                generated class of your own for one of these events is recognized by its full name.
            symbol: Only events of this symbol, in any letter case, as in subjects; ``None`` for
                all.
            handler: Plain or async function, called for one event at a time.
            subject: Subject to subscribe to, instead of the type's own.
            queue_group: Each event is delivered to one subscription of the group.

        Raises:
            SubjectError: The symbol cannot be part of a subject, or the type has none.
        """
        if symbol is not None:
            check_symbol(symbol)
        if subject is None:
            own = own_type(event_type)
            if own not in _PREFIXES:
                raise _no_subject(event_type)
            subject = subject_for(own, symbol)
        bus, target = self._bus, subject
        return EventSubscription(
            lambda receive: bus.subscribe(target, receive, queue_group=queue_group),
            lambda deliver: receiver(bus, event_type, symbol, deliver),
            handler,
            self._buffers.add,
        )

    def on_incident(self, callback: Callable[[Incident], None]) -> None:
        """Call ``callback`` for every incident, such as a gap, a bad payload or a failed handler.

        The callback must not block. Incidents are also logged to ``ingenium.bus``.
        """
        self._bus.on_incident(callback)

    async def flush(self, timeout_seconds: float = 5.0) -> None:
        """Wait until the server has processed all earlier publishes.

        Raises:
            BusTimeoutError: The server did not answer in time.
            BusPermissionError: The server refused a subject since the last flush.
        """
        await self._bus.flush(timeout_seconds)

    async def drain(self) -> None:
        """Handle the events that have arrived, flush and close; bounded in time."""
        for buffer in list(self._buffers):
            buffer.open_wide()
        await self._bus.drain()
        await self.close()

    async def close(self) -> None:
        """Close at once, and end the embedded server if this connection started one."""
        await self._bus.close()
        for buffer in list(self._buffers):
            buffer.end()
        await self._resources.aclose()

    async def __aenter__(self) -> Self:
        """Return this bus; leaving drains it, or closes it after an exception."""
        return self

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            await self.drain()
        else:
            await self.close()

    def _on_incident(self, incident: Incident) -> None:
        if incident.kind is IncidentKind.CLOSED:
            for buffer in list(self._buffers):
                buffer.end(BusClosedError(incident.detail))


def _no_subject(event_type: type[Any]) -> SubjectError:
    name = full_name_of(event_type)
    if name:
        known = ""
        if name.rpartition(".")[2] in {own.__name__ for own in _PREFIXES}:
            known = f", or send ingenium.v1.{event_type.__name__}, which has one"
        return SubjectError(f"{name} has no subject of its own: pass subject='...'{known}")
    cls = getattr(event_type, "__name__", repr(event_type))
    return SubjectError(
        f"{cls} has no subject of its own: pass subject='...' with a message of your own; a "
        "generated class is known by its descriptor, for which betterproto2 needs the option "
        "google_protobuf_descriptors"
    )
