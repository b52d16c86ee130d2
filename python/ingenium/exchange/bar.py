"""A bar in exact numbers, as the exchange matches against it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from ingenium.trading import Bar

__all__ = ["ExactBar"]


@dataclass(frozen=True, slots=True)
class ExactBar:
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
        open_, high, low, close = (bar.exact(name) for name in ("open", "high", "low", "close"))
        highest, lowest = max(open_, high, low, close), min(open_, high, low, close)
        return cls(
            bar.start,
            bar.end,
            open_,
            highest,
            lowest,
            close,
            bar.exact("volume"),
            highest == high and lowest == low,
        )
