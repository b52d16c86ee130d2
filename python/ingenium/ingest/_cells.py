"""The cells of a row to the time, the prices and the symbol of a bar."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from ingenium.ingest._columns import Layout
from ingenium.ingest._numbers import PLAIN_ROW, adjust, plain_number
from ingenium.ingest._times import ReadTime
from ingenium.subjects import check_symbol

__all__ = ["Prices", "check_ticker", "make_prices_of", "make_time_of"]

TimeOf = Callable[[list[str], datetime | None], datetime]
"""Takes a row and the last time of its series."""
Texts = tuple[str, str, str, str, str]
"""Open, high, low, close and volume, plain; an unknown volume is empty."""
Prices = tuple[Texts, float, float, float, float, float]
"""The texts, and the numbers that they stand for."""
PricesOf = Callable[[list[str]], Prices]

# The same floats as those of `float`, in a quarter of the time.
_read_floats = msgspec.json.Decoder(tuple[float, float, float, float, float]).decode
_NOISE = 1e-6
"""Part of a price by which a vendor's own adjusting may push open and close beyond high and low."""
_UNKNOWN_VOLUMES = frozenset(("", "-"))


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


def make_prices_of(layout: Layout, *, decimal_comma: bool, adjusted: bool) -> PricesOf:
    """Make a function that reads open, high, low, close and volume of a row."""
    open_place, high_place = layout["open"], layout["high"]
    low_place, close_place = layout["low"], layout["close"]
    volume_place = layout.columns.get("volume", -1)
    adjusted_place = layout["adj_close"] if adjusted else -1
    is_plain = PLAIN_ROW.fullmatch

    def price(name: str, text: str) -> str:
        try:
            return plain_number(text, decimal_comma=decimal_comma)
        except ValueError as error:
            raise ValueError(f"{name} {text!r} {error}" if text else f"{name} is empty") from None

    def prices_of(row: list[str]) -> Prices:
        open_, high = row[open_place], row[high_place]
        low, close = row[low_place], row[close_place]
        volume = row[volume_place] if volume_place >= 0 else ""
        numbers = f"[{open_},{high},{low},{close},{volume or 0}]"
        if decimal_comma or is_plain(numbers) is None:
            open_, high = price("open", open_), price("high", high)
            low, close = price("low", low), price("close", close)
            volume = _volume(volume, decimal_comma)
            numbers = f"[{open_},{high},{low},{close},{volume or 0}]"
        try:
            first, most, least, last, size = _read_floats(numbers)
        except msgspec.DecodeError:  # JSON has no 007.5
            first, most, least, last = float(open_), float(high), float(low), float(close)
            size = float(volume or 0)
        if 0.0 < least <= first <= most and least <= last <= most and adjusted_place < 0:
            return (open_, high, low, close, volume), first, most, least, last, size
        if not (0.0 < least <= first <= most and least <= last <= most):
            high, low = _check_range(open_, high, low, close)
        if adjusted_place >= 0:
            target = price("adjusted close", row[adjusted_place])
            if float(target) <= 0.0:
                raise ValueError(f"adjusted close {target} is not above 0")
            open_, high, low, close = adjust((open_, high, low, close), target)
            if float(low) <= 0.0:
                raise ValueError(f"low {row[low_place]} is 0 once adjusted")
        texts = (open_, high, low, close, volume)
        return texts, float(open_), float(high), float(low), float(close), size

    return prices_of


def _volume(text: str, decimal_comma: bool) -> str:
    volume = text.strip()
    if volume in _UNKNOWN_VOLUMES:
        return ""
    try:
        volume = plain_number(volume, decimal_comma=decimal_comma, sizes=True)
    except ValueError as error:
        raise ValueError(f"volume {text!r} {error}") from None
    if volume.startswith("-"):
        if float(volume):
            raise ValueError(f"volume {volume} is negative")
        volume = "0"
    return volume


def _check_range(open_: str, high: str, low: str, close: str) -> tuple[str, str]:
    """Return high and low, widened by what is only rounding; raise for what is not."""
    for name, text in (("open", open_), ("high", high), ("low", low), ("close", close)):
        if float(text) <= 0.0:
            raise ValueError(f"{name} {text} is not above 0")
    if float(high) < float(low):
        raise ValueError(f"high {high} is below low {low}")
    for name, text in (("open", open_), ("close", close)):
        number = float(text)
        most, least = float(high), float(low)
        if least * (1 - _NOISE) <= number < least:
            low = text
        elif most < number <= most * (1 + _NOISE):
            high = text
        elif not least <= number <= most:
            raise ValueError(f"{name} {text} lies outside of low {low} to high {high}")
    return high, low


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
