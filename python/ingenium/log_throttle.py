"""Keeps a log readable when the same thing happens thousands of times."""

from __future__ import annotations

from datetime import datetime, timedelta

__all__ = ["LogThrottle"]

_SHOWN = 5
_WINDOW = timedelta(seconds=60)


class _Period:
    """What has happened of one kind since a time."""

    __slots__ = ("began", "last", "more", "shown")

    def __init__(self, began: datetime, shown: int = 0) -> None:
        self.began = began
        self.shown = shown
        self.more = 0
        self.last = ""


class LogThrottle:
    """Lets the first five lines of a kind through, and counts what comes behind them.

    The count comes out after a minute, and then each minute as long as it goes on; lines come out
    again when a minute was quiet.

    Args:
        shown: How many lines to let through instead of five.
    """

    def __init__(self, shown: int = _SHOWN) -> None:
        self._shown = shown
        self._periods: dict[str, _Period] = {}

    def __bool__(self) -> bool:
        return bool(self._periods)

    def note(self, kind: str, line: str, now: datetime) -> list[str]:
        """Take a line.

        Returns:
            What is to be told.
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
        """Return the counts that are to be told by now."""
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
        """Begin anew, and return all counts: what comes now comes of something else."""
        told = [line for kind, period in self._periods.items() for line in _count(kind, period)]
        self._periods.clear()
        return told


def _count(kind: str, period: _Period) -> list[str]:
    return [f"{period.more:,} more ({kind}), the last: {period.last}"] if period.more else []
