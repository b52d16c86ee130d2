"""Bars of many symbols whose ends are not known yet, put in the order of their ends."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ingenium.ingest._bar_times import BarTimes
from ingenium.ingest._prices import Prices

if TYPE_CHECKING:
    from ingenium.ingest._rows import Item

__all__ = ["HeldBars"]

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)


class _Held:
    """A bar; ``due`` is its end when no other one comes before it."""

    __slots__ = ("due", "is_out", "length", "line", "prices", "symbol", "time")

    def __init__(
        self, symbol: str, time: datetime, length: timedelta, prices: Prices, line: int
    ) -> None:
        self.symbol = symbol
        self.time = time
        self.length = length
        self.due = time + length
        self.prices = prices
        self.line = line
        self.is_out = False


class HeldBars:
    """Holds the last bar of each symbol until the next one, or its longest length, ends it.

    Args:
        times_of: Makes what knows where the bars of a symbol begin and end.
        make: Makes a bar from its start, length, symbol, prices and line.
    """

    def __init__(
        self,
        times_of: Callable[[str], BarTimes],
        make: Callable[[datetime, timedelta, str, Prices, int], Item],
    ) -> None:
        self._times_of = times_of
        self._make = make
        self._times: dict[str, BarTimes] = {}
        self._last: dict[str, _Held] = {}
        # By the end that a bar has when no other one comes before it.
        self._due: dict[datetime, list[_Held]] = {}
        self._instants: list[datetime] = []
        self._latest: datetime | None = None
        self._latest_bars: list[_Held] = []
        self._ending: list[Item] = []
        """Bars that end at the present instant."""

    def advance(self, now: datetime) -> Iterator[Item]:
        """Yield the bars that end before an instant, which is the next one that has rows."""
        yield from sorted(self._ending)
        self._ending.clear()
        while self._instants and self._instants[0] <= now:
            end = heapq.heappop(self._instants)
            items = []
            if end == self._latest:
                self._latest = None
            for held in self._due.pop(end):
                if held.is_out:
                    continue
                held.is_out = True
                length = held.length
                if now - end == _HOUR and not length % _DAY:
                    length += _HOUR  # a day of 25 hours
                    self._ending.append(self._item(held, length))
                else:
                    items.append(self._item(held, length))
            if end == now:
                self._ending += items
            else:
                yield from sorted(items)

    def add(self, symbol: str, time: datetime, prices: Prices, line: int) -> None:
        """Hold a bar, and end the one before it.

        Args:
            symbol: Its symbol.
            time: Its start, or its end where times are that: the instant of `advance`.
            prices: Its prices.
            line: Its line.

        Raises:
            DataFileError: The length of the symbol's bars cannot be told, or changes.
            OverflowError: It ends after the last time there is.
        """
        times = self._times.get(symbol)
        if times is None:
            times = self._times[symbol] = self._times_of(symbol)
        held = _Held(symbol, time, times.longest(time), prices, line)
        before = self._last.get(symbol)
        self._last[symbol] = held
        if times.ending:
            length = held.length
            if before is not None:
                length = times.length(time, time - before.time, line)
            self._ending.append(self._make(time - length, length, symbol, prices, line))
            return
        if before is not None and before.due != time:
            length = times.length(before.time, time - before.time, line)
            if not before.is_out and length != before.length:
                before.is_out = True
                if before.time + length == time:
                    self._ending.append(self._item(before, length))
                else:
                    self._hold(_Held(symbol, before.time, length, before.prices, before.line))
        self._hold(held)

    def flush(self) -> Iterator[Item]:
        """Yield the bars that are left, when no row comes after them."""
        yield from sorted(self._ending)
        self._ending.clear()
        for end in sorted(self._instants):
            yield from sorted(
                self._item(held, held.length) for held in self._due[end] if not held.is_out
            )
        self._instants.clear()
        self._due.clear()
        self._latest = None

    def _hold(self, held: _Held) -> None:
        due = held.due
        if due == self._latest:
            self._latest_bars.append(held)
            return
        bars = self._due.get(due)
        if bars is None:
            bars = self._due[due] = []
            heapq.heappush(self._instants, due)
        bars.append(held)
        self._latest, self._latest_bars = due, bars

    def _item(self, held: _Held, length: timedelta) -> Item:
        return self._make(held.time, length, held.symbol, held.prices, held.line)
