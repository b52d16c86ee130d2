"""Convert the numbers of a row to the prices and the volume of a bar."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

import msgspec

from ingenium.ingestors.csv._columns import Layout
from ingenium.ingestors.csv._notes import ReadingNotes
from ingenium.ingestors.csv._numbers import PLAIN_ROW, UNKNOWN, adjust, plain_number, scaled

__all__ = ["Outside", "OutsideError", "PriceRules", "Prices", "PricesOf", "make_prices_of"]

Outside = Literal["raise", "clip", "keep", "drop"]
"""Handling of an open or close beyond low and high; see `CsvIngestor`."""
Texts = tuple[str, str, str, str, str]
"""Open, high, low, close and volume in plain notation; an unknown volume is empty."""
Prices = tuple[Texts, float, float, float, float, float]
"""The texts and their values."""
PricesOf = Callable[[list[str], int], Prices]
"""Called with a row and its line."""

# The same floats as those of `float`, in a quarter of the time.
_read_floats = msgspec.json.Decoder(tuple[float, float, float, float, float]).decode
_NOISE = 1e-6
"""Fraction of a price by which a vendor's adjustment may move open and close past high and low."""
_FIELDS = ("open", "high", "low", "close")


class OutsideError(ValueError):
    """An open or close beyond low and high, whose bar must be left out."""


@dataclass(frozen=True)
class PriceRules:
    """Rules for reading prices; see `CsvIngestor`.

    Attributes:
        decimal_comma: Whether the decimal sign is a comma.
        adjusted: Whether prices are scaled to the adjusted close.
        scale: Factor of prices; ``None`` for 1.
        outside: Handling of an open or close beyond low and high.
        nonpositive: Whether prices may be zero or negative.
    """

    decimal_comma: bool = False
    adjusted: bool = False
    scale: Decimal | None = None
    outside: Outside = "raise"
    nonpositive: bool = False


def make_prices_of(layout: Layout, rules: PriceRules, source: str, notes: ReadingNotes) -> PricesOf:
    """Return a function that reads open, high, low, close and volume of a row.

    Args:
        layout: Layout of the file.
        rules: Rules for reading prices.
        source: Name of the file, for the notes.
        notes: Counts changed values.
    """
    open_place, high_place = layout["open"], layout["high"]
    low_place, close_place = layout["low"], layout["close"]
    volume_place = layout.columns.get("volume", -1)
    adjusted_place = layout["adj_close"] if rules.adjusted else -1
    decimal_comma, scale = rules.decimal_comma, rules.scale
    floor = float("-inf") if rules.nonpositive else 0.0
    changed = decimal_comma or scale is not None
    is_plain = PLAIN_ROW.fullmatch

    def price(name: str, text: str) -> str:
        try:
            number = plain_number(text, decimal_comma=decimal_comma)
            return number if scale is None else scaled(number, scale)
        except ValueError as error:
            raise ValueError(f"{name} {text!r} {error}" if text else f"{name} is empty") from None

    def prices_of(row: list[str], line: int) -> Prices:
        open_, high = row[open_place], row[high_place]
        low, close = row[low_place], row[close_place]
        volume = row[volume_place] if volume_place >= 0 else ""
        numbers = f"[{open_},{high},{low},{close},{volume or 0}]"
        if changed or is_plain(numbers) is None:
            open_, high = price("open", open_), price("high", high)
            low, close = price("low", low), price("close", close)
            volume = _volume(volume, decimal_comma, source, notes, line)
            numbers = f"[{open_},{high},{low},{close},{volume or 0}]"
        try:
            first, most, least, last, size = _read_floats(numbers)
        except msgspec.DecodeError:  # JSON has no 007.5
            first, most, least, last = float(open_), float(high), float(low), float(close)
            size = float(volume or 0)
        if floor < least <= first <= most and least <= last <= most and adjusted_place < 0:
            return (open_, high, low, close, volume), first, most, least, last, size
        if not (floor < least <= first <= most and least <= last <= most):
            open_, high, low, close = _in_order(
                (open_, high, low, close), rules, source, notes, line
            )
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


def _volume(text: str, decimal_comma: bool, source: str, notes: ReadingNotes, line: int) -> str:
    """Return a volume in plain notation; empty if the file does not state it."""
    volume = text.strip()
    if not volume:
        return ""
    if volume.lower() in UNKNOWN:
        notes.clip(source, f"volume {volume!r} is read as not known", line)
        return ""
    try:
        volume = plain_number(volume, decimal_comma=decimal_comma, volume=True)
    except ValueError as error:
        raise ValueError(f"volume {text!r} {error}") from None
    if not volume.startswith("-"):
        return volume
    number = float(volume)
    if number == -1.0:  # unknown, for MetaTrader and Interactive Brokers
        notes.clip(source, "volume -1 is read as not known", line)
        return ""
    if number:
        raise ValueError(f"volume {volume} is negative")
    return "0"


def _in_order(
    texts: tuple[str, str, str, str], rules: PriceRules, source: str, notes: ReadingNotes, line: int
) -> tuple[str, str, str, str]:
    """Return prices in which open and close are between low and high.

    Raises:
        OutsideError: The bar must be left out.
        ValueError: The prices cannot be those of a bar.
    """
    open_, high, low, close = texts
    if not rules.nonpositive:
        for name, text in zip(_FIELDS, texts, strict=True):
            if float(text) <= 0.0:
                raise ValueError(f"{name} {text} is not above 0")
    if float(high) < float(low):
        raise ValueError(f"high {high} is below low {low}")
    inner = {"open": open_, "close": close}
    for name, text in inner.items():
        number, most, least = float(text), float(high), float(low)
        above, below = number > most, number < least
        if not above and not below:
            continue
        edge = most if above else least
        if abs(number - edge) <= _NOISE * abs(edge) or rules.outside == "keep":
            if abs(number - edge) > _NOISE * abs(edge):
                side = "high" if above else "low"
                notes.clip(source, f"{side} moved out to the {name} beyond it", line)
            high, low = (text, low) if above else (high, text)
            continue
        reason = f"{name} {text} lies outside of low {low} to high {high}"
        if rules.outside == "clip":
            inner[name] = high if above else low
            notes.clip(source, f"{name} beyond low and high moved between them", line)
        elif rules.outside == "drop":
            raise OutsideError(reason)
        else:
            raise ValueError(f"{reason}; for settlement prices pass outside='clip' or 'keep'")
    return inner["open"], high, low, inner["close"]
