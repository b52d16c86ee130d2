"""The cells of a row to the time and the symbol of a bar."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from ingenium.ingest._columns import Layout
from ingenium.ingest._times import ReadTime
from ingenium.subjects import check_symbol

__all__ = ["check_ticker", "make_time_of"]

TimeOf = Callable[[list[str], datetime | None], datetime]
"""Takes a row and the last time of its series."""


def make_time_of(layout: Layout, read_time: ReadTime) -> TimeOf:
    """Make a function that reads the time of a row, given the last one of its series."""
    place = layout["time"]
    clock_place = layout.columns.get("clock", -1)
    clocks: dict[str, str] = {}

    def failed(text: str, last: datetime | None, error: Exception) -> datetime:
        """Try again without spaces around; else say what is wrong."""
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
            clock = clocks[text] = _clock_of(text.strip())
        return read(f"{row[place].strip()} {clock}", last)

    return time_of if clock_place < 0 else time_of_two


def _clock_of(text: str) -> str:
    """Write 93000 and 0930 as others do."""
    if not (text.isascii() and text.isdigit() and len(text) <= 6):
        return text
    digits = text.zfill(4 if len(text) in {3, 4} else 6).ljust(6, "0")
    return f"{digits[:2]}:{digits[2:4]}:{digits[4:]}"


def check_ticker(symbol: str) -> None:
    """Refuse what a column holds as a symbol but no subject can hold.

    Raises:
        ValueError: It cannot be one.
    """
    if not symbol:
        raise ValueError("symbol is empty")
    if "\ufffd" in symbol:
        raise ValueError(f"symbol {symbol!r} is not UTF-8")
    check_symbol(symbol)
