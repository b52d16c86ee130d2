"""Times as numbers: seconds or fractions since 1970, or spreadsheet days."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from ingenium.errors import DataFileError
from ingenium.ingestors.csv._clocks import read_clock
from ingenium.ingestors.csv._zones import Zone

__all__ = ["NUMBER", "find_count"]

ReadTime = Callable[[str, datetime | None], datetime]

NUMBER = re.compile(r"([+-]?)([0-9]{1,19})(?:\.([0-9]*))?", re.ASCII)
"""Sign, whole part and fraction of a count."""
_EXPONENT = re.compile(r"[0-9](?:\.[0-9]+)?[eE]\+?[0-9]{1,2}", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROS = (1_000_000, 1_000, 1)
_LIMITS = (10**11, 10**14, 10**17)
"""From this size on a count is in the next smaller unit."""
_PER_SECOND = (1, 10**3, 10**6, 10**9)
_NAMES = ("seconds", "milliseconds", "microseconds", "nanoseconds")
_SMALL = 10**8
_OLD = datetime(1990, 1, 1, tzinfo=UTC).timestamp()
_DAY = 86_400
_YEAR = 366 * _DAY
_SERIALS = (10_000, 100_000)
"""Spreadsheet days from 1927 to 2173."""
_FIRST_SERIAL = datetime(1899, 12, 30)  # noqa: DTZ001
_CALENDAR = ((27, 34), (88, 95), (179, 187), (361, 370))


def find_count(
    name: str, sample: Sequence[str], zone: Zone, today: date
) -> tuple[ReadTime, bool, str] | None:
    """Detect the unit of a file's time numbers; ``None`` if they are not numbers.

    The size of a large number determines its unit. For smaller numbers, near 1970, the distances
    between them do: these must be the length of a bar.

    Args:
        name: Name of the file, for errors.
        sample: The first times of the file.
        zone: Time zone of spreadsheet days.
        today: The current day.

    Returns:
        A function that reads the numbers, whether they are days, and the assumption made.

    Raises:
        DataFileError: The unit is ambiguous.
    """
    if any(map(_EXPONENT.fullmatch, sample)):
        first = next(filter(_EXPONENT.fullmatch, sample))
        raise DataFileError(
            f"{name}: time {first!r} is a number that a spreadsheet has shortened: export the file "
            "with all digits of its times"
        )
    values = [float(text) for text in sample if NUMBER.fullmatch(text)]
    if not values:
        return None
    largest = max(map(abs, values))
    place = _place_by_size(largest)
    seconds = largest / _PER_SECOND[place]
    if largest >= _SMALL and _OLD <= seconds <= _timestamp(today) + _YEAR:
        return _by_size, False, ""
    steps = [abs(after - before) for before, after in pairwise(values)]
    step = min(filter(None, steps), default=0.0)
    if _SERIALS[0] <= min(values) and largest < _SERIALS[1] and _is_serial_step(step):
        is_days = all(value == int(value) for value in values)
        said = "times are days of a spreadsheet, counted from 1900"
        return _serial(zone), is_days, said
    for unit in range(place, len(_PER_SECOND)):
        if _is_bar(step / _PER_SECOND[unit]):
            if unit == place and largest >= _SMALL:
                break
            if min(values) > 0 and largest < _DAY * _PER_SECOND[unit]:
                raise DataFileError(
                    f"{name}: times such as {sample[-1]!r} count {_NAMES[unit]} of a day that "
                    "the file does not state: write the date into its rows"
                )
            said = f"times count {_NAMES[unit]} since 1970, by the distances between rows"
            return _of_unit(unit), False, said
    if largest >= _SMALL:
        return _by_size, False, ""
    raise DataFileError(
        f"{name}: time {sample[0]!r} may be a count of seconds since 1970, a year, a date or a day "
        "of a spreadsheet, and the distances of rows do not show which: pass date_format, such as "
        "'%Y' or '%Y%m', or write dates"
    )


def _place_by_size(number: float) -> int:
    return sum(number >= limit for limit in _LIMITS)


def _timestamp(day: date) -> float:
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


def _is_bar(seconds: float) -> bool:
    """Return whether a duration is a plausible bar length, a minute or more."""
    if seconds < 60 or seconds % 60:
        return False
    if seconds < _DAY:
        return _DAY % seconds == 0
    days = seconds / _DAY
    return days == int(days) and (
        days <= 8 or any(least <= days <= most for least, most in _CALENDAR)
    )


def _is_serial_step(days: float) -> bool:
    """Return whether a number of days is a plausible distance between spreadsheet rows."""
    if days >= 1:
        return _is_bar(days * _DAY)
    minutes = days * 1_440
    return minutes >= 1 - 0.01 and abs(minutes - round(minutes)) < 0.01


def _micros(match: re.Match[str], micros: int) -> int:
    """Return a count in microseconds."""
    sign, whole, fraction = match.groups()
    number = int(whole) * micros if micros else int(whole) // 1_000
    if fraction and micros > 1:
        number += int(fraction[:6].ljust(6, "0")) * micros // 1_000_000
    return -number if sign == "-" else number


def _match(text: str) -> re.Match[str]:
    match = NUMBER.fullmatch(text)
    if match is None:
        raise ValueError("is not a count since 1970, as the first times are")
    return match


def _by_size(text: str, last: datetime | None) -> datetime:
    # Row by row: some vendors changed from milliseconds to microseconds within a series.
    match = _match(text)
    place = _place_by_size(int(match[2]))
    return _EPOCH + timedelta(microseconds=_micros(match, (*_MICROS, 0)[place]))


def _of_unit(unit: int) -> ReadTime:
    micros = (*_MICROS, 0)[unit]

    def read(text: str, last: datetime | None) -> datetime:
        return _EPOCH + timedelta(microseconds=_micros(_match(text), micros))

    return read


def _serial(zone: Zone) -> ReadTime:
    def read(text: str, last: datetime | None) -> datetime:
        number, _, clock = text.partition(" ")
        if NUMBER.fullmatch(number) is None:
            raise ValueError("is not a day of a spreadsheet, as the first times are")
        days = float(number)
        time = _FIRST_SERIAL + timedelta(seconds=round(days * _DAY))
        if clock:
            return read_clock(time, clock, zone, last)
        return zone.to_utc(time, last, days == int(days))

    return read
