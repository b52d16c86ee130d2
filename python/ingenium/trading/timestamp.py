"""Times of market data, whose ``Timestamp`` is a string in the documented format."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime

from ingenium.errors import DecodeError
from ingenium.trading.log_once import log_once

__all__ = ["is_stated", "is_time", "parse_time", "read_time"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ZERO = datetime(1, 1, 1, tzinfo=UTC)
# Go's formats of the zero time.
_ZERO_TIMES = ("", "0001-01-01T00:00:00Z", "0001-01-01 00:00:00 +0000 UTC")

_NUMBER = re.compile(r"[0-9]{9,20}(?:\.[0-9]{1,9})?|[0-9](?:\.[0-9]{1,18})?[eE]\+?[0-9]{1,2}")
# Seconds, milliseconds, microseconds or nanoseconds: told apart by magnitude, which is unambiguous
# for all times between 1973 and 5138.
_SCALES = (
    (Decimal(10) ** 11, 1),
    (Decimal(10) ** 14, 10**3),
    (Decimal(10) ** 17, 10**6),
    (Decimal(10) ** 20, 10**9),
)
_FIRST_EPOCH = Decimal(10) ** 8
_COMPACT = re.compile(r"(?:19|20)[0-9]{12}")

# time.Time.String() of Go, which print and %v write: the zone twice, and for a time from the
# machine's clock the monotonic reading.
_GO = re.compile(
    r"(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2})(\.\d{1,9})? ([+-]\d{2})(\d{2})"
    r"(?: [A-Za-z0-9+-]{1,10})?(?: m=[+-]?\d+(?:\.\d+)?)?",
    re.ASCII,
)
# Go's time.ANSIC and time.UnixDate, and date(1), if in UTC.
_ANSI = re.compile(
    r"[A-Z][a-z]{2} ([A-Z][a-z]{2}) +(\d{1,2}) (\d{2}:\d{2}:\d{2})(?: (?:UTC|GMT))? (\d{4})",
    re.ASCII,
)
# "Wed, 03 Jan 2024 21:00:00 GMT": RFC 1123 and 2822, also with an offset.
_MAIL = re.compile(
    r"(?:[A-Z][a-z]{2,8}, )?\d{1,2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}(?::\d{2})? "
    r"(?:GMT|UTC|[+-]\d{4})",
    re.ASCII,
)


def is_stated(text: str) -> bool:
    """Return whether a timestamp is set: not empty, and not Go's zero time."""
    return text not in _ZERO_TIMES


def is_time(text: str) -> bool:
    """Return whether `parse_time` accepts a timestamp."""
    return _read(text) is not None


def parse_time(text: str) -> datetime:
    """Parse the timestamp of a data event; the result is in UTC.

    Accepts RFC 3339 and ISO 8601, seconds, milliseconds, microseconds and nanoseconds since 1970,
    and the formats of Go's ``time.Time``. A time without a zone is UTC.

    Raises:
        DecodeError: The text is not a time.
    """
    time = _read(text)
    if time is None:
        raise DecodeError("DataEvent", "Timestamp", f"expected an RFC 3339 time, found {text!r}")
    return time


def read_time(text: str, arrived: datetime | None) -> datetime:
    """Parse a timestamp, with a fallback for an empty or unreadable one.

    Args:
        text: The timestamp of the event; an unreadable one is logged once.
        arrived: When the event arrived, or its bar ended, UTC; ``None`` when unknown.

    Raises:
        DecodeError: The text is not a time, and there is no fallback.
    """
    if arrived is None:
        return parse_time(text)
    if not is_stated(text):
        return arrived
    time = _read(text)
    if time is None:
        log_once(
            "timestamp",
            text,
            "Timestamp %r is not a valid time, so its data counts as known at the end of its "
            "bar, or on arrival: write RFC 3339, such as '2024-01-03T21:00:00Z'",
        )
        return arrived
    return time


def _read(text: str) -> datetime | None:
    """Return the time that a text states, in UTC; ``None`` for any other text."""
    try:
        if text[4:5] == "-":
            time = _in_utc(datetime.fromisoformat(text))
            return None if time == _ZERO else time
    except (ValueError, OverflowError):
        pass
    if not is_stated(text):
        return None
    try:
        return _read_other(text.strip())
    except (ValueError, OverflowError, TypeError):
        return None


def _read_other(text: str) -> datetime | None:
    if _COMPACT.fullmatch(text) is not None:
        # As milliseconds since 1970 these fourteen digits would be in the years 2573 to 2635.
        return datetime.fromisoformat(f"{text[:8]}T{text[8:]}").replace(tzinfo=UTC)
    if _NUMBER.fullmatch(text) is not None:
        return _from_epoch(Decimal(text))
    if (match := _GO.fullmatch(text)) is not None:
        day, clock, part, hours, minutes = match.groups()
        return _in_utc(datetime.fromisoformat(f"{day}T{clock}{part or ''}{hours}:{minutes}"))
    if (match := _ANSI.fullmatch(text)) is not None:
        month, day, clock, year = match.groups()
        return parsedate_to_datetime(f"{day} {month} {year} {clock} GMT").astimezone(UTC)
    if _MAIL.fullmatch(text) is not None:
        return parsedate_to_datetime(text.replace("UTC", "GMT")).astimezone(UTC)
    return _in_utc(datetime.fromisoformat(text.replace(" UTC", "Z").replace(" Z", "Z")))


def _from_epoch(number: Decimal) -> datetime | None:
    if number < _FIRST_EPOCH:
        return None
    for limit, scale in _SCALES:
        if number < limit:
            return _EPOCH + timedelta(microseconds=int(number * 1_000_000 / scale))
    return None


def _in_utc(time: datetime) -> datetime:
    # Documented Go components may write a time without a zone; the format's zone is UTC.
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
