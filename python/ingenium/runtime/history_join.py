"""Joins history and live data, by symbol."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from ingenium.clock import format_time
from ingenium.components.by_symbol import BySymbol
from ingenium.errors import DecodeError, StateError
from ingenium.events import DataEvent
from ingenium.trading.bar import Bar, format_period
from ingenium.trading.timestamp import read_time

__all__ = ["HistoryJoin"]

_NONE = timedelta(0)


class _Seen:
    """The last data of a symbol.

    Attributes:
        time: When it was known, UTC; ``None`` before the first.
        is_open: Whether live data may repeat it, which ends with the first newer data.
        periods: Lengths of the bars of that time in seconds; 0 for other data.
    """

    __slots__ = ("is_open", "periods", "time")

    def __init__(self) -> None:
        self.time: datetime | None = None
        self.is_open = False
        self.periods: list[float] = []

    def add(self, time: datetime, period: timedelta) -> None:
        if time != self.time:
            self.periods = []
        self.time = time
        self.periods.append(period.total_seconds())

    def has(self, time: datetime, period: timedelta) -> bool:
        """Whether data of that time and length, or of a later time, has been seen."""
        if self.time is None or time > self.time:
            return False
        return time < self.time or period.total_seconds() in self.periods

    def state(self) -> object:
        return [self.time, self.is_open, self.periods]

    def restore(self, state: Any) -> None:
        try:
            self.time, self.is_open, self.periods = state
        except (TypeError, ValueError) as error:
            raise StateError(f"saved time of history cannot be read: {error!r}") from error


class HistoryJoin:
    """Tracks the time of the last data of each symbol, so that none is skipped or repeated.

    Args:
        name: Name of the component, for texts.
        report: Receives a line about data missing between history and live data.

    Attributes:
        seen: The last data by symbol; saved with the component, so that a restart resumes there.
        repeated: How many live events were skipped because history had them.
    """

    def __init__(self, name: str, report: Callable[[str], None]) -> None:
        self._name = name
        self._report = report
        self.seen: BySymbol[_Seen] = BySymbol(_Seen)
        self.repeated = 0
        # Symbols of which this life has seen live data.
        self._live: set[str] = set()
        self._periods: dict[str, set[timedelta]] = {}

    def times(self) -> dict[str, datetime]:
        """Return the time of the last data by symbol."""
        return {symbol: seen.time for symbol, seen in self.seen.items() if seen.time is not None}

    def add(self, symbol: str, time: datetime, period: timedelta) -> None:
        """Record data of history.

        Args:
            symbol: Its symbol.
            time: When it was known: a bar's end. UTC.
            period: Length of its bar; 0 if it is none.
        """
        seen = self.seen[symbol]
        seen.add(time, period)
        seen.is_open = True
        if period:
            self._periods.setdefault(symbol, set()).add(period)

    def expect_repeats(self) -> None:
        """Expect live data to repeat seen data, as a restarted feed may."""
        for seen in self.seen.values():
            seen.is_open = True

    def repeats(self, event: DataEvent, now: datetime) -> bool:
        """Whether live data was in history, so that it is not handled again.

        Records the event otherwise, and reports data missing before the first of a symbol.

        Args:
            event: The event that arrived.
            now: When it arrived, UTC.
        """
        try:
            bar = None if event.ohlc is None else Bar.from_event(event, now)
            time = read_time(event.timestamp, now) if bar is None else bar.end
        except DecodeError:
            return False  # Its handler raises the error.
        symbol = event.symbol
        seen = self.seen[symbol]
        last = seen.time
        period = _NONE if bar is None else bar.period
        if seen.is_open:
            if seen.has(time, period):
                self.repeated += 1
                return True
            seen.is_open = last is not None and time <= last
        if symbol not in self._live:
            self._live.add(symbol)
            self._begin(symbol, last, bar)
        if last is None or time >= last:
            seen.add(time, period)
        return False

    def _begin(self, symbol: str, last: datetime | None, bar: Bar | None) -> None:
        if last is None:
            self._report(
                f"{symbol} has no history, so {self._name} starts cold with it: add the symbol "
                "to the ingestor of App(warm_up=...)"
            )
            return
        if bar is None:
            return
        periods = self._periods.get(symbol)
        if bar.period and periods and bar.period not in periods:
            found = ", ".join(format_period(each) for each in sorted(periods))
            self._report(
                f"{symbol}: history has bars of {found}, but live bars are of "
                f"{format_period(bar.period)}: {self._name} was warmed up with the wrong bars, "
                "so pass App(warm_up=...) history with bars of the same length"
            )
        if bar.start > last:
            gap = bar.start - last
            missing = f", room for {gap // bar.period:,} bars" if bar.period else ""
            self._report(
                f"{symbol}: {_length(gap)} of data are missing between {format_time(last)}, the "
                f"last data of {self._name}, and {format_time(bar.start)}, the first live "
                f"bar{missing}; times without trading are included"
            )


def _length(gap: timedelta) -> str:
    """Format a duration in its two largest units: ``"2 d 3 h"``."""
    seconds = int(gap.total_seconds())
    parts = [
        (seconds // 86_400, "d"),
        (seconds // 3_600 % 24, "h"),
        (seconds // 60 % 60, "min"),
        (seconds % 60, "s"),
    ]
    found = [f"{count} {unit}" for count, unit in parts if count]
    return " ".join(found[:2]) or f"{gap.total_seconds():g} s"
