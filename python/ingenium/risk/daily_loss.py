"""The loss since the UTC day began."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from ingenium.trading.money import EXACT, ZERO

__all__ = ["DailyLoss"]


class DailyLoss:
    """Follows equity from day to day.

    A day begins with the last equity of the day before, so that a gap between the two counts as
    a loss of the new day.

    Attributes:
        day: The present day, UTC; ``None`` before the first look.
        began: Equity when it began.
        last: Equity at the last look.
    """

    __slots__ = ("began", "day", "last")

    def __init__(self) -> None:
        self.day: date | None = None
        self.began: Decimal = ZERO
        self.last: Decimal = ZERO

    def look(self, equity: Decimal, now: datetime) -> Decimal:
        """Take note of the equity.

        Returns:
            The loss since the day began, negative for a profit.
        """
        day = now.astimezone(UTC).date()
        if self.day is None:
            self.began = equity
            self.day = day
        elif day > self.day:  # a clock that goes back begins no day
            self.began = self.last
            self.day = day
        self.last = equity
        return EXACT.subtract(self.began, equity)
