"""The time of data, for apps to which history is sent live."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import datetime, timedelta

from ingenium.errors import DecodeError
from ingenium.events import DataEvent, Event, ExecutionEvent, SignalEvent
from ingenium.trading.bar import Bar
from ingenium.trading.timestamp import is_stated, parse_time

__all__ = ["DataTime", "event_time", "is_of_the_past"]

_PRESENT = timedelta(minutes=1)
"""A time closer to the present is that of the machine that sent the event."""
_KEPT_BARS = 10_000


def is_of_the_past(time: datetime, now: datetime) -> bool:
    """Whether a time belongs to history, and is not the time when an event was sent."""
    return now - time > _PRESENT


def event_time(event: Event, now: datetime) -> datetime | None:
    """Return the time of the data of an event, or of its cause, UTC.

    Args:
        event: Market data, a signal, or an execution.
        now: The present time, UTC.

    Returns:
        The time; ``None`` where the event only states when it was sent.
    """
    if isinstance(event, DataEvent):
        try:
            return None if event.ohlc is None else Bar.from_event(event, now).end
        except DecodeError:
            return None
    time = event.execution_timestamp if isinstance(event, ExecutionEvent) else None
    if isinstance(event, SignalEvent):
        time = event.timestamp
    return time if time is not None and is_of_the_past(time, now) else None


class DataTime:
    """Records bars by their time, and their time of publication where stated.

    Attributes:
        latest: The latest end of a bar, of any symbol, UTC; ``None`` before the first one.
    """

    def __init__(self) -> None:
        self.latest: datetime | None = None
        self._bars: dict[str, list[Bar]] = {}
        self._published: list[datetime] = []
        self._ends: list[datetime] = []

    def see(self, bar: Bar, now: datetime) -> datetime | None:
        """Record a bar.

        Returns:
            When it was published, UTC; ``None`` when not stated.
        """
        self.latest = max(bar.end, self.latest or bar.end)
        bars = self._bars.setdefault(bar.symbol, [])
        bars.append(bar)
        if len(bars) >= 2 * _KEPT_BARS:
            del bars[:_KEPT_BARS]
        published = _published(bar, now)
        if published is not None:
            # In the order of arrival; an overtaken bar counts with the one before it.
            self._published.append(
                max(published, self._published[-1] if self._published else published)
            )
            self._ends.append(self.latest)
            if len(self._ends) >= 2 * _KEPT_BARS:
                del self._ends[:_KEPT_BARS], self._published[:_KEPT_BARS]
        return published

    def at(self, time: datetime) -> datetime | None:
        """Return the time of the data at a wall-clock time.

        Args:
            time: When an order was made, UTC.

        Returns:
            The end of the last bar published before, or the latest one where bars do not state when
            they were published; ``None`` before the first bar.
        """
        place = bisect_right(self._published, time)
        return self._ends[place - 1] if place else self.latest

    def bars_around(self, symbol: str, time: datetime) -> list[Bar]:
        """Return the last bar of a symbol that starts before a time, and all kept ones after it."""
        bars = self._bars.get(symbol, [])
        return bars[max(bisect_left(bars, time, key=lambda bar: bar.start) - 1, 0) :]


def _published(bar: Bar, now: datetime) -> datetime | None:
    text = bar.event.timestamp
    if not is_stated(text):
        return None
    try:
        time = parse_time(text)
    except DecodeError:
        return None
    # Components of this package state the end of the bar.
    return None if time == bar.end or is_of_the_past(time, now) else time
