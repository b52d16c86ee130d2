"""Convert local times to UTC, including clock changes."""

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
        ConfigError: The zone is unknown.
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
    """Converts the local times of one zone to UTC.

    Args:
        zone: The zone; ``None`` for UTC.
    """

    def __init__(self, zone: ZoneInfo | None) -> None:
        self._zone = zone
        self._offsets: dict[int, timedelta | None] = {}
        self._steady: dict[tuple[int, timedelta], bool] = {}

    @property
    def is_utc(self) -> bool:
        """Whether the zone is UTC."""
        return self._zone is None

    def to_utc(self, local: datetime, last: datetime | None, date_only: bool) -> datetime:
        """Return a local time in UTC.

        In the hour that repeats when clocks go back, the first pass is used, and the second
        one once the first would not be after ``last``.

        Args:
            local: Time without a zone.
            last: The previous time in the same series, UTC.
            date_only: Whether the time means a day, which starts at its first existing moment.

        Raises:
            ValueError: The local time was skipped by a clock change.
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
        """Return the moment at which local clocks show ``by`` more than at a time, both UTC."""
        if self._zone is None:
            return time + by
        local = time.astimezone(self._zone)
        other = local.replace(tzinfo=None, fold=0) + by
        return other.replace(tzinfo=self._zone).astimezone(UTC)

    def shift_months(self, time: datetime, months: int) -> datetime | None:
        """Return the first moment of the month ``months`` after that of ``time``.

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
        """Return whether local clocks show midnight."""
        local = time if self._zone is None else time.astimezone(self._zone)
        return local.time() == _MIDNIGHT

    def is_steady(self, time: datetime, around: timedelta) -> bool:
        """Return whether clocks do not change within ``around`` before or after a moment."""
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
        except OverflowError:  # at either end of the range of datetime
            steady = True
        self._steady[key] = steady
        return steady

    def _offset_of(self, local: datetime) -> timedelta | None:
        """Return the offset from UTC of a day's times, if it is constant."""
        start = datetime(local.year, local.month, local.day, tzinfo=self._zone)
        try:
            offsets = {(start + part).utcoffset() for part in (0 * _DAY, _HALF_DAY, _DAY)}
        except OverflowError:
            return None
        return offsets.pop() if len(offsets) == 1 else None
