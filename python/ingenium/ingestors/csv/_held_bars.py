"""Hold bars of many symbols until their ends are known, and sort them by end."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from ingenium.ingestors.csv._bar_times import BarTimes
from ingenium.trading.bar import Bar
from ingenium.trading.bar_length import DAY

__all__ = ["HeldBars", "Item", "with_length"]

Item = tuple[datetime, str, int, int, Bar]
"""End of the bar, symbol, number of the file, line and bar: sorts in output order."""

_HOUR = timedelta(hours=1)


def with_length(item: Item, length: timedelta) -> Item:
    """Return a bar of another length."""
    _, symbol, number, line, bar = item
    end = bar.start + length
    return end, symbol, number, line, msgspec.structs.replace(bar, end=end, period=length)


class HeldBars:
    """Holds the last bar of each symbol until the next one, or its longest length, ends it."""

    def __init__(self) -> None:
        self._last: dict[str, Item] = {}
        # By the end that a bar has unless another bar comes before it.
        self._due: dict[datetime, list[Item]] = {}
        self._instants: list[datetime] = []
        self._latest: datetime | None = None
        self._bars: list[Item] = []
        # The bars of `_due` that end at another time, by object id.
        self._cut: set[int] = set()
        self._ending: list[Item] = []
        """Bars that end at the current instant."""

    def advance(self, now: datetime) -> Iterator[Item]:
        """Yield the bars that end before an instant, the next one with rows."""
        self._ending.sort()
        yield from self._ending
        self._ending = []
        while self._instants and self._instants[0] <= now:
            end = heapq.heappop(self._instants)
            items = self._take(end)
            if now - end == _HOUR:
                # Days of 25 hours.
                is_day = [not item[4].period % DAY for item in items]
                longer = [item for item, day in zip(items, is_day, strict=True) if day]
                self._ending += [with_length(item, item[4].period + _HOUR) for item in longer]
                items = [item for item, day in zip(items, is_day, strict=True) if not day]
            if end == now:
                self._ending += items
            else:
                yield from sorted(items)

    def add(self, item: Item, times: BarTimes) -> None:
        """Hold a bar, and end the previous one of its symbol.

        Args:
            item: The bar, which starts at the instant of `advance`.
            times: Start and end of its symbol's bars.

        Raises:
            DataFileError: From this row on bars are longer than before.
        """
        due, symbol, _, line, bar = item
        start = bar.start
        before = self._last.get(symbol)
        if before is not None and before[0] != start:
            last = before[4]
            length = times.length(last.start, start - last.start, line)
            # A bar that was due earlier has been yielded.
            if before[0] > start and length != last.period:
                self._cut.add(id(last))
                self.end(with_length(before, length), start)
        self._last[symbol] = item
        self._hold(due, item)

    def end(self, item: Item, now: datetime | None = None) -> None:
        """Add a bar whose end is known: the instant of `advance`, or later than ``now``."""
        if now is None or item[0] == now:
            self._ending.append(item)
        else:
            self._hold(item[0], item)

    def flush(self) -> Iterator[Item]:
        """Yield the remaining bars after the last row."""
        yield from sorted(self._ending)
        self._ending = []
        for end in sorted(self._instants):
            yield from sorted(self._take(end))
        self._instants.clear()

    def _hold(self, due: datetime, item: Item) -> None:
        # Most are due with the previous one, and the lookup of a time is slow.
        if due != self._latest:
            bars = self._due.get(due)
            if bars is None:
                bars = self._due[due] = []
                heapq.heappush(self._instants, due)
            self._latest, self._bars = due, bars
        self._bars.append(item)

    def _take(self, end: datetime) -> list[Item]:
        """Return the bars that are due at an instant and were not shortened."""
        items = self._due.pop(end)
        if end == self._latest:
            self._latest = None
        if not self._cut:
            return items
        kept = [item for item in items if id(item[4]) not in self._cut]
        self._cut.difference_update(id(item[4]) for item in items)
        return kept
