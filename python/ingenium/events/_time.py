"""Read times as Go's ``time.Time.UnmarshalJSON`` does."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from ingenium.events._scanner import describe

__all__ = ["ZERO", "TimeError", "read_time"]

# RFC 3339 with Go's extensions: an hour of one digit, a comma before the fraction, and offsets up
# to 24:60.
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{1,2}):([0-9]{2}):([0-9]{2})"
    r"(?:[.,]([0-9]+))?(?:Z|([+-])([0-9]{2}):([0-9]{2}))"
)
ZERO = datetime(1, 1, 1, tzinfo=UTC)
"""Go's zero time."""
# The calendar repeats every 400 years; Python's starts with year 1, but Go's has a year 0.
_CYCLE_YEARS = 400
_CYCLE = timedelta(days=146_097)


class TimeError(Exception):
    """The text is not a time, or one that a datetime cannot represent."""


def read_time(text: str) -> datetime | None:
    """Return a time in UTC, truncated to microseconds.

    Args:
        text: The text between the quotes, ``"2024-01-03T09:30:00.123456789-05:00"``.

    Returns:
        The time; ``None`` for Go's zero time, which means unset.

    Raises:
        TimeError: Go would refuse the text, or the time is outside of the years 1 to 9999 in UTC.
    """
    found = _TIME.fullmatch(text)
    if found is None:
        raise _no_time(text)
    year, month, day, hour, minute, second, fraction, sign, hours, minutes = found.groups()
    offset = timedelta()
    if sign is not None:
        if int(hours) > 24 or int(minutes) > 60:
            raise _no_time(text)
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        if sign == "-":
            offset = -offset
    microsecond = int(fraction[:6].ljust(6, "0")) if fraction else 0
    before = year == "0000"
    try:
        local = datetime(
            _CYCLE_YEARS if before else int(year),
            int(month),
            int(day),
            int(hour),
            int(minute),
            int(second),
            microsecond,
            tzinfo=UTC,
        )
    except ValueError:
        raise _no_time(text) from None
    try:
        time = local - offset - _CYCLE if before else local - offset
    except OverflowError:
        raise TimeError(
            f"the time {describe(text)} is outside of the years 1 to 9999 in UTC"
        ) from None
    return None if time == ZERO else time


def _no_time(text: str) -> TimeError:
    return TimeError(f'expected a time like "2024-01-03T00:00:00Z", found {describe(text)}')
