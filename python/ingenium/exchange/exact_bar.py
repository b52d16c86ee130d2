"""Bars with exact decimals, for matching."""

from __future__ import annotations

from decimal import Decimal

from ingenium.trading import Bar
from ingenium.trading.account import LARGEST_PRICE

__all__ = ["ExactBar"]

_NUMBERS = ("open", "high", "low", "close", "volume")


class ExactBar:
    """The prices of a bar as decimals.

    Most fills need one or two of them, so each is parsed on first access.

    Attributes:
        start: Start of the bar, UTC.
        end: End of the bar, UTC.
        open: First price.
        high: Highest price.
        low: Lowest price.
        close: Last price.
        volume: Quantity traded; zero when unknown.
        is_consistent: Whether open and close of the source are between low and high. If not, high
            and low are widened to include them.

    Raises:
        DecodeError: A number cannot be read.
    """

    __slots__ = ("_bar", "end", "is_consistent", "start", *_NUMBERS)

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal

    def __init__(self, bar: Bar) -> None:
        self._bar = bar
        self.start, self.end = bar.start, bar.end
        self.is_consistent = True
        low, high = bar.low, bar.high
        if not (
            -LARGEST_PRICE < low < bar.open < high < LARGEST_PRICE
            and low < bar.close < high
            and -LARGEST_PRICE < bar.volume < LARGEST_PRICE
        ):
            self._look_closer()

    def _look_closer(self) -> None:
        """Parse all numbers, since equal or very large floats are not precise enough to compare."""
        first, high, low, last, _ = (getattr(self, name) for name in _NUMBERS)
        if not (low <= first <= high and low <= last <= high):
            self.is_consistent = False
            self.high, self.low = max(first, high, low, last), min(first, high, low, last)

    def __getattr__(self, name: str) -> Decimal:
        """Parse a number on first access."""
        if name not in _NUMBERS:
            raise AttributeError(f"ExactBar has no {name}")
        number = self._bar.exact(name)
        setattr(self, name, number)
        return number
