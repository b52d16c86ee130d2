"""Trading calendars: the sessions of an exchange, without external dependencies."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ingenium.errors import ConfigError

__all__ = ["AlwaysOpen", "Calendar", "RegularHours", "Session"]

_DAY = timedelta(days=1)
_WORKDAYS = (0, 1, 2, 3, 4)


@dataclass(frozen=True, slots=True)
class Session:
    """One trading day of an exchange.

    Attributes:
        open: Start of regular hours, UTC.
        close: End of regular hours, UTC.
        extended_close: End of all trading, UTC; the close if there are no later hours.
    """

    open: datetime
    close: datetime
    extended_close: datetime


class Calendar(Protocol):
    """Trading calendar of an exchange. A custom calendar needs only this one method."""

    def session(self, time: datetime, *, extended_hours: bool = False) -> Session:
        """Return the session in progress at a time, else the next one.

        That is the first session whose close is after the time.

        Args:
            time: The time, UTC.
            extended_hours: Whether to use the end of all trading instead of the close.
        """
        ...


@dataclass(frozen=True, slots=True)
class AlwaysOpen:
    """Trading without a pause, as on crypto exchanges. A session is a day in UTC."""

    def session(self, time: datetime, *, extended_hours: bool = False) -> Session:
        """Return the UTC day of a time."""
        start = time.replace(hour=0, minute=0, second=0, microsecond=0)
        end = start + _DAY
        return Session(start, end, end)


@dataclass(frozen=True, slots=True)
class RegularHours:
    """The same hours on every trading day, in the exchange's own time.

    Hours whose end is not after their start begin on the evening before: futures
    from 18:00 to 17:00 are ``RegularHours("America/New_York", time(18), time(17))``.

    Attributes:
        timezone: Name of the zone: ``"America/New_York"``. Daylight saving time is applied.
        open: Start of regular hours.
        close: End of regular hours.
        holidays: Days without a session.
        early_closes: Closing times of the days that close early.
        extended_close: End of all trading; the close when omitted. An order with extended hours
            and the time in force ``day`` works until then.
        weekdays: Days of the week that have a session, 0 for Monday.

    Raises:
        ConfigError: The zone is unknown, the weekdays are empty or invalid, or a time or day is
            invalid.
    """

    timezone: str
    open: time
    close: time
    holidays: Collection[date] = ()
    early_closes: Mapping[date, time] = field(default_factory=dict)
    extended_close: time | None = None
    weekdays: Collection[int] = _WORKDAYS
    _zone: ZoneInfo = field(init=False, repr=False, compare=False)
    _holidays: frozenset[date] = field(init=False, repr=False, compare=False)
    _sessions: dict[date, Session | None] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        for name in ("open", "close", "extended_close"):
            _check_time(name, getattr(self, name), allow_none=name == "extended_close")
        for day, early in self.early_closes.items():
            _check_day("early_closes", day)
            _check_time("early_closes", early)
        for day in self.holidays:
            _check_day("holidays", day)
        if not self.weekdays or not set(self.weekdays) <= set(range(7)):
            raise ConfigError(
                f"calendar weekdays is {self.weekdays!r}: use some of 0 for Monday to 6 for Sunday"
            )
        try:
            zone = ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError, TypeError):
            raise ConfigError(
                f"calendar timezone {self.timezone!r} is unknown: use a name such as "
                "'America/New_York'"
            ) from None
        object.__setattr__(self, "_zone", zone)
        object.__setattr__(self, "_holidays", frozenset(self.holidays))

    def session(self, time: datetime, *, extended_hours: bool = False) -> Session:
        """Return the session in progress at a time, else the next one."""
        # Trading that ends after midnight belongs to the previous day.
        day = time.astimezone(self._zone).date() - _DAY
        while True:
            session = self._on(day)
            if session is not None:
                end = session.extended_close if extended_hours else session.close
                if end > time:
                    return session
            day += _DAY

    def _on(self, day: date) -> Session | None:
        try:
            return self._sessions[day]
        except KeyError:
            session = self._sessions[day] = self._make(day)
            return session

    def _make(self, day: date) -> Session | None:
        if day.weekday() not in self.weekdays or day in self._holidays:
            return None
        early = self.early_closes.get(day)
        open_ = self._at(day - _DAY if self.open >= self.close else day, self.open)
        close = self._at(day, self.close if early is None else early)
        extended = self.extended_close
        if extended is None:
            return Session(open_, close, close)
        last = self._at(day + _DAY if extended < self.close else day, extended)
        return Session(open_, close, max(last, close))

    def _at(self, day: date, clock: time) -> datetime:
        return datetime.combine(day, clock, self._zone).astimezone(UTC)


def _check_time(name: str, value: object, *, allow_none: bool = False) -> None:
    if allow_none and value is None:
        return
    if not isinstance(value, time) or value.tzinfo is not None:
        raise ConfigError(
            f"calendar {name} holds {value!r}: use a time without a zone, such as time(9, 30)"
        )


def _check_day(name: str, value: object) -> None:
    # A datetime is a date, but never equals one.
    if not isinstance(value, date) or isinstance(value, datetime):
        raise ConfigError(f"calendar {name} holds {value!r}: use a day, such as date(2024, 12, 25)")
