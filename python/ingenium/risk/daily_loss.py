"""The loss since the trading day began."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal

from ingenium.trading.money import EXACT, ZERO

__all__ = ["DailyLoss"]


class DailyLoss:
    """Follows equity from day to day.

    A day begins with the last equity of the day before, so that a gap between the two counts as
    a loss of the new day.

    Args:
        zone: Zone of the clock by which days begin.
        start: When a day begins on that clock, also on days when clocks change.

    Attributes:
        day: The present day, by the date on which it began; ``None`` before the first look.
        began: Equity when it began.
        last: Equity at the last look.
    """

    __slots__ = ("_start", "_zone", "began", "day", "last")

    def __init__(self, zone: tzinfo = UTC, start: time = time()) -> None:
        self._zone = zone
        self._start = timedelta(
            hours=start.hour,
            minutes=start.minute,
            seconds=start.second,
            microseconds=start.microsecond,
        )
        self.day: date | None = None
        self.began: Decimal = ZERO
        self.last: Decimal = ZERO

    def day_of(self, now: datetime) -> date:
        """Return the day to which a time belongs, by the date on which it began."""
        # Without its zone, since a day begins at the same time of the clock in summer and winter.
        return (now.astimezone(self._zone).replace(tzinfo=None) - self._start).date()

    def observe(self, equity: Decimal, now: datetime) -> Decimal:
        """Take note of the equity.

        Returns:
            The loss since the day began, negative for a profit.
        """
        day = self.day_of(now)
        if self.day is None:
            self.began = equity
            self.day = day
        elif day > self.day:  # a clock that goes back begins no day
            self.began = self.last
            self.day = day
        self.last = equity
        return EXACT.subtract(self.began, equity)

    def restore(self, day: date | None, began: Decimal, last: Decimal) -> None:
        """Go on from what was kept.

        Args:
            day: The day as it was kept.
            began: Equity when it began.
            last: Equity at the last look.
        """
        self.day, self.began, self.last = day, began, last
