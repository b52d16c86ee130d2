"""Times as files write them: which form a file uses, and how to read it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta

from ingenium.errors import DataFileError
from ingenium.ingest._zones import Zone

__all__ = ["ReadTime", "Times", "find_times"]

ReadTime = Callable[[str, datetime | None], datetime]
"""Takes a text and the series' last time; returns the time in UTC or raises ``ValueError``."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_TEXT = re.compile(r"(\d{9,19})(?:\.(\d+))?", re.ASCII)
_COMPACT = re.compile(
    r"((?:19|20)\d\d)(\d\d)(\d\d)(?:[T ]?(\d\d):?(\d\d)(?::?(\d\d))?(\.\d+)?)?Z?", re.ASCII
)
_YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?:[T ]\s*(\S.*))?", re.ASCII)
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d\d)(?:[T ,]\s*(\S.*))?", re.ASCII)
_MONTH_FIRST = re.compile(
    r"(?:[A-Za-z]{3,9},? )?([A-Za-z]{3,9})\.? (\d{1,2}),? (\d{4})(?:,? (\S.*))?", re.ASCII
)
_MONTH_SECOND = re.compile(
    r"(?:[A-Za-z]{3,9},? )?(\d{1,2})[- ]([A-Za-z]{3,9})\.?[- ,]{1,2}(\d{4}|\d\d)(?:,? (\S.*))?",
    re.ASCII,
)
_CLOCK = re.compile(
    r"(\d{1,2})(?::(\d\d)(?::(\d\d)(?:[.,](\d+))?)?)?\s*([AaPp])?\.?(?(5)[Mm]\.?)\s*"
    r"(Z|UTC|GMT|(?:GMT|UTC)?[+-]\d\d:?\d\d)?",
    re.ASCII,
)
_MONTHS = {
    name: number
    for number, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1
    )
}
_CACHE_LIMIT = 100_000


class Times:
    """How the times of one file are read.

    Attributes:
        read: Reads one.
        date_only: Whether they are days, without a time of day.
    """

    def __init__(self, read: ReadTime, date_only: bool) -> None:
        self.read = read
        self.date_only = date_only


def find_times(
    name: str,
    sample: Sequence[str],
    all_texts: Callable[[], Iterable[str]],
    zone: Zone,
    date_format: str | None,
) -> Times:
    """Find out in which form a file writes its times.

    Args:
        name: The file, for errors.
        sample: The first of its times.
        all_texts: Gives all of them, asked only when days and months cannot be told apart.
        zone: The zone of times that state none.
        date_format: As of ``datetime.strptime``; ``None`` to find out.

    Raises:
        DataFileError: The form is not known, or leaves open which number is the month.
    """
    if date_format is not None:
        return _formatted(date_format, zone)
    for text in sample:
        if _COMPACT.fullmatch(text) and _is_date(text):
            return Times(_compact(zone), not any(len(other) > 8 for other in sample))
        if _EPOCH_TEXT.fullmatch(text):
            return Times(_epoch, False)
        if match := _YEAR_FIRST.fullmatch(text):
            return Times(_year_first(zone), not any(_rest(_YEAR_FIRST, t) for t in sample))
        if match := _YEAR_LAST.fullmatch(text):
            day_first = match[2] == "." or _day_first(name, sample, all_texts)
            read = _by_pattern(_YEAR_LAST, (4, 1, 3) if not day_first else (4, 3, 1), zone)
            return Times(read, not any(_rest(_YEAR_LAST, t) for t in sample))
        if (match := _MONTH_FIRST.fullmatch(text)) and _month(match[1]):
            read = _by_pattern(_MONTH_FIRST, (3, 1, 2), zone)
            return Times(read, not any(_rest(_MONTH_FIRST, t) for t in sample))
        if (match := _MONTH_SECOND.fullmatch(text)) and _month(match[2]):
            read = _by_pattern(_MONTH_SECOND, (3, 2, 1), zone)
            return Times(read, not any(_rest(_MONTH_SECOND, t) for t in sample))
    found = repr(sample[0]) if sample else "none"
    raise DataFileError(
        f"{name}: time {found} has no form that is known: pass date_format, such as "
        "'%d.%m.%y %H:%M'"
    )


