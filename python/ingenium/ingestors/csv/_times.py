"""Detect and parse the time format of a file."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta

from ingenium.clock import SystemClock
from ingenium.errors import DataFileError
from ingenium.ingestors.csv._clocks import read_clock
from ingenium.ingestors.csv._epochs import NUMBER, find_count
from ingenium.ingestors.csv._months import month_of
from ingenium.ingestors.csv._zones import Zone

__all__ = ["ReadTime", "Times", "find_times"]

ReadTime = Callable[[str, datetime | None], datetime]
"""Called with a text and the series' last time; returns UTC or raises ``ValueError``."""

_WORD = r"[^\W\d_]"
_REST = r"(?:[T ,:]\s*(\S.*))?"
_DAY_NAME = rf"(?:{_WORD}{{2,12}}\.?,?\s+)?"
_COMPACT = re.compile(
    r"((?:19|20)[0-9]{2})([0-9]{2})([0-9]{2})"
    r"(?:[T ,;-]?\s*((?:[0-9]:|[0-9]{2}(?![0-9]$|[0-9]{3}$)).*))?"
)
_YEAR_FIRST = re.compile(r"([0-9]{4})([-/.])\s?([0-9]{1,2})\2\s?([0-9]{1,2})(?:[T ,]\s*(\S.*))?")
_YEAR_LAST = re.compile(
    r"([0-9]{1,2})([-/.])\s?([0-9]{1,2})\2\s?([0-9]{4}|[0-9]{2})(?:[T ,]\s*(\S.*))?"
)
_MONTH_FIRST = re.compile(
    rf"{_DAY_NAME}({_WORD}{{3,12}})\.?\s+([0-9]{{1,2}})(?:st|nd|rd|th)?,?\s+([0-9]{{4}}){_REST}"
)
_MONTH_SECOND = re.compile(
    rf"{_DAY_NAME}([0-9]{{1,2}})(?:st|nd|rd|th)?\.?[-/ ]?\s*(?:de\s+)?({_WORD}{{3,12}})\.?"
    rf"[-/ ,]{{0,2}}\s*(?:de\s+)?([0-9]{{4}}|[0-9]{{2}})(?:\s?г\.?)?{_REST}"  # noqa: RUF001
)
_YEAR_NAMED = re.compile(rf"([0-9]{{4}})[-/ ]({_WORD}{{3,12}})\.?[-/ ]([0-9]{{1,2}}){_REST}")
_EASTERN = re.compile(
    r"([0-9]{4})\s?[年년]\s?([0-9]{1,2})\s?[月월]\s?([0-9]{1,2})\s?[日일]"
    r"(?:\s?[(\uff08][^)\uff09]*[)\uff09])?(?:\s*(\S.*))?"
)
_C_TIME = re.compile(
    rf"{_DAY_NAME}({_WORD}{{3}})\s+([0-9]{{1,2}})\s+([0-9]+:[0-9:.]+)\s+(?:([A-Za-z]{{1,5}})\s+)?"
    r"([0-9]{4})"
)
# Groups of year, month and day.
_NAMED = (
    (_MONTH_FIRST, (3, 1, 2)),
    (_MONTH_SECOND, (3, 2, 1)),
    (_YEAR_NAMED, (1, 2, 3)),
)
_CACHE_LIMIT = 100_000
_AHEAD = timedelta(days=31)
"""How far the end of an unfinished bar may be in the future."""


class Times:
    """Parser of the times of one file.

    Attributes:
        read: Reads one time.
        date_only: Whether the times are days, without a time of day.
        guess: Assumption about the format; empty when it is unambiguous.
    """

    def __init__(self, read: ReadTime, date_only: bool, guess: str = "") -> None:
        self.read = read
        self.date_only = date_only
        self.guess = guess


