"""Convert local times to UTC, with care at clock changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ingenium.errors import ConfigError

__all__ = ["Zone", "load_zone"]

_DAY = timedelta(days=1)
_HALF_DAY = timedelta(hours=12)
_MIDNIGHT = time_of_day(0)


def load_zone(name: str) -> ZoneInfo | None:
    """Return the zone of that name; ``None`` for UTC, which needs no conversion.

    Raises:
        ConfigError: There is no such zone.
    """
    if name.upper() in {"UTC", "Z", "ETC/UTC", "GMT"}:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigError(
            f"timezone {name!r} is not known: pass a name of the IANA list, such as "
            "'America/New_York' or 'UTC'"
        ) from error


class Zone:
    """Turns the local times of one zone into UTC.

    Args:
        zone: The zone; ``None`` for UTC.
    """

    def __init__(self, zone: ZoneInfo | None) -> None:
        self._zone = zone
        self._offsets: dict[int, timedelta | None] = {}
        self._steady: dict[tuple[int, timedelta], bool] = {}

    @property
    def is_utc(self) -> bool:
        """Whether it is UTC."""
        return self._zone is None

    def to_utc(self, local: datetime, last: datetime | None, date_only: bool) -> datetime:
        """Return a local time in UTC.

        In the hour that repeats when clocks go back, the first pass is taken, and the second one
        once the first would not come after ``last``.

        Args:
            local: Without a zone.
            last: The time before it in the same series, UTC.
            date_only: Whether it stands for a day, which then starts at its first moment that is.

        Raises:
            ValueError: Clocks skipped it.
        """
        zone = self._zone
        if zone is None:
            return local.replace(tzinfo=UTC)
        day = local.toordinal()
        try:
            offset = self._offsets[day]
        except KeyError:
            offset = self._offsets[day] = self._offset_of(local)
        if offset is not None:
            return (local - offset).replace(tzinfo=UTC)
        first = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
        second = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
        if first > second and not date_only:
            raise ValueError(
                f"{local} does not exist in {zone.key}, where clocks skip it: pass the timezone "
                "that the file is in"
            )
        if first < second and last is not None and first <= last:
            return second
        return first

    def shift(self, time: datetime, by: timedelta) -> datetime:
        """Return the moment at which clocks show ``by`` more than at a time, both UTC."""
        if self._zone is None:
            return time + by
        local = time.astimezone(self._zone)
        other = local.replace(tzinfo=None, fold=0) + by
        return other.replace(tzinfo=self._zone).astimezone(UTC)

    def shift_months(self, time: datetime, months: int) -> datetime | None:
        """Return the first moment of the month so many months from one's first moment.

        ``None`` when the time is not the first moment of a month.
        """
        local = time if self._zone is None else time.astimezone(self._zone)
        if local.day != 1 or local.time() != _MIDNIGHT:
            return None
        count = local.year * 12 + local.month - 1 + months
        year, month = divmod(count, 12)
        other = datetime(year, month + 1, 1, tzinfo=self._zone or UTC)
        return other.astimezone(UTC)

    def is_midnight(self, time: datetime) -> bool:
        """Whether clocks show midnight."""
        local = time if self._zone is None else time.astimezone(self._zone)
        return local.time() == _MIDNIGHT

    def is_steady(self, time: datetime, around: timedelta) -> bool:
        """Whether clocks do not change within some time before or after a moment."""
        zone = self._zone
        if zone is None:
            return True
        key = time.toordinal(), around
        try:
            return self._steady[key]
        except KeyError:
            pass
        day = datetime.fromordinal(key[0]).replace(tzinfo=UTC)
        try:
            first, last = day - around - _DAY, day + around + 2 * _DAY
            # Clocks never change twice within a week.
            steps = int((last - first) / (7 * _DAY)) + 2
            moments = (first + (last - first) * step / steps for step in range(steps + 1))
            steady = len({moment.astimezone(zone).utcoffset() for moment in moments}) == 1
        except OverflowError:  # at either end of all times
            steady = True
        self._steady[key] = steady
        return steady

    def _offset_of(self, local: datetime) -> timedelta | None:
        """Return the offset from UTC of a day's times, if it is one and the same."""
        start = datetime(local.year, local.month, local.day, tzinfo=self._zone)
        try:
            offsets = {(start + part).utcoffset() for part in (0 * _DAY, _HALF_DAY, _DAY)}
        except OverflowError:
            return None
        return offsets.pop() if len(offsets) == 1 else None