def _rest(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.fullmatch(text)
    return match[pattern.groups] if match else None


def _is_date(text: str) -> bool:
    match = _COMPACT.fullmatch(text)
    return match is not None and 1 <= int(match[2]) <= 12 and 1 <= int(match[3]) <= 31


def _day_first(name: str, sample: Sequence[str], all_texts: Callable[[], Iterable[str]]) -> bool:
    """Decide over the whole file whether ``01/02/2024`` is in January or in February."""
    for texts in (sample, all_texts()):
        seen: set[bool] = set()
        for text in texts:
            match = _YEAR_LAST.fullmatch(text)
            if match is None:
                continue
            if int(match[1]) > 12:
                seen.add(True)
            if int(match[3]) > 12:
                seen.add(False)
        if len(seen) == 1:
            return seen.pop()
        if seen:
            raise DataFileError(
                f"{name}: some dates have the day first and others the month: make them alike"
            )
    raise DataFileError(
        f"{name}: dates such as {sample[0]!r} leave open which number is the month: pass "
        "date_format='%m/%d/%Y' or '%d/%m/%Y', followed by ' %H:%M:%S' if there are times of day"
    )


def _epoch(text: str, last: datetime | None) -> datetime:
    match = _EPOCH_TEXT.fullmatch(text)
    if match is None:
        raise ValueError("is no count since 1970, as the first ones are")
    number = int(match[1])
    # By size, row by row: some vendors went from milliseconds to microseconds within a series.
    if number < 100_000_000_000:
        micros = number * 1_000_000
        if match[2]:
            micros += int(match[2][:6].ljust(6, "0"))
    elif number < 100_000_000_000_000:
        micros = number * 1_000
    elif number < 100_000_000_000_000_000:
        micros = number
    else:
        micros = number // 1_000
    return _EPOCH + timedelta(microseconds=micros)


def _year_first(zone: Zone) -> ReadTime:
    parse = datetime.fromisoformat
    to_utc = zone.to_utc
    slow = _by_pattern(_YEAR_FIRST, (1, 3, 4), zone)

    def read(text: str, last: datetime | None) -> datetime:
        if len(text) < 10 or text[4] != "-":
            return slow(text, last)
        try:
            time = parse(text)
        except ValueError:
            return slow(text, last)
        if time.tzinfo is UTC:
            return time
        if time.tzinfo is None:
            return to_utc(time, last, len(text) == 10)
        return time.astimezone(UTC)

    return read


def _compact(zone: Zone) -> ReadTime:
    def read(text: str, last: datetime | None) -> datetime:
        match = _COMPACT.fullmatch(text)
        if match is None:
            raise ValueError("is no date like 20240102, as the first ones are")
        year, month, day, hour, minute, second, fraction = match.groups()
        time = datetime(int(year), int(month), int(day))  # noqa: DTZ001
        if hour is not None:
            time = time.replace(
                hour=int(hour),
                minute=int(minute),
                second=int(second or 0),
                microsecond=int((fraction or ".0")[1:7].ljust(6, "0")),
            )
        if text[-1] == "Z":
            return time.replace(tzinfo=UTC)
        return zone.to_utc(time, last, hour is None)

    return read


def _by_pattern(pattern: re.Pattern[str], order: tuple[int, int, int], zone: Zone) -> ReadTime:
    """Make a reader for dates whose year, month and day are these groups of the pattern."""
    days: dict[str, datetime] = {}
    year_group, month_group, day_group = order
    clock_group = pattern.groups

    def read(text: str, last: datetime | None) -> datetime:
        day = days.get(text)
        if day is not None:
            return zone.to_utc(day, last, True)
        match = pattern.fullmatch(text)
        if match is None:
            raise ValueError("is no date in the form of the first ones")
        clock = match[clock_group]
        date = text if clock is None else text[: match.start(clock_group)]
        day = days.get(date)
        if day is None:
            year = int(match[year_group])
            if len(match[year_group]) == 2:
                # As POSIX has it for two digits.
                year += 1900 if year >= 69 else 2000
            month_text = match[month_group]
            month = int(month_text) if month_text.isdigit() else _month(month_text)
            day = datetime(year, month, int(match[day_group]))  # noqa: DTZ001
            if len(days) < _CACHE_LIMIT:
                days[date] = day
        if clock is None:
            return zone.to_utc(day, last, True)
        return _with_clock(day, clock, zone, last)

    return read


def _with_clock(day: datetime, clock: str, zone: Zone, last: datetime | None) -> datetime:
    match = _CLOCK.fullmatch(clock.strip())
    if match is None:
        raise ValueError("has no time of day that is known")
    hour = int(match[1])
    if match[5]:
        if not 1 <= hour <= 12:
            raise ValueError("has an hour that does not go with AM or PM")
        hour = hour % 12 + (12 if match[5] in "Pp" else 0)
    time = day.replace(
        hour=hour,
        minute=int(match[2] or 0),
        second=int(match[3] or 0),
        microsecond=int((match[4] or "0")[:6].ljust(6, "0")),
    )
    offset = match[6]
    if offset is None:
        return zone.to_utc(time, last, False)
    digits = re.sub(r"[^0-9+-]", "", offset)
    if digits:
        shift = timedelta(hours=int(digits[1:3]), minutes=int(digits[3:5]))
        time = time + shift if digits[0] == "-" else time - shift
    return time.replace(tzinfo=UTC)


def _formatted(date_format: str, zone: Zone) -> Times:
    date_only = re.search(r"%[HIMSpfXcTs]", date_format) is None

    def read(text: str, last: datetime | None) -> datetime:
        try:
            time = datetime.strptime(text, date_format)  # noqa: DTZ007
        except ValueError:
            raise ValueError(f"does not fit date_format {date_format!r}") from None
        if time.tzinfo is None:
            return zone.to_utc(time, last, date_only)
        return time.astimezone(UTC)

    return Times(read, date_only)


def _month(name: str) -> int:
    return _MONTHS.get(name[:3].lower(), 0)
