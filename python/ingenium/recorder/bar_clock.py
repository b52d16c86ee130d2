"""The times of recorded data: which bar a live run had seen last at some moment."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import defaultdict

from ingenium.errors import SubjectError
from ingenium.subjects.names import data_subject

__all__ = ["BarClock"]

_NEAR = 20_000_000
"""Nanoseconds by which two streams may differ in when they stored one bar."""


class _DataTimes:
    __slots__ = ("received", "times")

    def __init__(self) -> None:
        self.received = array("q")
        self.times = array("q")

    def nearest(self, moment: int) -> int | None:
        """Return the time of the data stored closest to a moment, if that is close."""
        place = bisect_right(self.received, moment)
        found = min(
            (abs(self.received[each] - moment), each)
            for each in (place - 1, place)
            if 0 <= each < len(self.received)
        )
        return self.times[found[1]] if found[0] <= _NEAR else None

    def before(self, moment: int) -> int | None:
        """Return the time of the data stored last at a moment."""
        place = bisect_right(self.received, moment)
        return self.times[place - 1] if place else None


class BarClock:
    """Tells which data caused a signal or an order of a live run.

    Attributes:
        first: Time of the first data; 0 without any.
        last: Time of the last data.
    """

    def __init__(self) -> None:
        self._all = _DataTimes()
        self._of_subject: dict[str, _DataTimes] = {}
        self._times: set[int] = set()
        self._latest: dict[str, int] = {}
        self._late: dict[str, list[int]] = defaultdict(list)
        self.first = self.last = 0

    def add(self, subject: str, time: int, received: int) -> None:
        """Add data, in the order in which its stream stored it."""
        series = self._of_subject.get(subject)
        if series is None:
            series = self._of_subject[subject] = _DataTimes()
        for each in (series, self._all):
            each.received.append(received)
            each.times.append(time)
        self.first = min(self.first, time) if self._times else time
        self.last = max(self.last, time)
        self._times.add(time)
        if time < self._latest.get(subject, time):
            self._late[subject].append(time)
        self._latest[subject] = max(time, self._latest.get(subject, time))

    def has(self, symbol: str) -> bool:
        """Return whether there is data of a symbol."""
        return _subject(symbol) in self._of_subject

    def first_of(self, symbol: str) -> int:
        """Return the time of the first data of a symbol; that of all data without any."""
        series = self._of_subject.get(_subject(symbol))
        return self.first if series is None else min(series.times)

    def cause(self, symbol: str, time: int, cause_time: int, received: int) -> int:
        """Return the time of the data that caused a signal or an order; 0 without any.

        Args:
            symbol: Its symbol.
            time: Time that it states, which is that of the data where components run by it.
            cause_time: When the strategies' stream stored the data; 0 when not stated, as by a
                component in another language. Streams of two accounts store one bar at
                slightly different times, so the data stored closest to it is the cause.
            received: When its own stream stored it, which counts when no cause is stated.
        """
        if time in self._times:
            return time
        moment = cause_time or received
        own = self._of_subject.get(_subject(symbol))
        series = [self._all] if own is None else [own, self._all]
        if not self._times:
            return 0
        for each in series:
            if (found := each.nearest(moment)) is not None:
                return found
        for each in series:
            if (found := each.before(moment)) is not None:
                return found
        return 0

    def time_at(self, moment: int, symbol: str = "") -> int:
        """Return the time of the data stored last at a moment; 0 without any."""
        series = self._of_subject.get(_subject(symbol), self._all) if symbol else self._all
        return series.before(moment) or 0

    def after(self, moment: int) -> int:
        """Return the time of the first data stored from a moment on; of the last if none."""
        place = bisect_right(self._all.received, moment - 1)
        times = self._all.times
        return times[place] if place < len(times) else self.last

    def received(self, symbol: str, time: int) -> int:
        """Return when the data of a symbol and a time was stored; 0 if there is none."""
        series = self._of_subject.get(_subject(symbol))
        if series is None:
            return 0
        # In order except for the few that arrived late.
        place = bisect_right(series.times, time) - 1
        return series.received[place] if place >= 0 else 0

    def late(self, symbol: str) -> list[int]:
        """Return the times of the data that arrived after later data of its symbol, sorted."""
        return sorted(self._late.get(_subject(symbol), ()))

    def times(self, symbol: str) -> list[int]:
        """Return the times of the data of a symbol, sorted."""
        series = self._of_subject.get(_subject(symbol))
        return [] if series is None else sorted(series.times)


def _subject(symbol: str) -> str:
    try:
        return data_subject(symbol)
    except SubjectError:
        return ""
