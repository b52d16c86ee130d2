"""Chooses how the server of a live app is supervised."""

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
    """Supervision of a server."""

    def is_away(self) -> bool:
        """Whether the server is unreachable."""

    async def run(self) -> None:
        """Supervise the server until canceled; raise when the run cannot continue."""


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
    """Return the supervision of the server of a live app.

    Args:
        server: The embedded server, which is restarted; ``None`` for an external one, whose
            absence is reported.
        buses: Connections to the server; the first one is the operator's.
        app: Which app.
        settings: Settings with the data folder, and the absence that halts trading.
        on_notice: Receives notices for the operator.
        make_streams: Creates missing streams; in-memory streams are lost with the server.
        restarts: Restart policy of the embedded server.
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
