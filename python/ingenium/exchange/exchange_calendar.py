"""Calendars of real exchanges, from the exchange_calendars library."""

from __future__ import annotations

import warnings
from bisect import bisect_right
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from ingenium.errors import ConfigError, MissingDependencyError
from ingenium.exchange.calendars import Session

__all__ = ["ExchangeCalendar"]

_YEARS_BEFORE = 1
_YEARS_AFTER = 10


class ExchangeCalendar:
    """The sessions of a real exchange, with its holidays and early closes.

    The library knows some fifty exchanges by their market identifier code (ISO 10383). Lunch breaks
    are ignored: an order works on a bar within one.

    Args:
        code: ``"XNYS"`` for New York, ``"XLON"`` for London, ``"CMES"`` for the CME's futures.
        extended_close: End of all trading, in the exchange's own time; the close when omitted.

    Raises:
        MissingDependencyError: The library is not installed.
        ConfigError: The library knows no exchange with that code.
    """

    def __init__(self, code: str, *, extended_close: time | None = None) -> None:
        try:
            import exchange_calendars
        except ImportError as error:
            raise MissingDependencyError(
                "calendars of real exchanges need the library exchange_calendars: install "
                "'ingenium[calendars]', or use RegularHours"
            ) from error
        self.code = code
        self.extended_close = extended_close
        self._library: Any = exchange_calendars
        try:
            calendar = self._get()
        except exchange_calendars.errors.InvalidCalendarName:
            raise ConfigError(
                f"calendar {code!r} is unknown to exchange_calendars: use a code such as 'XNYS'"
            ) from None
        self._zone = ZoneInfo(str(calendar.tz))
        self._first_known = _day(calendar.bound_min(), date(1970, 1, 1))
        self._last_known = _day(calendar.bound_max(), date(2200, 1, 1))
        self._from = self._until = datetime.min.replace(tzinfo=UTC)
        self._sessions: list[Session] = []
        self._ends: list[datetime] = []
        self._extended_ends: list[datetime] = []

    def session(self, time: datetime, *, extended_hours: bool = False) -> Session:
        """Return the session that is under way at a time, else the next one.

        Raises:
            ConfigError: The time is outside the range of the library.
        """
        if not self._from <= time < self._until:
            self._load(time)
        ends = self._extended_ends if extended_hours else self._ends
        place = bisect_right(ends, time)
        if place == len(ends):
            raise self._unknown(time)
        return self._sessions[place]

    def _load(self, time: datetime) -> None:
        """Load the sessions of the years around a time, in addition to those loaded before."""
        first = date(time.year - _YEARS_BEFORE, 1, 1)
        last = date(time.year + _YEARS_AFTER, 12, 31)
        if self._sessions:
            first = min(first, self._from.date())
            last = max(last, self._until.date())
        first, last = max(first, self._first_known), min(last, self._last_known)
        if not first <= time.date() <= last:
            raise self._unknown(time)
        calendar = self._get(start=first, end=last)
        self._sessions = [
            self._session(open_.to_pydatetime(), close.to_pydatetime())
            for open_, close in zip(calendar.opens, calendar.closes, strict=True)
        ]
        self._ends = [session.close for session in self._sessions]
        self._extended_ends = [session.extended_close for session in self._sessions]
        if not self._sessions:
            raise self._unknown(time)
        self._from = datetime.combine(first, datetime.min.time(), UTC)
        # Times after the last close need the sessions of later years.
        self._until = self._ends[-1]

    def _get(self, **bounds: date) -> Any:
        with warnings.catch_warnings():
            # Versions of the library and of pandas may not match, and users cannot fix the
            # warnings.
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", FutureWarning)
            return self._library.get_calendar(self.code, **bounds)

    def _session(self, open_: datetime, close: datetime) -> Session:
        open_, close = open_.astimezone(UTC), close.astimezone(UTC)
        if self.extended_close is None:
            return Session(open_, close, close)
        day = close.astimezone(self._zone).date()
        last = datetime.combine(day, self.extended_close, self._zone).astimezone(UTC)
        return Session(open_, close, max(close, last))

    def _unknown(self, time: datetime) -> ConfigError:
        return ConfigError(
            f"calendar {self.code!r} has no session at {time.isoformat()}: exchange_calendars "
            f"covers {self._first_known} to {self._last_known}; use RegularHours for other dates"
        )

    def __repr__(self) -> str:
        return f"ExchangeCalendar({self.code!r})"


def _day(bound: Any, default: date) -> date:
    return default if bound is None else date(bound.year, bound.month, bound.day)
