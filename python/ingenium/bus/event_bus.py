"""Typed events on a bus: ``ingenium.connect()``, the small SDK without any component."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Generator
from contextlib import AsyncExitStack
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TypeVar

from ingenium.bus.contract import Incident, IncidentKind
from ingenium.bus.credentials import options_for
from ingenium.bus.delivery import ReportingBus
from ingenium.bus.embedded import EmbeddedServer, running_servers
from ingenium.bus.envelope import content_type_named, pack
from ingenium.bus.event_subscription import (
    EventBuffer,
    EventHandler,
    EventSubscription,
    receiver,
)
from ingenium.bus.memory import MemoryBus
from ingenium.bus.nats_bus import NatsBus
from ingenium.bus.options import NatsOptions
from ingenium.clock import Clock, SystemClock, format_time
from ingenium.config import Settings
from ingenium.errors import BusClosedError, BusConnectError, SubjectError
from ingenium.events import (
    CancelEvent,
    ContentType,
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
from ingenium.subjects import check_symbol, subject_for, subject_of

__all__ = ["EventBus", "connect"]

EventT = TypeVar("EventT")

_MEMORY = "memory:"
_OWN_SERVER = "shared"
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
    """Publishes and subscribes to typed events. Made by `connect`.

    Args:
        bus: Carries them; closed with this one.
        name: Who publishes, as the header ``Ingenium-Source`` says.
        clock: Tells the time for events that are published without one.
    """

    def __init__(
        self, bus: ReportingBus, *, name: str = "ingenium", clock: Clock | None = None
    ) -> None:
        self._bus = bus
        self._name = name
        self._clock = clock or SystemClock()
        self._buffers: weakref.WeakSet[EventBuffer[Any]] = weakref.WeakSet()
        self._resources = AsyncExitStack()
        bus.on_incident(self._on_incident)

    @property
    def bus(self) -> ReportingBus:
        """The bus below, which carries messages of any kind."""
        return self._bus

    @property
    def url(self) -> str:
        """Where the bus is, without credentials."""
        return self._bus.url

    async def publish(self, event: Any, *, subject: str | None = None) -> None:
        """Publish an event on its subject.

        An empty ``id`` and ``timestamp`` are filled in; an id that is set is kept.

        Args:
            event: ``DataEvent``, ``SignalEvent``, ``OrderEvent`` or ``ExecutionEvent``, or a
                message of your own schema together with ``subject``. An event of another generated
                class, such as ``events_pb2.OrderEvent``, is taken by the full name of its message;
                what is filled in is not put into it.
            subject: Where to, instead of the event's own subject.

        Raises:
            SubjectError: Its symbol, or ``subject``, cannot be published to.
            EncodeError: A field holds what the wire format cannot carry.
            EventTooLargeError: It is too large; nothing was sent.
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

        Without one, iterate over it; await it before, where nothing may be missed between::

            async for event in bus.subscribe(DataEvent, symbol="AAPL"):
                ...

        A payload that cannot be read, or a handler that raises, becomes an incident and a dead
        letter, and the subscription goes on.

        Args:
            event_type: ``DataEvent``, ``SignalEvent``, ``OrderEvent``, ``ExecutionEvent`` or
                ``DeadLetterEvent``, or a message of your own schema together with ``subject``. A
                generated class of your own for one of these events is taken by its full name.
            symbol: Only this symbol's events, in any case, as subjects have it; ``None`` for all.
            handler: Gets the events, one at a time; plain or async.
            subject: What to subscribe to, instead of the type's own subject.
            queue_group: Of the subscriptions with one group name, one gets each event.

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
        """Call ``callback`` for every incident: gaps, payloads and handlers that failed, and so on.

        It must not block. Incidents are logged to ``ingenium.bus`` as well.
        """
        self._bus.on_incident(callback)

    async def flush(self, timeout_seconds: float = 5.0) -> None:
        """Wait until the server has processed all that was published before.

        Raises:
            BusTimeoutError: It did not say so in time.
            BusPermissionError: It refused a subject since the last flush.
        """
        await self._bus.flush(timeout_seconds)

    async def drain(self) -> None:
        """Handle what has arrived, flush and close; bounded in time."""
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

    async def _own(self, server: EmbeddedServer) -> None:
        self._resources.push_async_callback(server.stop)


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


