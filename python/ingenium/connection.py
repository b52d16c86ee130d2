"""``ingenium.connect()``: the bus without components."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AsyncExitStack
from dataclasses import replace
from types import TracebackType
from typing import Any

from ingenium.bus.client import EventBus
from ingenium.bus.envelope import content_type_named
from ingenium.bus.memory import MemoryBus
from ingenium.bus.nats.bus import NatsBus
from ingenium.bus.nats.credentials import options_for
from ingenium.bus.nats.options import NatsOptions
from ingenium.bus.subscription import ReportingBus
from ingenium.clock import Clock
from ingenium.config import Settings
from ingenium.errors import BusConnectError
from ingenium.events import ContentType
from ingenium.nats_server.embedded import EmbeddedServer, running_servers

__all__ = ["EventBus", "connect"]

_MEMORY = "memory:"
_OWN_SERVER = "shared"


class Connecting:
    """Result of `connect`: await it, or use ``async with``."""

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
            # Another program may have started a server at the same moment.
            if not (url := _find_running(settings)):
                raise
            return self._typed(await self._nats(settings.with_server(url)))
        try:
            nats = await self._nats(settings.with_server(server.url))
        except BaseException:
            await server.stop()
            raise
        resources = AsyncExitStack()
        resources.push_async_callback(server.stop)
        return self._typed(nats, resources)

    async def _nats(self, settings: Settings) -> NatsBus:
        options = options_for(settings, "", self._options)
        return await NatsBus.connect(
            settings.nats_server, name=self._name, options=options, clock=self._clock
        )

    def _typed(self, bus: ReportingBus, resources: AsyncExitStack | None = None) -> EventBus:
        return EventBus(bus, name=self._name, clock=self._clock, resources=resources)


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
        name: Name of the publisher; letters, digits, ``-`` and ``_``.
        options: Credentials, limits and timeouts; the defaults if omitted.
        settings: Settings to use instead of those of the environment.
        clock: Source of the time of events published without one; the system clock by default.
        content_type: The form in which events are published, ``application/json`` or
            ``application/protobuf``; when left out, what ``INGENIUM_CONTENT_TYPE`` says, else JSON.
            What arrives is read in the form that it says it has.

    Returns:
        An awaitable and async context manager that gives an `EventBus`.

    Raises:
        BusConnectError: On entering: the server cannot be reached, or none can be started; the
            text says why.
        ConfigError: The content type is unknown.
    """
    if content_type is not None:
        options = replace(options or NatsOptions(), content_type=content_type_named(content_type))
    return Connecting(url, name, options, settings, clock)
