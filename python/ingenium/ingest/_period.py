"""The length of bars, from the distance between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from ingenium.errors import DataFileError

__all__ = ["find_period"]

_DAY = timedelta(days=1)
_RARE = 0.05


def find_period(name: str, series: Sequence[Sequence[datetime]], date_only: bool) -> timedelta:
    """Return the smallest usual distance between bars of one symbol.

    Weekends, holidays and missing bars make longer ones, so the smallest counts; one that is
    rarer than one in twenty is taken for a slip.

    Args:
        name: The file, for errors.
        series: The first times of each symbol.
        date_only: Whether the times are days.

    Raises:
        DataFileError: The distance does not show, or is that of months.
    """
    gaps: Counter[timedelta] = Counter()
    for times in series:
        gaps.update(after - before for before, after in pairwise(times))
    usual = [
        gap for gap, count in gaps.items() if gap > timedelta(0) and count >= _RARE * gaps.total()
    ]
    if not usual:
        if date_only:
            return _DAY
        raise DataFileError(
            f"{name}: one row does not show how long a bar is: pass period, such as period='1m'"
        )
    gap = min(usual)
    if date_only and gap < 5 * _DAY:
        return _DAY
    if abs(gap - _DAY) <= timedelta(hours=1):
        # Days as a zone counts them are 23 or 25 hours long when clocks change.
        return _DAY
    if 5 * _DAY <= gap <= 8 * _DAY:
        # Holidays move the first day of a week.
        return 7 * _DAY
    if gap > 8 * _DAY:
        raise DataFileError(
            f"{name}: bars are {gap.days} days apart, and months differ in length: pass a period "
            "that is never too short, such as period='31d'"
        )
    if gap % timedelta(seconds=1):
        raise DataFileError(
            f"{name}: bars are {gap.total_seconds()} seconds apart, like ticks: pass period, such "
            "as period='1s'"
        )
    return gap
