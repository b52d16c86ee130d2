"""Lengths of bars, in the formats that sources use."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta

from ingenium.errors import DecodeError
from ingenium.trading.log_once import log_once

__all__ = [
    "NOT_STATED",
    "add_months",
    "end_of_period",
    "format_period",
    "is_period",
    "parse_period",
    "read_period",
    "start_of_period",
]

NOT_STATED = timedelta(0)
"""The length of a bar whose source does not state one."""

Length = timedelta | int
"""A length of time, or a number of calendar months, which differ in length."""

_UNITS = {
    "us": timedelta(microseconds=1),
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_MONTHS = {"mo": 1, "q": 3, "y": 12}

_OURS = re.compile(r"([1-9][0-9]{0,5}) ?([smhdw])", re.ASCII)
# The units of Alpaca, Interactive Brokers, Polygon, pandas and others. Only m and M differ by case:
# minute and month.
_WORDS = {
    "us": "us usec microsecond microseconds",
    "ms": "ms msec millisecond milliseconds",
    "s": "s sec secs second seconds",
    "m": "m min mins minute minutes t",
    "h": "h hr hrs hour hours hourly",
    "d": "d day days daily",
    "w": "w wk wks week weeks weekly",
    "mo": "mo mon mth month months monthly mn",
    "q": "q qtr quarter quarters quarterly",
    "y": "y yr yrs year years yearly a annual",
}
_UNIT_OF = {word: unit for unit, words in _WORDS.items() for word in words.split()}
_NAMED = re.compile(r"([0-9]{1,15})?[ _-]?([a-z]+)", re.ASCII | re.IGNORECASE)
# MetaTrader and OANDA put the unit first, where M means minutes: M5, H1, D1.
_UNIT_FIRST = re.compile(r"(MN|[SMHDW])([1-9][0-9]{0,5})", re.ASCII)
# time.Duration.String() of Go: 1h0m0s, 1.5s, 250ms, 100µs.
_GO_PART = r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(h|ms|m|us|µs|μs|ns|s)"
_GO = re.compile(rf"(?:{_GO_PART})+")
_GO_PARTS = re.compile(_GO_PART)
_GO_UNITS = {
    "h": 3_600 * 10**9,
    "m": 60 * 10**9,
    "s": 10**9,
    "ms": 10**6,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ns": 1,
}
_ISO = re.compile(
    r"P(?:([0-9]{1,4})Y)?(?:([0-9]{1,5})M)?(?:([0-9]{1,6})W)?(?:([0-9]{1,6})D)?"
    r"(?:T(?:([0-9]{1,6})H)?(?:([0-9]{1,7})M)?(?:([0-9]{1,9})(?:[.,]([0-9]{1,9}))?S)?)?",
    re.ASCII | re.IGNORECASE,
)
# str() of a Python timedelta, and .NET's TimeSpan: 1:00:00, 1 day, 0:00:00, 1.00:00:00.
_CLOCK = re.compile(
    r"(?:([0-9]{1,6})(?: days?, |\.))?([0-9]{1,2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?",
    re.ASCII,
)

_REMEMBERED = 4096
_known: dict[str, Length | None] = {}
_texts: dict[timedelta, str] = {}


def read_period(text: str) -> Length:
    """Parse the length of a bar in any format that sources use.

    Args:
        text: ``"5m"``, the format of our events; ``"1Hour"`` and ``"5 mins"``, those of brokers; a
            Go duration, ``"1h0m0s"``; ISO 8601, ``"PT5M"``; a clock, ``"0:05:00"``.

    Returns:
        The length; a number of months for calendar lengths; `NOT_STATED` for an empty or unknown
        text. An unknown text is logged once.
    """
    try:
        found = _known[text]
    except KeyError:
        found = _read(text)
        if len(_known) < _REMEMBERED:
            _known[text] = found
    if found is not None:
        return found
    log_once(
        "period",
        text,
        "Ohlc.Period %r is unknown, so its bars count as bars without a stated period: write a "
        "number and a unit of s, m, h, d or w, such as '5m'",
    )
    return NOT_STATED


def is_period(text: str) -> bool:
    """Return whether a text is empty or a known length."""
    try:
        return _known[text] is not None
    except KeyError:
        return _read(text) is not None


def parse_period(text: str) -> timedelta:
    """Parse a length of time, ``"5m"`` or ``"1d"``; accepts the same texts as `read_period`.

    Raises:
        DecodeError: The text is not a length, or is one of months, which have no fixed length.
    """
    found = _read(text)
    if isinstance(found, timedelta) and found:
        return found
    raise DecodeError(
        "DataEvent",
        "Ohlc.Period",
        f"expected a number and a unit of s, m, h, d or w, such as '5m', found {text!r}",
    )


def format_period(period: timedelta) -> str:
    """Format the length of a bar, in the largest unit below a week that divides it: ``"1d"``."""
    try:
        return _texts[period]
    except KeyError:
        pass
    for unit in ("d", "h", "m", "s", "ms", "us"):
        count, rest = divmod(period, _UNITS[unit])
        if not rest and count > 0:
            text = f"{count}{unit}"
            if len(_texts) < _REMEMBERED:
                _texts[period] = text
            return text
    raise ValueError(f"period {period} is not positive")


def end_of_period(start: datetime, length: Length) -> datetime:
    """Return when a bar is complete; its start if the end is beyond the range of datetime."""
    try:
        return start + length if isinstance(length, timedelta) else add_months(start, length)
    except (OverflowError, ValueError):
        return start


def start_of_period(end: datetime, length: Length) -> datetime:
    """Return when a bar began; its end if the start is beyond the range of datetime."""
    try:
        return end - length if isinstance(length, timedelta) else add_months(end, -length)
    except (OverflowError, ValueError):
        return end


def add_months(time: datetime, months: int) -> datetime:
    """Return the same day and hour some months later, or the last day of a shorter month.

    Raises:
        ValueError: The year is out of range.
    """
    year, month = divmod(time.year * 12 + time.month - 1 + months, 12)
    for day in range(time.day, 27, -1):
        try:
            return time.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
    return time.replace(year=year, month=month + 1)


def _read(text: str) -> Length | None:
    """Return the length that a text states; zero for none, ``None`` for an unknown text."""
    match = _OURS.fullmatch(text)
    if match is not None:
        return int(match[1]) * _UNITS[match[2]]
    text = text.strip()
    if not text:
        return NOT_STATED
    for read in _READERS:
        found = read(text)
        if found is not None:
            return found
    return None


def _read_named(text: str) -> Length | None:
    match = _NAMED.fullmatch(text)
    if match is None:
        return None
    word = match[2]
    unit = "mo" if word == "M" else _UNIT_OF.get(word.lower())
    if unit is None:
        return None
    count = int(match[1] or 1)
    if unit in _MONTHS:
        return count * _MONTHS[unit] if count else NOT_STATED
    try:
        return count * _UNITS[unit]
    except OverflowError:
        return None


def _read_unit_first(text: str) -> Length | None:
    match = _UNIT_FIRST.fullmatch(text)
    if match is None:
        return None
    count, unit = int(match[2]), match[1]
    return count if unit == "MN" else count * _UNITS[unit.lower()]


def _read_go(text: str) -> Length | None:
    if _GO.fullmatch(text) is None:
        return None
    nanos = 0
    for count, unit in _GO_PARTS.findall(text):
        whole, _, part = count.partition(".")
        size = _GO_UNITS[unit]
        nanos += int(whole) * size
        if part:
            nanos += int(part) * size // 10 ** len(part)
    return _from_nanos(nanos)


def _read_iso(text: str) -> Length | None:
    match = _ISO.fullmatch(text)
    if match is None or not any(match.groups()):
        return None
    years, months, weeks, days, hours, minutes, seconds, part = match.groups()
    count = int(years or 0) * 12 + int(months or 0)
    rest = timedelta(
        weeks=int(weeks or 0), days=int(days or 0), hours=int(hours or 0), minutes=int(minutes or 0)
    ) + _seconds(seconds or "0", part)
    if count:
        return None if rest else count
    return rest


def _read_clock(text: str) -> Length | None:
    match = _CLOCK.fullmatch(text)
    if match is None:
        return None
    days, hours, minutes, seconds, part = match.groups()
    fixed = timedelta(days=int(days or 0), hours=int(hours), minutes=int(minutes))
    return fixed + _seconds(seconds, part)


def _seconds(whole: str, part: str | None) -> timedelta:
    return timedelta(seconds=int(whole), microseconds=int(((part or "") + "000000")[:6]))


def _from_nanos(nanos: int) -> timedelta | None:
    """Return a length of nanoseconds; ``None`` if it is not representable in microseconds."""
    micros = nanos // 1_000
    return None if nanos and not micros else timedelta(microseconds=micros)


_READERS: tuple[Callable[[str], Length | None], ...] = (
    _read_named,
    _read_unit_first,
    _read_go,
    _read_iso,
    _read_clock,
)
