"""Trading days of a history: the day of an instant, and the number of days per year."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, tzinfo
from itertools import pairwise

__all__ = ["day_of", "end_of", "periods_in_year"]

_SIX_A_WEEK = 313
_PERIODS = (365, _SIX_A_WEEK, 252, 52, 12, 4, 2, 1)
_YEAR_DAYS = 365.25
_HALF_YEAR_DAYS = 182
_NEAR_DAILY = 0.08
_NEAR_LONGER = 0.1
"""February is 8.7 percent shorter than the average month."""
_LEAST_LONGER = 5
"""Shorter distances, in days, are those of daily data over weekends and holidays."""
_FEW = 4
_LONGEST_HOLIDAY = 10
_TICK = 1e-6
_SATURDAY, _SUNDAY = 6, 0


def day_of(stamp: float, zone: tzinfo) -> int:
    """Return the day of an instant in a time zone, as an ordinal.

    An instant at midnight belongs to the day before, since it is the end of a bar.

    Args:
        stamp: Seconds since 1970, UTC.
        zone: The time zone.
    """
    return datetime.fromtimestamp(stamp - _TICK, zone).toordinal()


def end_of(day: int, zone: tzinfo) -> float:
    """Return the end of a day, in seconds since 1970.

    Args:
        day: Ordinal of the day.
        zone: Time zone of the day.
    """
    midnight = datetime.fromordinal(min(day + 1, date.max.toordinal())).replace(tzinfo=zone)
    # Clocks may skip midnight, or show it twice: the day ends at the later of two readings.
    return max(midnight.timestamp(), midnight.replace(fold=1).timestamp())


def periods_in_year(days: Sequence[int]) -> int:
    """Return the number of such days per year.

    The usual distance between them decides whether they are daily, weekly, monthly or longer, from
    two days on. Longer ones are counted, and the count is rounded to 52, 12, 4, 2 or 1 when near
    one. Daily ones are counted from half a year on, and rounded to 365, 313 or 252; for shorter
    histories the weekdays decide: 365 with Saturdays and Sundays, 313 with one of them (currencies,
    which open on Sunday evening), else 252. Gaps in the data are ignored.

    Args:
        days: Days with a value, as ordinals, each once and in order.
    """
    gaps = [after - before for before, after in pairwise(days)]
    usual = sorted(gaps)[(len(gaps) - 1) // 2] if gaps else 1
    is_daily = usual == 1 or (usual < _LEAST_LONGER and len(gaps) < _FEW)
    if is_daily and (not gaps or days[-1] - days[0] < _HALF_YEAR_DAYS):
        return _by_weekdays(days)
    longest = max(3 * usual, _LONGEST_HOLIDAY)
    kept = [gap for gap in gaps if gap <= longest]
    rate = len(kept) * _YEAR_DAYS / sum(kept)
    near = min(_PERIODS, key=lambda periods: abs(periods - rate))
    tolerance = _NEAR_DAILY if usual < _LEAST_LONGER else _NEAR_LONGER
    return near if abs(near - rate) <= tolerance * near else max(round(rate), 1)


def _by_weekdays(days: Sequence[int]) -> int:
    """Return the periods per year of daily values, from the weekdays that have values."""
    if not days:
        return 252
    seen = Counter(day % 7 for day in days)
    spanned = Counter(day % 7 for day in range(days[0], days[-1] + 1))
    missing = spanned.keys() - seen.keys()
    # One special session on a Saturday does not make a weekend market.
    weekend = {day for day in (_SATURDAY, _SUNDAY) if 2 * seen[day] >= spanned[day] > 0}
    if not weekend:
        return 252
    if len(weekend) == 2 or not missing & {_SATURDAY, _SUNDAY}:
        return 365
    # Sunday to Thursday is a five-day week too.
    return _SIX_A_WEEK if len(missing) == 1 else 252
