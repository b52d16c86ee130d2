"""Chooses who looks after the server of a live app."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from ingenium.backoff import RestartPolicy
from ingenium.bus import NatsBus
from ingenium.components import App
from ingenium.config import Settings
from ingenium.deploy.local.local_halt import halt_by_file
from ingenium.deploy.local.server_absence import ServerAbsence
from ingenium.deploy.local.server_keeper import ServerKeeper
from ingenium.errors import IngeniumError
from ingenium.nats_server import EmbeddedServer

__all__ = ["ServerCare", "server_care"]

_log = logging.getLogger("ingenium.deploy")


class ServerCare(Protocol):
    """Looks after a server."""

    def is_away(self) -> bool:
        """Whether the server is not there now."""

    async def run(self) -> None:
        """Look after it, until canceled; raise when the run cannot go on without it."""


def server_care(
    server: EmbeddedServer | None,
    buses: Sequence[NatsBus],
    app: App,
    settings: Settings,
    on_notice: Callable[[str], None],
    *,
    make_streams: Callable[[], Awaitable[object]],
    restarts: RestartPolicy | None = None,
) -> ServerCare:
    """Return what looks after the server of a live app.

    Args:
        server: The embedded one, which is started again; ``None`` for one of somebody else, whose
            absence is said.
        buses: Connections to it; the first one is the operator's.
        app: Which app.
        settings: Name the data folder, and when an absent server halts trading.
        on_notice: Takes what everybody must know.
        make_streams: Makes streams that are missing; those in memory go with the server.
        restarts: When the embedded server is started again.
    """
    bus = buses[0]

    async def remake_streams() -> None:
        try:
            await make_streams()
        except IngeniumError as error:
            _log.warning("streams of %s are not looked after: %s", app.name, error)

    def halt(reason: str) -> None:
        halt_by_file(app, settings, reason, bus.name, on_notice)

    if server is not None:
        return ServerKeeper(server, on_notice, remake_streams, restarts)
    return ServerAbsence(buses, on_notice, remake_streams, halt, settings.halt_away_seconds)
