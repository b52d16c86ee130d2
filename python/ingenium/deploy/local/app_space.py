"""Subject space of an app on a server, and the leases that keep other apps out of it."""

from __future__ import annotations

import os

from ingenium.bus.base import Bus
from ingenium.bus.lease import Holder, Lease, LeaseGroup
from ingenium.bus.nats.addresses import parse_address
from ingenium.bus.nats.bus import NatsBus
from ingenium.bus.nats.lease import find_holder, open_lease
from ingenium.bus.nats.stream_layout import has_streams, streams_on
from ingenium.bus.presence_lease import PresenceLease, ask_holder
from ingenium.components import App, External
from ingenium.config import Settings
from ingenium.errors import ConfigError
from ingenium.private_files import make_folder, open_readable
from ingenium.subjects.names import ALL_EVENTS
from ingenium.subjects.space import SubjectSpace

__all__ = [
    "PREFIX_FILE",
    "SERVER_FILE",
    "leader_of",
    "remember_prefix",
    "replay_lease",
    "settings_of",
    "space_lease",
]

PREFIX_FILE = "prefix"
"""File in an app's folder with its prefix, for commands that know only the app's name."""

_CURE = (
    ", and both would work the same signals and orders: stop that one, or give this app subjects "
    "of its own with App(prefix='...') or INGENIUM_PREFIX"
)


def settings_of(app: App, settings: Settings) -> Settings:
    """Return the settings with the prefix of an app on the server.

    ``INGENIUM_PREFIX`` takes precedence over ``App(prefix=...)``, so that the caller can move an
    app. A replay on a shared server gets its own prefix, ``replay-<app>``, unless one of its
    programs cannot follow a prefix.

    Args:
        app: App to run.
        settings: Settings of the environment.

    Raises:
        ConfigError: A program of the app does not follow prefixes.
    """
    fixed = [c.name for c in app.components if isinstance(c, External) and not c.follows_prefix]
    prefix = app.prefix
    if settings.prefix is not None:
        prefix = settings.prefix
    elif app.historical and settings.nats_server and not fixed:
        prefix = f"replay-{app.name}"
    if prefix and fixed:
        raise ConfigError(
            f"app {app.name!r} has the prefix {prefix!r}, and {', '.join(fixed)} would not follow "
            "it: pass External(..., follows_prefix=True) if the program reads INGENIUM_PREFIX, or "
            "if the server maps its subjects"
        )
    SubjectSpace(prefix)  # validates the prefix before any connection is made
    return settings.with_prefix(prefix)


SERVER_FILE = "server"
"""File in an app's folder with the server of its last run; empty for an embedded one."""


def remember_prefix(app: App, settings: Settings) -> None:
    """Store the prefix and the server of a live app, where ``ingenium halt NAME`` finds them.

    Raises:
        ConfigError: The data folder cannot be written.
    """
    directory = settings.data_directory / app.name
    try:
        make_folder(directory)
        with os.fdopen(open_readable(directory / PREFIX_FILE), "w", encoding="ascii") as file:
            file.write(f"{settings.prefix or ''}\n")
        if not settings.stop_with_input:
            # A child inherits its parent's server, which may be an embedded one.
            url = settings.nats_server
            server = parse_address(url).text if url else ""
            with os.fdopen(open_readable(directory / SERVER_FILE), "w", encoding="utf-8") as file:
                file.write(f"{server}\n")
    except OSError as error:
        raise ConfigError(
            f"cannot write into the data folder {directory}: {error.strerror}: set "
            "INGENIUM_DATA_DIR to a folder that can be written"
        ) from error


async def _check_empty(bus: NatsBus) -> None:
    names = await streams_on(bus, ALL_EVENTS)
    if names:
        raise ConfigError(
            f"stream {', '.join(names)} on the server at {bus.url} keeps {bus.space}, where live "
            "apps are, and a replay would write into it: leave NATS_SERVER out, so that the replay "
            "gets a server of its own, or set INGENIUM_PREFIX to subjects that nothing uses"
        )


def _lease_key(bus: NatsBus, role: str) -> str:
    return f"{role} of {bus.space}"


async def space_lease(bus: Bus, app: App, role: str) -> Lease:
    """Return the lease of a role in the subject space of an app.

    The lease is stored in JetStream if available; otherwise its holder answers requests.

    Args:
        bus: Connection of the component.
        app: The app.
        role: ``"portfolio"`` or ``"executor"``.

    Raises:
        BusError: The server does not answer.
    """
    holder = Holder.this_process(app.name)
    if isinstance(bus, NatsBus):
        # The lease expires while the server is away. Ids make repeated messages of these roles
        # harmless, so they may continue if no other process has acquired the lease.
        lease = await open_lease(
            bus, _lease_key(bus, role), holder=holder, may_lapse=True, cure=_CURE
        )
        if lease is not None:
            return lease
    return PresenceLease(bus, role, holder, _CURE)


async def leader_of(bus: NatsBus) -> str:
    """Return the app whose portfolio or executor holds a subject space; empty if none.

    Raises:
        BusError: The server does not answer.
    """
    is_kept = await has_streams(bus)
    for role in ("executor", "portfolio"):
        if is_kept:
            holder = await find_holder(bus, _lease_key(bus, role))
        else:
            holder = await ask_holder(bus, role)
        if holder.app and not holder.is_gone():
            return holder.app
    return ""


async def replay_lease(bus: NatsBus, app: App) -> Lease:
    """Return the lease that keeps live apps and other replays out of the space of a replay.

    Raises:
        ConfigError: A stream stores subjects of the space.
        BusError: The server does not answer.
    """
    await _check_empty(bus)
    roles = ("portfolio", "executor")
    return LeaseGroup(*[await space_lease(bus, app, role) for role in roles])
