"""Bar length, inferred from the distances between rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from ingenium.trading.bar import format_period

__all__ = ["DAY", "MONTHS", "Distances", "find_length", "format_length", "kind_of"]

DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_SECOND = timedelta(seconds=1)
_ZERO = timedelta(0)
# Length, and the shortest and longest distance between bars of that length. Holidays move the first
# or last business day of weeks and months; days have 23 or 25 hours when clocks change.
_CALENDAR = (
    (DAY, DAY - _HOUR, DAY + _HOUR),
    (7 * DAY, 5 * DAY, 9 * DAY + _HOUR),
    (31 * DAY, 27 * DAY, 34 * DAY + _HOUR),
    (92 * DAY, 88 * DAY, 95 * DAY + _HOUR),
    (184 * DAY, 179 * DAY, 187 * DAY + _HOUR),
    (366 * DAY, 361 * DAY, 370 * DAY + _HOUR),
)
_CALENDAR_LENGTHS = frozenset(length for length, _, _ in _CALENDAR)
MONTHS = {31 * DAY: 1, 92 * DAY: 3, 184 * DAY: 6, 366 * DAY: 12}
"""Number of months that the longest bar of each calendar length spans."""
_SESSION = timedelta(minutes=390)
_RARE = 0.05
_TOO_FEW = 0.02
_CHANCE = 1e-3
_SOME = 2
_MOST = 0.95


def kind_of(gap: timedelta) -> timedelta:
    """Return the bar length that a distance indicates: 31 days for each distance of months."""
    if gap < DAY - _HOUR:
        return gap
    for length, least, most in _CALENDAR:
        if least <= gap <= most:
            return length
    days = (gap + _HOUR) // DAY * DAY
    return days if abs(gap - days) <= _HOUR else gap


class Distances:
    """Distances between the rows of a series, and the bar length inferred from them."""

    def __init__(self) -> None:
        self.kinds: Counter[timedelta] = Counter()
        """Count of each distance."""
        self.pairs: Counter[timedelta] = Counter()
        """Count of each distance that occurred twice in a row."""
        self._longest: Counter[timedelta] = Counter()
        self._kind = _ZERO
        self._run = 0
        self._until: datetime | None = None

    def add(self, start: datetime, gap: timedelta) -> timedelta:
        """Count a distance; return its kind."""
        kind = kind_of(gap)
        self.kinds[kind] += 1
        if start == self._until and kind == self._kind:
            self._run += 1
            self.pairs[kind] += 1
        else:
            self._kind = kind
            self._run = 1
        self._until = start + gap
        self._longest[kind] = max(self._longest[kind], self._run)
        return kind

    def contradicts(self, kind: timedelta, period: timedelta, rows: float) -> bool:
        """Return whether a longer distance is too regular to be missing rows of shorter bars.

        If bars are missing at random, whatever the probability, two rows are ``k`` bars apart at
        most ``(1 - 1 / k) ** (k - 1) / k`` of the time.

        Args:
            kind: The longer distance.
            period: The shorter length.
            rows: Upper bound of the number of rows.
        """
        times = kind / period
        if times <= 1 or self.pairs[kind] < 2:
            return False
        share = (1 - 1 / times) ** (times - 1) / times
        if self.pairs[kind] >= max(2.0, 1 + 4 * rows * share**2):
            return True
        run = self._longest[kind]
        return run >= 3 and rows * share ** (run - 1) < _CHANCE

    def length(self) -> timedelta | None:
        """Return the length of the longest bars; ``None`` when the distances do not show it."""
        total = self.kinds.total()
        if len(self.kinds) == 1 and total > 1:
            return next(iter(self.kinds))
        pairs = self.pairs.total()
        usual = [kind for kind, count in self.pairs.items() if count >= _RARE * pairs]
        if pairs < _TOO_FEW * total:
            usual = []
        if thin := self._of_thin(total):
            usual.append(thin)
        if not usual:
            return self._by_calendar() or self._only()
        period = min(usual)
        longer = [kind for kind in self.pairs if self.contradicts(kind, period, total)]
        return max([period, *longer])

    def _of_thin(self, total: int) -> timedelta | None:
        """Return the smallest distance that divides the others, as in a thinly traded market."""
        for kind in sorted(kind for kind, count in self.pairs.items() if count >= _SOME):
            whole = sum(count for other, count in self.kinds.items() if not other % kind)
            if whole >= _MOST * total:
                return kind
        return None

    def _by_calendar(self) -> timedelta | None:
        """Return the longest calendar length, if no distance is below a day."""
        if min(self.kinds) < DAY or any(kind % DAY for kind in self.kinds):
            return None
        known = [kind for kind in self.kinds if kind in _CALENDAR_LENGTHS]
        if known:
            return max(known)
        # A weekend.
        return DAY if min(self.kinds) < 5 * DAY else None

    def _only(self) -> timedelta | None:
        """Return the only distance, if vendors have bars of this length."""
        if self.kinds.total() > 1:
            return None
        kind = next(iter(self.kinds))
        return kind if not DAY % kind or not _SESSION % kind or kind % _SECOND else None


def find_length(times: Sequence[datetime]) -> tuple[timedelta | None, Distances]:
    """Return the length of the longest bars of a series, if it can be inferred, and the distances.

    Args:
        times: Times of its rows, in order.
    """
    distances = Distances()
    for before, after in pairwise(times):
        if after > before:
            distances.add(before, after - before)
    return (distances.length() if distances.kinds else None), distances


def format_length(length: timedelta) -> str:
    """Format a duration for display: ``"150m"``; fractions of a second in seconds."""
    if length % _SECOND or length <= _ZERO:
        return f"{length.total_seconds()} s"
    return format_period(length)