def find_times(
    name: str,
    sample: Sequence[str],
    all_texts: Callable[[], Iterable[str]],
    zone: Zone,
    date_format: str | None,
    today: date | None = None,
    *,
    beside_clock: bool = False,
) -> Times:
    """Detect the time format of a file.

    Args:
        name: Name of the file, for errors.
        sample: The first times of the file.
        all_texts: Returns all times; called only when days and months are ambiguous.
        zone: Time zone of times that state none.
        date_format: As for ``datetime.strptime``; ``None`` to detect it.
        today: Day that determines the century of a two-digit year; the current day.
        beside_clock: Whether a time of day is appended to each, after a space, when it is read.

    Raises:
        DataFileError: The format is unknown, or the position of the month is ambiguous.
    """
    today = today or SystemClock().now().date()
    if date_format is not None:
        return _formatted(date_format, zone, today, beside_clock)
    sample = [" ".join(text.split()) for text in sample]
    for text in sample:
        if _COMPACT.fullmatch(text) and _is_date(text, today):
            return _found(_COMPACT, _fast(_COMPACT, (1, 2, 3), zone, today), sample)
        if NUMBER.fullmatch(text) and (count := find_count(name, sample, zone, today)):
            return Times(*count)
        if _YEAR_FIRST.fullmatch(text):
            return _found(_YEAR_FIRST, _fast(_YEAR_FIRST, (1, 3, 4), zone, today), sample)
        if match := _YEAR_LAST.fullmatch(text):
            if _is_short_year_first(name, sample):
                order = (1, 3, 4)
            elif match[2] == "." or _day_first(name, sample, all_texts):
                order = (4, 3, 1)
            else:
                order = (4, 1, 3)
            return _found(_YEAR_LAST, _by_pattern(_YEAR_LAST, order, zone, today), sample)
        for pattern, order in _NAMED:
            if (match := pattern.fullmatch(text)) and month_of(match[order[1]]):
                return _found(pattern, _by_pattern(pattern, order, zone, today), sample)
        if _EASTERN.fullmatch(text):
            return _found(_EASTERN, _by_pattern(_EASTERN, (1, 2, 3), zone, today), sample)
        if _C_TIME.fullmatch(text):
            return Times(_c_time(zone, today), False)
    # Raises if digits were lost.
    find_count(name, sample, zone, today)
    found = repr(sample[0]) if sample else "none"
    raise DataFileError(
        f"{name}: time {found} has no known format: pass date_format, such as '%d.%m.%y %H:%M'"
    )


def _found(pattern: re.Pattern[str], read: ReadTime, sample: Sequence[str]) -> Times:
    matches = map(pattern.fullmatch, sample)
    return Times(read, not any(match[pattern.groups] for match in matches if match))


def _is_date(text: str, today: date) -> bool:
    match = _COMPACT.fullmatch(text)
    if match is None or not (1 <= int(match[2]) <= 12 and 1 <= int(match[3]) <= 31):
        return False
    if not text.isdigit():
        return True
    # Ten digits are a date with an hour if as seconds they would be in the future.
    return len(text) in {8, 12, 14} or (len(text) == 10 and int(text) > _next_year(today))


def _next_year(day: date) -> float:
    return datetime(day.year + 1, 1, 1, tzinfo=UTC).timestamp()


def _is_short_year_first(name: str, sample: Sequence[str]) -> bool:
    """Distinguish 24-01-31 from 31-01-24 by the number that changes most between rows."""
    matches = [match for match in map(_YEAR_LAST.fullmatch, sample) if match]
    if any(len(match[4]) == 4 or int(match[3]) > 12 or int(match[4]) > 31 for match in matches):
        return False
    firsts, lasts = ({int(match[group]) for match in matches} for group in (1, 4))
    if max(firsts) > 31:
        return True
    if min(firsts) > 12 and len(matches) > 1 and len(lasts) == len(firsts):
        raise DataFileError(
            f"{name}: dates such as {sample[0]!r} leave open which number is the year: pass "
            "date_format='%y-%m-%d' or '%d-%m-%y', with what stands between the numbers"
        )
    return min(firsts) > 12 and len(lasts) > len(firsts)


def _day_first(name: str, sample: Sequence[str], all_texts: Callable[[], Iterable[str]]) -> bool:
    """Determine from the whole file whether ``01/02/2024`` is in January or February."""
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


