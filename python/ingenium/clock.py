"""Clocks, passed in as arguments.

No other module reads the wall clock, so a test or a replay can control the time.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol

__all__ = ["Clock", "ManualClock", "SystemClock", "format_second", "format_time"]


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_REMEMBERED = 100_000
# Texts of dates and of times of the day: isoformat takes three times as long as looking up both.
_dates: dict[int, str] = {}
_clocks: dict[int, str] = {}


def format_time(time: datetime) -> str:
    """Format an aware time as RFC 3339 in UTC, as in ``DataEvent.timestamp``."""
    since = time - _EPOCH
    if since.microseconds:
        if time.tzinfo is not UTC:
            time = time.astimezone(UTC)
        return f"{time.isoformat()[:-6]}Z"
    try:
        return _dates[since.days] + _clocks[since.seconds]
    except KeyError:
        return _remember(time, since)


def format_second(time: datetime) -> str:
    """Write an aware time like `format_time`, to the second, for people."""
    return format_time(time.replace(microsecond=0))


def _remember(time: datetime, since: timedelta) -> str:
    text = time.astimezone(UTC).isoformat()
    date, clock = text[:11], f"{text[11:19]}Z"
    if len(_dates) < _REMEMBERED:
        _dates[since.days] = date
        _clocks[since.seconds] = clock
    return date + clock


class Clock(Protocol):
    """Source of the current time."""

    def now(self) -> datetime:
        """Return the present time, aware and in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present time, aware and in UTC."""
        return datetime.now(UTC)


class ManualClock:
    """Clock that changes only when set: the simulated time of replays and tests.

    Args:
        start: Initial time; aware.
    """

    __slots__ = ("_now",)

    def __init__(self, start: datetime = datetime(1970, 1, 1, tzinfo=UTC)) -> None:
        self._now = start

    def now(self) -> datetime:
        """Return the time at which the clock was set."""
        return self._now

    def set(self, now: datetime) -> None:
        """Set the time to ``now``, which must be aware; going back is allowed."""
        if now.tzinfo is None:
            raise ValueError(f"time {now} has no zone: pass an aware datetime, such as one in UTC")
        self._now = now

    def advance(self, by: timedelta) -> None:
        """Advance the time by ``by``."""
        self._now += by
