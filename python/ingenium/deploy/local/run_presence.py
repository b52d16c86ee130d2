"""How a live run shows itself on its machine: its file, its log, and a service manager."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from ingenium.components import App
from ingenium.components.component import role_of
from ingenium.config import Settings
from ingenium.deploy.local.background_run import rotate_output
from ingenium.deploy.local.run_file import LocalProcess, LocalRun, RunFile
from ingenium.deploy.local.supervisor import Supervised

__all__ = ["RunPresence", "present_run"]

_TICK_SECONDS = 1.0


class RunPresence:
    """What others on this machine can see of a live run.

    Args:
        file: Its file.
        settings: Settings with the environment of the run.
    """

    def __init__(self, file: RunFile, settings: Settings) -> None:
        self._file = file
        self._log = settings.run_log
        self._manager = settings.environment.get("NOTIFY_SOCKET", "")
        self._is_watched = "WATCHDOG_USEC" in settings.environment

    def is_ready(self, text: str) -> None:
        """Say once that all components are ready; later calls have no effect."""
        if self._file.run.ready is None:
            self._file.is_ready()
            self._tell(f"READY=1\nSTATUS={text}")

    def stops(self) -> None:
        """Say that the run drains."""
        self._tell("STOPPING=1")

    async def keep(self) -> None:
        """Keep the log small, and tell the service manager of life, until canceled."""
        while True:
            if self._log is not None:
                rotate_output(self._log)
            if self._is_watched:
                self._tell("WATCHDOG=1")
            await asyncio.sleep(_TICK_SECONDS)

    def _tell(self, text: str) -> None:
        """Send a message to systemd, if it started this process; see sd_notify(3)."""
        if not self._manager:
            return
        address = self._manager
        if address.startswith("@"):
            address = f"\0{address[1:]}"
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            sender.sendto(text.encode(), address)


@asynccontextmanager
async def present_run(
    app: App, target: str, settings: Settings, parts: Iterable[object]
) -> AsyncIterator[RunPresence]:
    """Show a live run within the context.

    Args:
        app: The app.
        target: The app as on the command line.
        settings: Settings of the run.
        parts: Runners of its components.
    """
    file = RunFile(
        settings.data_directory / app.name,
        LocalRun(
            app=app.name,
            target=target,
            directory=str(Path.cwd()),
            process=os.getpid(),
            started=datetime.now(UTC),
            log=None if settings.run_log is None else str(settings.run_log),
        ),
    )

    def has_started(part: Supervised) -> None:
        name = part.component.name
        started = datetime.now(UTC)
        file.has_process(
            name, LocalProcess(role_of(part.component), part.process, started, part.restarts)
        )

    for part in parts:
        if isinstance(part, Supervised):
            part.on_started = partial(has_started, part)
    presence = RunPresence(file, settings)
    keeping = asyncio.create_task(presence.keep())
    try:
        yield presence
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