def _fast(
    pattern: re.Pattern[str], order: tuple[int, int, int], zone: Zone, today: date
) -> ReadTime:
    """Return a reader for dates with the year first, mostly parsed by the standard library."""
    parse = datetime.fromisoformat
    to_utc = zone.to_utc
    slow = _by_pattern(pattern, order, zone, today)
    is_compact = pattern is _COMPACT
    date_length = 8 if is_compact else 10

    def read(text: str, last: datetime | None) -> datetime:
        # Texts that the library would misread: 09.30 as a fraction of nine hours.
        if is_compact:
            if text[8:].isdigit() or text[11:12] == ".":
                return slow(text, last)
        elif text[4:5] != "-" or text[13:14] == ".":
            return slow(text, last)
        try:
            time = parse(text)
        except ValueError:
            return slow(text, last)
        if time.tzinfo is UTC:
            return time
        if time.tzinfo is None:
            return to_utc(time, last, len(text) == date_length)
        return time.astimezone(UTC)

    return read


def _by_pattern(
    pattern: re.Pattern[str], order: tuple[int, int, int], zone: Zone, today: date
) -> ReadTime:
    """Return a reader for dates whose year, month and day are these groups of the pattern."""
    days: dict[str, datetime] = {}
    year_group, month_group, day_group = order
    clock_group = pattern.groups
    latest = _latest(today)

    def read(text: str, last: datetime | None) -> datetime:
        day = days.get(text)
        if day is not None:
            return zone.to_utc(day, last, True)
        match = pattern.fullmatch(text)
        if match is None:
            plain = " ".join(text.split())
            if plain != text:
                return read(plain, last)
            raise ValueError("is not a date in the form of the first rows")
        clock = match[clock_group]
        date = text if clock is None else text[: match.start(clock_group)]
        day = days.get(date)
        if day is None:
            month_text = match[month_group]
            month = int(month_text) if month_text.isdigit() else month_of(month_text)
            day = _day_of(match[year_group], month, int(match[day_group]), latest)
            if len(days) < _CACHE_LIMIT:
                days[date] = day
        if clock is None:
            return zone.to_utc(day, last, True)
        return read_clock(day, clock, zone, last)

    return read


def _latest(today: date) -> datetime:
    return datetime(today.year, today.month, today.day) + _AHEAD  # noqa: DTZ001


def _day_of(year_text: str, month: int, day: int, latest: datetime) -> datetime:
    """Return a day; a two-digit year is within the last hundred years."""
    year = int(year_text)
    if len(year_text) > 2:
        return datetime(year, month, day)  # noqa: DTZ001
    year += 1900 if year >= 69 else 2000
    time = datetime(year, month, day)  # noqa: DTZ001
    return time if time <= latest else datetime(year - 100, month, day)  # noqa: DTZ001


def _c_time(zone: Zone, today: date) -> ReadTime:
    """Return a reader for ``Tue Jan 2 09:30:00 2024``."""
    read_date = _by_pattern(_MONTH_FIRST, (3, 1, 2), zone, today)

    def read(text: str, last: datetime | None) -> datetime:
        match = _C_TIME.fullmatch(text)
        if match is None:
            raise ValueError("is not a date in the form of the first rows")
        month, day, clock, stated, year = match.groups()
        return read_date(f"{month} {day} {year} {clock} {stated or ''}".strip(), last)

    return read


def _formatted(date_format: str, zone: Zone, today: date, beside_clock: bool) -> Times:
    date_only = re.search(r"%[HIMSpfXcTs]", date_format) is None
    short_year = re.search(r"%[yDx]", date_format) is not None
    latest = _latest(today)
    spaces = date_format.count(" ")

    def read(text: str, last: datetime | None) -> datetime:
        clock = ""
        if beside_clock and date_only:
            words = text.split(" ")
            text, clock = " ".join(words[: spaces + 1]), " ".join(words[spaces + 1 :])
        try:
            time = datetime.strptime(text, date_format)  # noqa: DTZ007
        except ValueError:
            raise ValueError(f"does not fit date_format {date_format!r}") from None
        if short_year and time.replace(tzinfo=None) > latest:
            time = time.replace(year=time.year - 100)
        if clock:
            return read_clock(time, clock, zone, last)
        if time.tzinfo is None:
            return zone.to_utc(time, last, date_only)
        return time.astimezone(UTC)

    return Times(read, date_only)
