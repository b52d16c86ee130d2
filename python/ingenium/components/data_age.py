"""Detects that the bars of a live app are history."""

from __future__ import annotations

from datetime import datetime, timedelta

from ingenium.clock import format_time
from ingenium.trading.bar import Bar
from ingenium.trading.tally import counted

__all__ = ["DataAge"]

_LEAST = timedelta(hours=1)
_SHOWN = 5
_UNITS = (("year", 365), ("month", 30), ("week", 7), ("day", 1))


class DataAge:
    """Checks the age of the first bar of each symbol.

    A bar is old when it ended more than an hour and two of its periods before its arrival: a daily
    bar may arrive the next morning.
    """

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._old = 0

    def knows(self, symbol: str) -> bool:
        """Whether a symbol has had its first bar."""
        return symbol in self._seen

    def observe(self, bar: Bar, now: datetime, effect: str) -> str | None:
        """Check the first bar of a symbol.

        Args:
            bar: The bar.
            now: Time of its arrival, UTC.
            effect: The effect of old bars on orders, in words.

        Returns:
            The warning; ``None`` where the bar is not old, or many symbols were reported.
        """
        self._seen.add(bar.symbol)
        age = now - bar.end
        if age <= max(_LEAST, 2 * bar.period):
            return None
        self._old += 1
        if self._old > _SHOWN:
            return "bars of more symbols are old" if self._old == _SHOWN + 1 else None
        return (
            f"bars of {bar.symbol} are {_in_words(age)} old: the first one ended "
            f"{format_time(bar.end)}; {effect}"
        )


def _in_words(age: timedelta) -> str:
    for unit, days in _UNITS:
        if age.days >= 2 * days or (age.days >= days and unit in ("year", "day")):
            return counted(age.days // days, unit)
    return counted(age.seconds // 3600, "hour")
