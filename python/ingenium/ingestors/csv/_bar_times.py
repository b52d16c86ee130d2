"""Start and end of each bar of a series."""

from __future__ import annotations

from datetime import datetime, timedelta

from ingenium.clock import format_time
from ingenium.errors import DataFileError
from ingenium.ingestors.csv._notes import ReadingNotes
from ingenium.ingestors.csv._zones import Zone
from ingenium.trading.bar_length import DAY, MONTHS, Distances, format_length, kind_of

__all__ = ["BarTimes"]

_HOUR = timedelta(hours=1)
_SECOND = timedelta(seconds=1)
_SHORT = "begins before the bar before it has its full length, which ends that bar"


class BarTimes:
    """Lengths of the bars of one series.

    Bars of one series do not overlap, so a bar ends when the next one starts, however long the
    others are; before a gap it gets the length of the longest bars. A length given by the user
    applies to every bar, since such bars may overlap.

    Args:
        name: Name of the file, for errors.
        period: Length of the longest bars.
        given: Whether the user gave ``period``.
        zone: Time zone of the file's days.
        date_only: Whether times are days.
        ending: Whether times are the ends of bars.
        notes: Collects overlapping bars.
    """

    def __init__(
        self,
        name: str,
        period: timedelta,
        *,
        given: bool,
        zone: Zone,
        date_only: bool,
        ending: bool,
        notes: ReadingNotes,
    ) -> None:
        self.period = period
        self.ending = ending
        self._name = name
        self._given = given
        self._zone = zone
        self._date_only = date_only
        self._notes = notes
        self._months = 0 if given else MONTHS.get(period, 0)
        self.is_plain = not self._months and zone.is_utc
        """Whether the longest bars have the same length at any time."""
        self._whole_days = not period % DAY
        self._longer = Distances()
        self._first: datetime | None = None
        self._overlaps = False

    def longest(self, time: datetime) -> timedelta:
        """Return the maximum length of a bar at this time.

        Args:
            time: Start of the bar, or its end if times are ends.
        """
        period = self.period
        if self._months:
            other = self._zone.shift_months(time, -self._months if self.ending else self._months)
            if other is not None:
                return abs(other - time)
        if self._zone.is_steady(time, period):
            return period
        # On a day of a clock change, both by the clock and by elapsed hours.
        by_clock = abs(self._zone.shift(time, -period if self.ending else period) - time)
        if self._whole_days and (self._date_only or self._zone.is_midnight(time)):
            return by_clock
        return max(period, by_clock)

    def length(self, time: datetime, gap: timedelta, line: int) -> timedelta:
        """Return the length of a bar next to another one.

        Args:
            time: Start of the bar, or its end if times are ends.
            gap: Distance to the next start, or from the previous end.
            line: Line of the later row.

        Raises:
            DataFileError: From this row on bars are longer than before.
        """
        period = self.period
        longest = self.longest(time)
        if gap < longest:
            if self._whole_days and longest - gap <= _HOUR:
                return gap  # a day of 23 hours
            if self._given:
                if gap < period:
                    self._note_overlap(gap, line)
                return max(period, gap)
            if not self._months or kind_of(gap) != period:
                self._notes.clip(self._name, _SHORT, line)
            return _whole_seconds(gap)
        if gap == longest:
            return gap
        if self._whole_days and gap - period == _HOUR:
            return gap  # a day of 25 hours
        if not self._given:
            self._look(time if not self.ending else time - gap, gap, line)
        return longest

    def _note_overlap(self, gap: timedelta, line: int) -> None:
        if not self._overlaps:
            self._overlaps = True
            self._notes.guess(
                self._name,
                f"bars overlap: that of line {line} comes {format_length(gap)} after another one, "
                f"which is nearer than the period of {format_length(self.period)}",
            )

    def _look(self, start: datetime, gap: timedelta, line: int) -> None:
        """Raise if regular distances between rows prove that bars must be longer."""
        if self._first is None:
            self._first = start
        kind = self._longer.add(start, gap)
        if kind <= self.period:
            return
        rows = (start - self._first) / self.period + 1
        if self._longer.contradicts(kind, self.period, rows):
            raise DataFileError(
                f"{self._name}, line {line}: rows are {format_length(gap)} apart up to "
                f"{format_time(start + gap)}, though bars before last {format_length(self.period)}:"
                f" pass period, the length of the longest bars, such as period="
                f"'{format_length(kind)}', or split the file"
            )


def _whole_seconds(gap: timedelta) -> timedelta:
    """Round up to whole seconds, the unit of periods on the bus."""
    return gap if not gap.microseconds else gap - timedelta(microseconds=gap.microseconds) + _SECOND
