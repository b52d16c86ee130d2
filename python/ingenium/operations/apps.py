"""Locate apps: their folders on this machine, and their servers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ingenium.bus import NatsBus, NatsOptions
from ingenium.bus.nats.addresses import parse_address
from ingenium.bus.nats.credentials import options_for
from ingenium.bus.nats.stream_layout import MONEY_STREAM, find_stream, has_streams
from ingenium.bus.stream import Stream
from ingenium.config import Settings
from ingenium.deploy.local.app_space import PREFIX_FILE, SERVER_FILE
from ingenium.deploy.local.run_lock import run_of
from ingenium.errors import BusConnectError, ConfigError, StreamError
from ingenium.nats_server import running_servers
from ingenium.nats_server.accounts import OPERATOR, READER
from ingenium.runtime.durable.kill_file import HALT_FILE, KillFile

__all__ = ["LocalApp", "as_operator", "as_reader", "find_app", "find_apps", "stream_of"]

_CONNECT_SECONDS = 3.0
# A replay has none of these files: it uses an embedded server and stores no state.
_OF_LIVE_APPS = (PREFIX_FILE, "state", HALT_FILE)


@dataclass(frozen=True, slots=True)
class LocalApp:
    """An app on this machine.

    Attributes:
        app: Name of the app.
        directory: Folder of the app in the data folder.
        settings: Settings with its server: ``NATS_SERVER``, the embedded server running here,
            or the server of its last run here; no server if none of these exists.
        is_told: Whether the caller named the server, which may differ from the one that the app
            uses here.
    """

    app: str
    directory: Path
    settings: Settings
    is_told: bool = False

    @property
    def kill_file(self) -> KillFile:
        """Kill file of the app."""
        return KillFile.of(self.directory)

    @property
    def run(self) -> int | None:
        """Process id of its run here on this server; ``None`` without a run."""
        if self.is_told:
            server = parse_address(self.settings.nats_server).text
            if server != _kept(self.directory / SERVER_FILE):
                return None
        return run_of(self.directory)

    @property
    def states(self) -> list[Path]:
        """Databases of its components on this machine, by name."""
        return sorted((self.directory / "state").glob("*.db"))


def find_apps(settings: Settings, app: str | None = None) -> list[LocalApp]:
    """Return the live apps that have run with this data folder, or the named one.

    Args:
        settings: Settings with the data folder, and the server if not embedded.
        app: Name of an app, which need not have run here.

    Raises:
        ConfigError: No name is given, and no app has run here.
    """
    top = settings.data_directory
    if app is not None:
        return [_place(settings, app)]
    names = sorted(
        path.name
        for path in (top.iterdir() if top.is_dir() else ())
        if path.is_dir() and any((path / part).exists() for part in _OF_LIVE_APPS)
    )
    if not names:
        raise ConfigError(
            f"no live app has run with the data folder {top}: name the app, or set "
            "INGENIUM_DATA_DIR to the folder that it uses"
        )
    return [_place(settings, name) for name in names]


def find_app(settings: Settings, app: str | None = None) -> LocalApp:
    """Return the named app, or the only one that has run with this data folder.

    Raises:
        ConfigError: There is no such app, or there are several.
    """
    places = find_apps(settings, app)
    if len(places) > 1:
        raise ConfigError(
            f"several apps have run with the data folder {settings.data_directory}: name one of "
            f"{', '.join(place.app for place in places)}"
        )
    return places[0]


def _place(settings: Settings, app: str) -> LocalApp:
    directory = settings.data_directory / app
    is_told = bool(settings.nats_server)
    if settings.prefix is None:
        settings = settings.with_prefix(_kept(directory / PREFIX_FILE))
    if not settings.nats_server:
        if running := running_servers(directory, OPERATOR):
            settings = settings.with_server(running[0])
        elif server := _kept(directory / SERVER_FILE):
            settings = settings.at_server(server)
    return LocalApp(app, directory, settings, is_told)


def _kept(file: Path) -> str:
    """Return a value that an app stored in its last run on this machine; empty if none."""
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""


@asynccontextmanager
async def as_operator(place: LocalApp) -> AsyncIterator[NatsBus]:
    """Connect to an app's server with the rights of an operator.

    Raises:
        BusConnectError: There is no server, or it cannot be reached.
    """
    settings = place.settings
    if not settings.nats_server:
        if (run := place.run) is not None:
            raise BusConnectError(
                f"the embedded server of app {place.app!r} does not answer: process {run}, which "
                "runs the app, starts it, or starts it again, or is just ending"
            )
        raise BusConnectError(
            f"app {place.app!r} has no server that runs: start it with ingenium run in this "
            "directory, or set NATS_SERVER"
        )
    # Short timeout: a command waits for it, perhaps a halt, and a running server answers soon.
    options = NatsOptions(connect_timeout_seconds=_CONNECT_SECONDS)
    bus = await NatsBus.connect(
        settings.nats_server,
        name=f"operator of {place.app}",
        options=options_for(settings, OPERATOR, options),
    )
    try:
        yield bus
    finally:
        await bus.close()


@asynccontextmanager
async def as_reader(place: LocalApp) -> AsyncIterator[NatsBus]:
    """Connect to an app's server with the rights of a reader, who can send no event.

    Raises:
        BusConnectError: There is no server, or it cannot be reached.
    """
    settings = place.settings
    if not place.is_told:
        # What the app's folder names is for operators.
        running = running_servers(place.directory, READER)
        if not running:
            raise BusConnectError(
                f"app {place.app!r} has no server that runs: start it with ingenium run in this "
                "directory, or set NATS_SERVER"
            )
        settings = settings.with_server(running[0])
    bus = await NatsBus.connect(
        settings.nats_server,
        name=f"reader of {place.app}",
        options=options_for(
            settings, READER, NatsOptions(connect_timeout_seconds=_CONNECT_SECONDS)
        ),
    )
    try:
        yield bus
    finally:
        await bus.close()


async def stream_of(bus: NatsBus) -> Stream:
    """Return the stream of signals, orders and executions.

    Raises:
        StreamError: The server has no JetStream, or the stream is missing or has another
            configuration.
        BusTimeoutError: The server does not answer.
    """
    if not await has_streams(bus):
        raise StreamError(
            f"the server at {bus.url} keeps no streams (JetStream is off), so it remembers nothing"
        )
    return await find_stream(bus, MONEY_STREAM)
