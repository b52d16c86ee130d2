"""Convert the cells of a row into time and symbol of a bar."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from ingenium.errors import DataFileError
from ingenium.ingestors.csv._columns import Layout
from ingenium.ingestors.csv._times import ReadTime
from ingenium.subjects.names import check_symbol

__all__ = ["check_ticker", "find_clock_digits", "make_time_of", "no_time"]

TimeOf = Callable[[list[str], datetime | None], datetime]
"""Called with a row and the last time of its series."""


def make_time_of(layout: Layout, read_time: ReadTime) -> TimeOf:
    """Return a function that reads the time of a row, given the last one of its series."""
    place = layout["time"]
    clock_place = layout.columns.get("clock", -1)
    clock_digits = layout.clock_digits
    clocks: dict[str, str] = {}

    def failed(text: str, last: datetime | None, error: Exception) -> datetime:
        """Retry with stripped cells; otherwise return the error."""
        stripped = text.strip()
        if not stripped:
            raise ValueError("time is empty")
        if stripped != text:
            return read(stripped, last)
        raise ValueError(f"time {text!r} cannot be read: {error}")

    def read(text: str, last: datetime | None) -> datetime:
        try:
            return read_time(text, last)
        except (ValueError, OverflowError) as error:
            return failed(text, last, error)

    def time_of(row: list[str], last: datetime | None) -> datetime:
        text = row[place]
        try:
            return read_time(text, last)
        except (ValueError, OverflowError) as error:
            return failed(text, last, error)

    def time_of_two(row: list[str], last: datetime | None) -> datetime:
        text = row[clock_place]
        clock = clocks.get(text)
        if clock is None:
            clock = clocks[text] = _clock_of(text.strip(), clock_digits)
        return read(f"{row[place].strip()} {clock}", last)

    return time_of if clock_place < 0 else time_of_two


def no_time(name: str, layout: Layout, read_time: ReadTime, row: list[str]) -> DataFileError:
    """Return the error for a file in whose first rows, such as this one, no time can be read."""
    reason = ""
    try:
        make_time_of(layout, read_time)(row, None)
    except ValueError as error:
        reason = f"; the first: {error}"
    return DataFileError(f"{name}: no time can be read of its first rows{reason}")


def find_clock_digits(name: str, texts: Iterable[str]) -> int:
    """Return the number of digits of a file's times of day that are written as numbers.

    Numbers lose leading zeros: 500 is 05:00 with four digits, and 00:05 with six.

    Args:
        name: Name of the file, for errors.
        texts: The first times of day of the file.

    Raises:
        DataFileError: The numbers may be hours, minutes or seconds.
    """
    numbers = {text for text in map(str.strip, texts) if _is_clock_number(text)}
    longest = max(map(len, numbers), default=6)
    if longest > 4:
        return 6
    if longest < 3 and any(map(int, numbers)):
        shown = max(numbers, key=int)
        raise DataFileError(
            f"{name}: time of day {shown!r} may count hours, minutes or seconds: write it as "
            "09:00, or leave it out with columns={'clock': None}"
        )
    return 4 if all(int(text) < 2460 and int(text) % 100 < 60 for text in numbers) else 6


def _is_clock_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 6


def _clock_of(text: str, digits: int) -> str:
    """Convert 93000 and 0930 to the usual form."""
    if not _is_clock_number(text):
        return text
    if len(text) > digits or (len(text) != digits and text[0] == "0" and int(text)):
        raise ValueError(
            f"time of day {text!r} cannot be read: the first ones of the file have {digits} digits"
        )
    number = text.zfill(digits).ljust(6, "0")
    return f"{number[:2]}:{number[2:4]}:{number[4:]}"


def check_ticker(symbol: str) -> None:
    """Refuse a symbol that is invalid in a subject.

    Raises:
        ValueError: The symbol is invalid.
    """
    if not symbol:
        raise ValueError("symbol is empty")
    if "\ufffd" in symbol:
        raise ValueError(f"symbol {symbol!r} is not UTF-8")
    check_symbol(symbol)
