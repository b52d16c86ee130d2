"""Child processes of a run: started, monitored and always ended with it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ingenium.errors import DeployError

__all__ = ["Child", "how_of"]

_LONGEST_LINE = 1 << 16


class Child:
    """One child process.

    The process runs in its own session, so that Ctrl+C reaches only the parent, which then stops
    its children in order. Its standard input is a pipe without a writer: components of this package
    stop when the pipe closes, so they do not outlive a killed parent.

    Args:
        name: Name of the component.
        command: Program and arguments.
        environment: Complete environment of the process.
        directory: Working directory; that of the parent by default.
        on_line: Called with the name and each line of output.
        on_end: Called after the process has ended and its output is read, with whether the end
            was unexpected.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        directory: Path | None = None,
        on_line: Callable[[str, str], None],
        on_end: Callable[[bool], None] = lambda _unexpected: None,
    ) -> None:
        self.name = name
        self._command = command
        self._environment = environment
        self._directory = directory
        self._on_line = on_line
        self._on_end = on_end
        self._process: asyncio.subprocess.Process | None = None
        self._pump: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def process(self) -> int:
        """Process id; 0 when not running."""
        process = self._process
        return 0 if process is None or process.returncode is not None else process.pid

    async def start(self) -> None:
        """Start the program.

        Raises:
            DeployError: The program cannot be started.
        """
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=self._environment,
                cwd=self._directory,
                start_new_session=True,
            )
        except OSError as error:
            raise DeployError(
                f"cannot start {self.name!r}: {error.strerror or error}: {self._command[0]!r}"
                + (f" in {self._directory}" if self._directory else "")
            ) from error
        self._pump = asyncio.create_task(self._show_output())

    async def wait(self) -> int:
        """Wait for the end and return the exit code, negative for a signal."""
        if self._process is None or self._pump is None:
            return 0
        code = await self._process.wait()
        # A grandchild may keep the pipe open after the program has ended.
        await asyncio.wait([self._pump], timeout=1)
        self._on_end(not self._stopping)
        return code

    async def ended(self) -> str:
        """Wait for the end, and describe it: ``"was killed by SIGKILL"``."""
        return how_of(await self.wait())

    async def expect_running(self) -> None:
        """Raise when the program ends before `stop`.

        Raises:
            DeployError: The program ended.
        """
        how = await self.ended()
        if self._stopping:
            return
        raise DeployError(f"{self.name!r} {how} before the run did: its output is above")

    def expect_end(self) -> None:
        """Treat the end of the program as expected from here on."""
        self._stopping = True

    async def stop(self, timeout_seconds: float = 15.0) -> None:
        """Terminate the program, and kill it after a timeout."""
        self._stopping = True
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            self._signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), timeout_seconds)
            except TimeoutError:
                self._on_line(self.name, f"did not end in {timeout_seconds:g} s, so it is killed")
                self.kill()
        await self.wait()

    def kill(self) -> None:
        """Kill the program and its children at once."""
        self._stopping = True
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        try:
            # The whole process group: a command such as `go run` starts the real program as its
            # child.
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return

    async def _show_output(self) -> None:
        if self._process is None or self._process.stdout is None:
            return
        stream = self._process.stdout
        rest = b""
        while chunk := await stream.read(_LONGEST_LINE):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                self._on_line(self.name, line.decode("utf-8", "backslashreplace").rstrip("\r"))
            if len(rest) > _LONGEST_LINE:
                self._on_line(self.name, rest.decode("utf-8", "backslashreplace"))
                rest = b""
        if rest:
            self._on_line(self.name, rest.decode("utf-8", "backslashreplace"))


def how_of(code: int) -> str:
    """Describe how a program ended; a process guard reports a signal as a shell does."""
    number = -code if code < 0 else code - 128
    try:
        return f"was killed by {signal.Signals(number).name}"
    except ValueError:
        return f"ended with {code}"
