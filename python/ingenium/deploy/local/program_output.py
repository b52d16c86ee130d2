"""Throttles the output of a program, and stores all of it in a file."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable
from pathlib import Path

__all__ = ["ThinnedOutput"]

_FIRST_LINES = 20
_WINDOW_LINES = 10
_WINDOW_SECONDS = 5.0
_LAST_LINES = 10
_SHOWN_CHARACTERS = 500
_FILE_BYTES = 16 << 20


class ThinnedOutput:
    """Passes on the first lines of output, then ten every five seconds and a count of the rest.

    Programs that print each event would flood the terminal. When a program ends unexpectedly,
    `show_last` passes on the last suppressed lines.

    Args:
        on_line: Receives the name of the component and a line.
        path: File for all lines; rotated to ``<path>.1`` at 16 MiB.
        elapsed: Seconds, by a clock that only goes forward; the event loop's when left out.
    """

    def __init__(
        self,
        on_line: Callable[[str, str], None],
        path: Path,
        elapsed: Callable[[], float] | None = None,
    ) -> None:
        self._on_line = on_line
        self._path = path
        self._elapsed = elapsed or asyncio.get_running_loop().time
        self._file: int | None = None
        self._size = 0
        self._is_kept = True
        self._first = _FIRST_LINES
        self._window_began = self._elapsed()
        self._in_window = 0
        self._left_out = 0
        self._last: deque[str] = deque(maxlen=_LAST_LINES)
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Reset for a new start of the program."""
        self._first = _FIRST_LINES

    def line(self, name: str, line: str) -> None:
        """Process a line of output."""
        self._keep(line)
        if self._first:
            self._first -= 1
        elif not self._has_room():
            self._left_out += 1
            self._last.append(line)
            if self._timer is None:
                loop = asyncio.get_running_loop()
                self._timer = loop.call_later(_WINDOW_SECONDS, self._tell_count, name)
            return
        self._show(name, line)

    def _show(self, name: str, line: str) -> None:
        if len(line) > _SHOWN_CHARACTERS:
            line = f"{line[:_SHOWN_CHARACTERS]}... ({len(line):,} characters)"
        self._on_line(name, line)

    def show_last(self, name: str) -> None:
        """Pass on the last suppressed lines."""
        last = list(self._last)
        self._tell_count(name)
        for line in last:
            self._show(name, line)

    def close(self, name: str) -> None:
        """Report the last count, and close the file."""
        self._tell_count(name)
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _tell_count(self, name: str) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._left_out:
            count, self._left_out = self._left_out, 0
            self._last.clear()
            lines = "line" if count == 1 else "lines"
            where = f"; all are in {self._path}" if self._is_kept else ""
            self._on_line(name, f"... {count:,} {lines} left out{where}")

    def _has_room(self) -> bool:
        now = self._elapsed()
        if now - self._window_began >= _WINDOW_SECONDS:
            self._window_began, self._in_window = now, 0
        self._in_window += 1
        return self._in_window <= _WINDOW_LINES

    def _keep(self, line: str) -> None:
        data = f"{line}\n".encode("utf-8", "backslashreplace")
        try:
            if self._file is not None and self._size + len(data) > _FILE_BYTES:
                os.close(self._file)
                self._file = None
                self._path.replace(f"{self._path}.1")
            if self._file is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
                self._file = os.open(self._path, flags, 0o600)
                self._size = os.fstat(self._file).st_size
            self._size += os.write(self._file, data)
        except OSError:
            # A full disk must not end the run.
            self._is_kept = False
