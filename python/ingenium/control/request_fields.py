"""Fields that requests of several services have: times, days and the size of a page."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from ingenium.control.call_guard import refuse
from ingenium.recorder.instants import datetime_of

__all__ = ["check_days", "page_size", "time_of_field", "time_range"]

_YEAR_9999 = 253_402_300_799 * 1_000_000_000


def time_of_field(request: Any, name: str) -> datetime | None:
    """Return the time of a field in nanoseconds since 1970; ``None`` if it is not set.

    Raises:
        ConnectError: It is out of range.
    """
    if not request.has_field(name):
        return None
    nanoseconds = getattr(request, name)
    if not 0 <= nanoseconds <= _YEAR_9999:
        raise refuse(f"time {nanoseconds} is out of range: use nanoseconds since 1970")
    return datetime_of(nanoseconds)


def time_range(request: Any) -> tuple[datetime | None, datetime | None]:
    """Return ``since_time`` and ``until_time``; see `time_of_field`."""
    return time_of_field(request, "since_time"), time_of_field(request, "until_time")


def page_size(asked: int, most: int) -> int:
    """Return the number of rows of a page.

    Raises:
        ConnectError: It is out of range.
    """
    if not 0 <= asked <= most:
        raise refuse(f"a page of {asked} rows is not possible: use 1 to {most}, or 0 for 100")
    return asked or min(100, most)


def check_days(start: str, end: str) -> None:
    """Check the days of a request.

    Raises:
        ConnectError: One is no day, or they are in the wrong order.
    """
    for name, text in (("start_day", start), ("end_day", end)):
        try:
            is_day = not text or date.fromisoformat(text).isoformat() == text
        except ValueError:
            is_day = False
        if not is_day:
            raise refuse(f"{name} is {text!r}: write a day as 2020-01-31")
    if start and end and end < start:
        raise refuse(f"end_day {end} is before start_day {start}")
