"""A bar in exact numbers, as the exchange matches against it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from ingenium.trading import Bar
from ingenium.trading.money import ZERO
from ingenium.trading.numbers import parse_price

__all__ = ["ExactBar"]


class ExactBar(msgspec.Struct, frozen=True, gc=False):
    """The prices of a bar as decimals.

    Attributes:
        start: Start of the bar, UTC.
        end: When it was complete, UTC.
        open: First price.
        high: Highest price.
        low: Lowest price.
        close: Last price.
        volume: Quantity traded; zero when unknown.
        is_consistent: Whether the source had open and close between low and high. Where it had
            not, high and low are widened to hold them.
    """

    start: datetime
    end: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    is_consistent: bool

    @classmethod
    def of(cls, bar: Bar) -> ExactBar:
        """Read a bar exactly.

        Raises:
            DecodeError: A number cannot be read.
        """
        texts = bar.texts
        open_ = parse_price(texts.open, "DataEvent", "Ohlc.Open")
        high = parse_price(texts.high, "DataEvent", "Ohlc.High")
        low = parse_price(texts.low, "DataEvent", "Ohlc.Low")
        close = parse_price(texts.close, "DataEvent", "Ohlc.Close")
        volume = parse_price(texts.volume, "DataEvent", "Ohlc.Volume") if texts.volume else ZERO
        if low <= open_ <= high and low <= close <= high:
            return cls(bar.start, bar.end, open_, high, low, close, volume, True)
        highest, lowest = max(open_, high, low, close), min(open_, high, low, close)
        return cls(bar.start, bar.end, open_, highest, lowest, close, volume, False)
