"""Times of a recording: whole nanoseconds since 1970, UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ingenium.errors import ConfigError

__all__ = ["DAY", "datetime_of", "nanoseconds"]

DAY = 86_400 * 1_000_000_000
"""Nanoseconds."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def nanoseconds(time: datetime) -> int:
    """Return an aware time as nanoseconds since 1970.

    Raises:
        ConfigError: It has no zone.
    """
    if time.tzinfo is None:
        raise ConfigError(f"time {time} has no zone: pass an aware one, such as one in UTC")
    return (time - _EPOCH) // _MICROSECOND * 1000


def datetime_of(instant: int) -> datetime:
    """Return nanoseconds since 1970 as a time in UTC, to the microsecond."""
    return _EPOCH + timedelta(microseconds=instant // 1000)
