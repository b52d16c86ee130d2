"""Throttle for repeated log lines."""

from __future__ import annotations

from datetime import datetime, timedelta

__all__ = ["LogThrottle"]

_SHOWN = 5
_WINDOW = timedelta(seconds=60)


class _Period:
    """Counts of one kind of line in a period."""

    __slots__ = ("began", "last", "more", "shown")

    def __init__(self, began: datetime, shown: int = 0) -> None:
        self.began = began
        self.shown = shown
        self.more = 0
        self.last = ""


class LogThrottle:
    """Passes the first five lines of a kind, and counts the rest.

    The count is reported after a minute and then each minute while lines keep coming; after a quiet
    minute lines pass again.

    Args:
        shown: Number of lines to pass instead of five.
    """

    def __init__(self, shown: int = _SHOWN) -> None:
        self._shown = shown
        self._periods: dict[str, _Period] = {}

    def __bool__(self) -> bool:
        return bool(self._periods)

    def note(self, kind: str, line: str, now: datetime) -> list[str]:
        """Process a line.

        Returns:
            Lines to log.
        """
        told = self.due(now)
        period = self._periods.setdefault(kind, _Period(now))
        if period.shown < self._shown:
            period.shown += 1
            told.append(line)
        else:
            period.more += 1
            period.last = line
        return told

    def due(self, now: datetime) -> list[str]:
        """Return the counts that are due."""
        told: list[str] = []
        for kind, period in list(self._periods.items()):
            if timedelta() <= now - period.began < _WINDOW:
                continue
            told += _count(kind, period)
            if period.more:
                self._periods[kind] = _Period(now, self._shown)
            else:
                del self._periods[kind]
        return told

    def end(self) -> list[str]:
        """Reset, and return all counts: later lines have another cause."""
        told = [line for kind, period in self._periods.items() for line in _count(kind, period)]
        self._periods.clear()
        return told


def _count(kind: str, period: _Period) -> list[str]:
    return [f"{period.more:,} more ({kind}), the last: {period.last}"] if period.more else []