class Connecting:
    """What `connect` returns: await it, or enter it with ``async with``."""

    def __init__(
        self,
        url: str | None,
        name: str,
        options: NatsOptions | None,
        settings: Settings | None,
        clock: Clock | None,
    ) -> None:
        self._url = url
        self._name = name
        self._options = options or NatsOptions()
        self._settings = settings
        self._clock = clock
        self._bus: EventBus | None = None

    def __await__(self) -> Generator[Any, None, EventBus]:
        return self._connect().__await__()

    async def __aenter__(self) -> EventBus:
        """Connect."""
        self._bus = await self._connect()
        return self._bus

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        bus, self._bus = self._bus, None
        if bus is not None:
            await bus.__aexit__(error_type, error, traceback)

    async def _connect(self) -> EventBus:
        settings = self._settings or Settings.from_environment()
        if self._url == _MEMORY:
            content_type = self._options.content_type or content_type_named(settings.content_type)
            return self._typed(MemoryBus(self._name, clock=self._clock, content_type=content_type))
        url = self._url or settings.nats_server or _find_running(settings)
        if url:
            if url != settings.nats_server:
                settings = settings.with_server(url)
            return self._typed(await self._nats(settings))
        server = EmbeddedServer(
            settings.data_directory / _OWN_SERVER, binary=settings.server_binary
        )
        try:
            await server.__aenter__()
        except BusConnectError:
            # Another program may have started one at the same moment.
            if not (url := _find_running(settings)):
                raise
            return self._typed(await self._nats(settings.with_server(url)))
        try:
            bus = self._typed(await self._nats(settings.with_server(server.url)))
        except BaseException:
            await server.stop()
            raise
        await bus._own(server)  # noqa: SLF001 - one module
        return bus

    async def _nats(self, settings: Settings) -> NatsBus:
        options = options_for(settings, "", self._options)
        return await NatsBus.connect(
            settings.nats_server, name=self._name, options=options, clock=self._clock
        )

    def _typed(self, bus: ReportingBus) -> EventBus:
        return EventBus(bus, name=self._name, clock=self._clock)


def _find_running(settings: Settings) -> str:
    running = running_servers(settings.data_directory)
    if len(running) > 1:
        raise BusConnectError(
            f"{len(running)} embedded servers run in {settings.data_directory}: set NATS_SERVER or "
            "INGENIUM_DATA_DIR to say which one"
        )
    return running[0] if running else ""


def connect(
    url: str | None = None,
    *,
    name: str = "ingenium",
    options: NatsOptions | None = None,
    settings: Settings | None = None,
    clock: Clock | None = None,
    content_type: ContentType | str | None = None,
) -> Connecting:
    """Connect to the bus.

    ::

        async with ingenium.connect() as bus:
            await bus.publish(SignalEvent(symbol="AAPL", signal=Signal.LONG))

    or ``bus = await ingenium.connect()``, and ``await bus.drain()`` at the end.

    Args:
        url: Address of a NATS server, or ``"memory:"`` for a bus within this process. When left
            out: the one that ``NATS_SERVER`` names, else the embedded server that a program of
            this directory runs, else an embedded server for the life of the connection.
        name: Who publishes; letters, digits, ``-`` and ``_``.
        options: Credentials, limits and times; the defaults when left out.
        settings: In place of those of the environment.
        clock: Tells the time for events that are published without one; the machine's when left
            out.
        content_type: The form in which events are published, ``application/json`` or
            ``application/protobuf``; when left out, what ``INGENIUM_CONTENT_TYPE`` says, else JSON.
            What arrives is read in the form that it says it has.

    Returns:
        Something to await or to enter that gives an `EventBus`.

    Raises:
        BusConnectError: On entering: the server cannot be reached, or none can be started; the
            text says why.
        ConfigError: The content type is none of ours.
    """
    if content_type is not None:
        options = replace(options or NatsOptions(), content_type=content_type_named(content_type))
    return Connecting(url, name, options, settings, clock)
