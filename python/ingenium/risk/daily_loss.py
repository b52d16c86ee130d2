"""Loss since the start of the trading day."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal

from ingenium.trading.money import EXACT, ZERO

__all__ = ["DailyLoss"]


class DailyLoss:
    """Tracks equity from day to day.

    A day begins with the last equity of the day before, so that a gap between the two counts as a
    loss of the new day.

    Args:
        zone: Time zone in which days begin.
        start: Wall-clock time at which a day begins, also on days when clocks change.

    Attributes:
        day: The current day, by the date on which it began; ``None`` before the first observation.
        began: Equity at the start of the day.
        last: Equity at the last observation.
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
        # Naive, since a day begins at the same wall-clock time in summer and winter.
        return (now.astimezone(self._zone).replace(tzinfo=None) - self._start).date()

    def observe(self, equity: Decimal, now: datetime) -> Decimal:
        """Record the equity.

        Returns:
            The loss since the day began, negative for a profit.
        """
        day = self.day_of(now)
        if self.day is None:
            self.began = equity
            self.day = day
        elif day > self.day:  # a clock that moves backwards begins no day
            self.began = self.last
            self.day = day
        self.last = equity
        return EXACT.subtract(self.began, equity)

    def restore(self, day: date | None, began: Decimal, last: Decimal) -> None:
        """Restore saved state.

        Args:
            day: The saved day.
            began: Equity at the start of that day.
            last: Equity at the last observation.
        """
        self.day, self.began, self.last = day, began, last
