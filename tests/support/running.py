"""Runs the command line as a user does: in a process of its own, with a limit on everything."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

__all__ = ["Ended", "Running", "ingenium", "running", "running_command", "until"]

LIMIT_SECONDS = 50.0


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


def _environment(extra: dict[str, str] | None) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("INGENIUM_", "NATS_"))}
    # Wide, so that no text is broken into lines that a test would have to put together.
    return kept | {"COLUMNS": "250", "PYTHONUNBUFFERED": "1"} | (extra or {})


def _command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "ingenium", *arguments]


def ingenium(*arguments: str, cwd: Path, env: dict[str, str] | None = None) -> Ended:
    """Run a command to its end."""
    done = subprocess.run(
        _command(arguments),
        cwd=cwd,
        env=_environment(env),
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def until(
    condition: Callable[[], bool],
    what: str,
    limit_seconds: float = LIMIT_SECONDS,
    pause_seconds: float = 0.02,
) -> None:
    """Wait for a condition; the pause is only how often it is looked at."""
    end = monotonic() + limit_seconds
    while not condition():
        if monotonic() > end:
            raise AssertionError(f"not within {limit_seconds:g} s: {what}")
        sleep(pause_seconds)


class Running:
    """A command that is running."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid
        self.out = ""
        self.err = ""
        self._readers = [
            threading.Thread(target=self._read, args=("out", process.stdout), daemon=True),
            threading.Thread(target=self._read, args=("err", process.stderr), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, name: str, stream: Iterator[str]) -> None:
        for line in stream:
            setattr(self, name, getattr(self, name) + line)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to this process, and to no other."""
        os.kill(self.pid, number)

    def wait(self, limit_seconds: float = LIMIT_SECONDS) -> Ended:
        """Wait for the end."""
        code = self._process.wait(limit_seconds)
        for reader in self._readers:
            reader.join(limit_seconds)
        return Ended(code, self.out, self.err)

    def until_line(self, text: str) -> None:
        """Wait until it has written a text."""
        until(
            lambda: text in self.out + self.err or self._process.poll() is not None,
            f"{text!r} in the output",
        )
        assert text in self.out + self.err, f"ended without {text!r}: {self.out}{self.err}"


@contextmanager
def running(*arguments: str, cwd: Path, env: dict[str, str] | None = None) -> Iterator[Running]:
    """Start a command, and end it whatever happens."""
    with running_command(_command(arguments), cwd=cwd, env=env) as it:
        yield it


@contextmanager
def running_command(
    command: Sequence[str], *, cwd: Path, env: dict[str, str] | None = None
) -> Iterator[Running]:
    """Start any program, and end it whatever happens."""
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=_environment(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    it = Running(process)
    try:
        yield it
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(LIMIT_SECONDS)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
