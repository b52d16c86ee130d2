"""Trading hours: sessions, and the effect of each time in force."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import Enum, auto

import msgspec

from ingenium.events import TimeInForce
from ingenium.exchange.calendars import AlwaysOpen, Calendar, Session
from ingenium.exchange.resting_order import RestingOrder
from ingenium.trading import Bar, Order

__all__ = ["BarHours", "TradingHours", "Eligibility", "expiry", "why_expired"]

_SHORTEST_DAY = timedelta(hours=23)
"""The length of a day on which clocks go forward."""
_UTC_DAYS = AlwaysOpen()
_EXPIRED = {
    TimeInForce.DAY: "day: the session is over",
    TimeInForce.OPG: "opg: not filled at the open",
    TimeInForce.CLS: "cls: not filled at the close",
}
_NO_SESSION = (TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK)
_OPG, _CLS, _DAY_ORDER = TimeInForce.OPG, TimeInForce.CLS, TimeInForce.DAY


class Eligibility(Enum):
    """The eligibility of an order for a bar."""

    SLEEP = auto()
    """The bar cannot fill the order."""
    WORK = auto()
    """The bar can fill the order."""
    LAST = auto()
    """The bar can fill the order, and the rest expires."""
    OVER = auto()
    """The order had expired when the bar began."""


_SLEEP, _WORK = Eligibility.SLEEP, Eligibility.WORK


class BarHours(msgspec.Struct, frozen=True, gc=False):
    """The position of a bar in the hours of its exchange.

    Attributes:
        start: Start of the bar, UTC.
        end: End of the bar, UTC.
        session: The session that contains the bar, or the next one.
        is_regular: Whether the bar starts within regular hours.
        is_whole: Whether the bar is one or more whole sessions.
    """

    start: datetime
    end: datetime
    session: Session
    is_regular: bool
    is_whole: bool

    def admits(self, order: Order) -> bool:
        """Return whether an order may be filled in these hours."""
        return self.is_regular or order.extended_hours


class TradingHours:
    """Decides from calendars which bars may fill which orders.

    Without a calendar the bars define the trading hours: each is in regular hours, and an order's
    session is the UTC day of the first bar that could fill it.

    Args:
        calendar: One for all symbols, or one for each; a symbol without one follows its bars.
    """

    def __init__(self, calendar: Calendar | Mapping[str, Calendar] | None) -> None:
        self._of_symbol = calendar if isinstance(calendar, Mapping) else {}
        self._of_all = None if isinstance(calendar, Mapping) else calendar
        self._last: dict[str, Session] = {}

    def of(self, bar: Bar) -> BarHours:
        """Return the hours of a bar; a bar of a day or more is a whole session."""
        start, end = bar.start, bar.end
        if bar.period >= _SHORTEST_DAY:
            return BarHours(start, end, Session(start, end, end), True, True)
        session = self._last.get(bar.symbol)
        if session is None or not session.open <= start < session.close:
            calendar = self._calendar(bar.symbol) or _UTC_DAYS
            session = self._last[bar.symbol] = calendar.session(start)
        return BarHours(start, end, session, session.open <= start, False)

    def is_open(self, order: Order, time: datetime) -> bool:
        """Return whether an order may be filled at a time."""
        calendar = self._calendar(order.symbol)
        return calendar is None or order.extended_hours or calendar.session(time).open <= time

    def turn(self, resting: RestingOrder, hours: BarHours) -> Eligibility:
        """Return the eligibility of an order for a bar.

        Args:
            resting: The order; its session is set once known.
            hours: Hours of the bar, which starts when the order arrives or later.
        """
        order = resting.order
        time_in_force = order.time_in_force
        is_awake = hours.admits(order)
        if time_in_force in _NO_SESSION:
            return _WORK if is_awake else _SLEEP
        session = resting.session
        if session is None:
            session = resting.session = self._session_of(resting, hours)
            if session is None:
                return Eligibility.SLEEP
        if hours.start >= _end(order, session):
            return Eligibility.OVER
        if time_in_force is _OPG:
            return (
                Eligibility.LAST
                if hours.is_regular and hours.start >= session.open
                else Eligibility.SLEEP
            )
        is_last = hours.end >= _end(order, session)
        if time_in_force is _CLS:
            return Eligibility.LAST if hours.is_regular and is_last else Eligibility.SLEEP
        if not is_awake:
            return _SLEEP
        return Eligibility.LAST if is_last else _WORK

    def _session_of(self, resting: RestingOrder, hours: BarHours) -> Session | None:
        """Return the session of an order, at the first bar that could be part of it."""
        order, submitted = resting.order, resting.submitted
        is_opening = order.time_in_force is _OPG
        calendar = self._calendar(order.symbol)
        if hours.is_whole:
            # If a session of the calendar passed without a bar, that was the order's session.
            due = None if calendar is None else _opening_after(calendar, submitted)
            return due if due is not None and hours.start >= _end(order, due) else hours.session
        if calendar is None:
            # An opening that has begun is missed; the next one is on a later day.
            return None if is_opening and hours.session.open < submitted else hours.session
        if not is_opening:
            extended = order.extended_hours and order.time_in_force is _DAY_ORDER
            return calendar.session(submitted, extended_hours=extended)
        return _opening_after(calendar, submitted)

    def _calendar(self, symbol: str) -> Calendar | None:
        return self._of_symbol.get(symbol, self._of_all)


def expiry(resting: RestingOrder) -> datetime | None:
    """Return when an order expires with its session; ``None`` before the session is known."""
    return None if resting.session is None else _end(resting.order, resting.session)


def why_expired(order: Order) -> str:
    """Return why an order has expired with its session."""
    return _EXPIRED[order.time_in_force]


def _opening_after(calendar: Calendar, time: datetime) -> Session:
    """Return the first session that opens at a time or later."""
    session = calendar.session(time)
    return session if session.open >= time else calendar.session(session.close)


def _end(order: Order, session: Session) -> datetime:
    is_extended = order.extended_hours and order.time_in_force is _DAY_ORDER
    return session.extended_close if is_extended else session.close
