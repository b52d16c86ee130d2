"""A bar in exact numbers, as the exchange matches against it."""

from __future__ import annotations

from decimal import Decimal

from ingenium.trading import Bar
from ingenium.trading.account import LARGEST_PRICE
from ingenium.trading.money import ZERO
from ingenium.trading.numbers import parse_price

__all__ = ["ExactBar"]


class ExactBar:
    """The prices of a bar as decimals.

    Most fills need one or two of them, so they are parsed when they are asked for.

    Attributes:
        start: Start of the bar, UTC.
        end: When it was complete, UTC.
        is_consistent: Whether the source had open and close between low and high. Where it had
            not, high and low are widened to hold them.

    Raises:
        DecodeError: A number cannot be read.
    """

    __slots__ = (
        "_close",
        "_high",
        "_low",
        "_open",
        "_texts",
        "_volume",
        "end",
        "is_consistent",
        "start",
    )

    def __init__(self, bar: Bar) -> None:
        self.start, self.end = bar.start, bar.end
        self._texts = bar.number_texts
        self._open: Decimal | None = None
        self._high: Decimal | None = None
        self._low: Decimal | None = None
        self._close: Decimal | None = None
        self._volume: Decimal | None = None
        self.is_consistent = True
        low, high = bar.low, bar.high
        if not (
            -LARGEST_PRICE < low < bar.open < high < LARGEST_PRICE
            and low < bar.close < high
            and -LARGEST_PRICE < bar.volume < LARGEST_PRICE
        ):
            self._look_closer()

    def _look_closer(self) -> None:
        """Parse all numbers, as floats that are equal or very large do not say enough of them."""
        first, high, low, last = self.open, self.high, self.low, self.close
        _ = self.volume
        if not (low <= first <= high and low <= last <= high):
            self.is_consistent = False
            self._high, self._low = max(first, high, low, last), min(first, high, low, last)

    @property
    def open(self) -> Decimal:
        """First price."""
        if self._open is None:
            self._open = parse_price(self._texts[0], "DataEvent", "Ohlc.Open")
        return self._open

    @property
    def high(self) -> Decimal:
        """Highest price."""
        if self._high is None:
            self._high = parse_price(self._texts[1], "DataEvent", "Ohlc.High")
        return self._high

    @property
    def low(self) -> Decimal:
        """Lowest price."""
        if self._low is None:
            self._low = parse_price(self._texts[2], "DataEvent", "Ohlc.Low")
        return self._low

    @property
    def close(self) -> Decimal:
        """Last price."""
        if self._close is None:
            self._close = parse_price(self._texts[3], "DataEvent", "Ohlc.Close")
        return self._close

    @property
    def volume(self) -> Decimal:
        """Quantity traded; zero when unknown."""
        if self._volume is None:
            text = self._texts[4]
            self._volume = parse_price(text, "DataEvent", "Ohlc.Volume") if text else ZERO
        return self._volume
