"""Logs incidents, and errors with the lines of user code that raised them."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from ingenium.bus.base import Incident, IncidentKind
from ingenium.log_throttle import LogThrottle
from ingenium.user_frames import frames_of, is_own, root_of

__all__ = ["IncidentWriter"]

_log = logging.getLogger("ingenium.bus")
_LEVELS = {
    IncidentKind.RECONNECTED: logging.INFO,
    IncidentKind.CLOSED: logging.ERROR,
    IncidentKind.EXIT_DENIED: logging.CRITICAL,
}
_COUNT_SECONDS = 60.0


class IncidentWriter:
    """Logs one line per incident; a traceback for the first error of a code line, then a count.

    Otherwise a handler that raises on each bar would flood the log.

    Args:
        now: Returns the current time, UTC.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._errors = LogThrottle(shown=1)
        self._feeds: set[str] = set()
        self._counting: asyncio.TimerHandle | None = None

    def write(self, incident: Incident) -> None:
        """Log an incident."""
        # Texts may come from foreign messages: none of their lines may look like a log entry.
        place = f" [{incident.subject}]" if incident.subject else ""
        line = _printable(f"{incident.kind.value}{place}: {incident.detail}")
        level = _LEVELS.get(incident.kind, logging.WARNING)
        error = incident.error
        if error is not None and incident.kind is IncidentKind.FEED:
            # Every restart is logged; its growing delay keeps restarts rare.
            origin = _origin_of(error)
            frames = "" if origin in self._feeds else f"\n{_indented(frames_of(error))}"
            self._feeds.add(origin)
            _log.log(level, "%s%s", line, frames)
            return
        if error is None or incident.kind is not IncidentKind.HANDLER_ERROR:
            _log.log(level, "%s", line)
            return
        for told in self._errors.note(_origin_of(error), line, self._now()):
            frames = f"\n{_indented(frames_of(error))}" if told is line else ""
            _log.log(level, "%s%s", told, frames)
        self._count_later()

    def end(self) -> None:
        """Log the remaining counts."""
        if self._counting is not None:
            self._counting.cancel()
            self._counting = None
        for told in self._errors.end():
            _log.warning("%s", told)

    def _tell_counts(self) -> None:
        self._counting = None
        for told in self._errors.due(self._now()):
            _log.warning("%s", told)
        if self._errors:
            self._count_later()

    def _count_later(self) -> None:
        # The count is also logged when no further error follows.
        if self._counting is None:
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                return
            self._counting = loop.call_later(_COUNT_SECONDS, self._tell_counts)


def _origin_of(error: BaseException) -> str:
    """Return a key that is equal for errors of the same code line."""
    root = root_of(error)
    frames = traceback.extract_tb(root.__traceback__)
    own = [frame for frame in frames if is_own(frame.filename)] or list(frames)
    place = f" in {Path(own[-1].filename).name}, line {own[-1].lineno}" if own else ""
    return f"{type(root).__name__}{place}"


def _indented(text: str) -> str:
    """Indent lines, so that none looks like the first line of a log entry."""
    return "\n".join(f"    {_printable(line)}" for line in text.split("\n") if line)


def _printable(text: str) -> str:
    return "".join([c if c.isprintable() else repr(c)[1:-1] for c in text])
