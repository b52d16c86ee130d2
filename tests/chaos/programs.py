"""The processes of a chaos run, started again whenever they end, as a supervisor would."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from resource import getpagesize, prlimit

__all__ = ["Program"]

_END_SECONDS = 20.0


class Program:
    """A component in a process of its own.

    Args:
        app: The app as the command line names it.
        name: Of the component.
        folder: Where it runs, and where its output goes.
        environment: What its environment has beside ours.
        label: Names its log; the component's name when left out.
        command: Arguments of ``ingenium`` that are run instead of the component.

    Attributes:
        starts: How often it was started.
        exits: How often it ended by itself with which code; negative for a signal.
        crash_at: ``INGENIUM_CRASH_AT`` of the next start only; empty for none.
    """

    def __init__(
        self,
        app: str,
        name: str,
        folder: Path,
        environment: Mapping[str, str],
        *,
        label: str = "",
        command: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.log = folder / f"{label or name}.log"
        self.starts = 0
        self.exits: Counter[int] = Counter()
        self.crash_at = ""
        self._ending = asyncio.Event()
        self._last_code = 0
        command = command or ("run", app, "--component", name)
        self._command = ("-m", "ingenium", *command)
        self._folder = folder
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("INGENIUM_", "NATS_"))}
        self.environment = kept | {"COLUMNS": "250", "PYTHONUNBUFFERED": "1"} | dict(environment)
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def is_running(self) -> bool:
        """Whether a process of it is there, which a signal would reach."""
        return self._process is not None and self.starts == self.exits.total() + 1

    def begin(self) -> None:
        """Start it, and again whenever it ends."""
        self._keeper = asyncio.create_task(self._keep())

    async def _keep(self) -> None:
        while not self._ending.is_set():
            crash_at, self.crash_at = self.crash_at, ""
            environment = self.environment | ({"INGENIUM_CRASH_AT": crash_at} if crash_at else {})
            with self.log.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    *self._command,
                    cwd=self._folder,
                    env=environment,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            self.starts += 1
            if self._ending.is_set():
                self.send(signal.SIGTERM)
            code = await self._process.wait()
            if self._ending.is_set():
                self._last_code = code
            else:
                self.exits[code] += 1

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process that runs now, if one does."""
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.send_signal(number)

    def has_said(self, text: str) -> bool:
        """Whether it has written a text, in any of its lives."""
        return self.log.exists() and text in self.log.read_text(errors="replace")

    def limit(self, resource: int, value: int) -> None:
        """Limit what the process that runs now may use; see the module `resource`."""
        if self._process is not None:
            prlimit(self._process.pid, resource, (value, value))

    def size(self) -> int:
        """Return how many bytes of memory it has addresses for."""
        assert self._process is not None
        pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[0]
        return int(pages) * getpagesize()

    def kill(self) -> None:
        """Kill it, as ``kill -9`` does."""
        self.send(signal.SIGKILL)

    def pause(self) -> None:
        """Let it stand still."""
        self.send(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on."""
        self.send(signal.SIGCONT)

    async def end(self) -> int:
        """Stop it for good, as Ctrl+C does, and return its exit code."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            self._ending.set()
            self.go_on()
            self.send(signal.SIGTERM)
            await asyncio.wait({keeper}, timeout=_END_SECONDS)
            self.kill()
            await keeper
        return self._last_code
