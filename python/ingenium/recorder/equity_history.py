"""The equity of an app over time, from its recorded fills and prices.

Floats find the moments that are shown: the last of each part of the range, its lowest and its
highest. Only the figures of those are exact decimals, so that 100,000 fills take little time.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from heapq import merge
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, Text, and_, func, select, type_coerce

from ingenium.recorder.schema import (
    ACCOUNT_SNAPSHOTS,
    BARS,
    EVENTS,
    EXECUTIONS,
    GAPS,
    POSITION_CHANGES,
    of_same_event,
    streams_of,
)
from ingenium.trading.money import EXACT, ZERO

__all__ = ["EquityMoment", "equity_history", "is_whole"]

# Time, symbol, price, and of a fill cash and position. Amounts are text in SQLite.
_Change = tuple[int, str, Any, Any, Any]
_EXTREMES_FROM = 6
_AT_ONCE = 1000


class EquityMoment(NamedTuple):
    """Equity at a time.

    Attributes:
        time: When, in nanoseconds since 1970.
        equity: Cash and the value of all positions; without the starting cash if it is unknown.
        drawdown: Equity under its highest value so far as a part of that; ``None`` without the
            starting cash.
        exposure: Value of all positions.
    """

    time: int
    equity: Decimal
    drawdown: float | None
    exposure: Decimal


class _Mark(NamedTuple):
    """What the exact figures of a moment are made of."""

    order: int
    time: int
    equity: float
    drawdown: float | None
    cash: Any
    held: dict[str, tuple[Any, Any]]

    def exact(self, base: Decimal) -> EquityMoment:
        exposure = ZERO
        for quantity, price in self.held.values():
            if price is not None:
                value = EXACT.multiply(Decimal(quantity), Decimal(price))
                exposure = EXACT.add(exposure, value)
        cash = EXACT.add(base, Decimal(self.cash))
        return EquityMoment(self.time, EXACT.add(cash, exposure), self.drawdown, exposure)


class _Part:
    """The moments of a part of the range that are shown."""

    def __init__(self, first: _Mark) -> None:
        self.lowest = self.highest = self.last = first

    def marks(self, *, extremes: bool) -> list[_Mark]:
        if not extremes:
            return [self.last]
        found = {each.order: each for each in (self.lowest, self.highest, self.last)}
        return [found[order] for order in sorted(found)]


def equity_history(
    connection: Connection,
    app: str,
    starting_cash: Decimal | None,
    since: int | None = None,
    until: int | None = None,
    points: int = 1000,
    *,
    by_time: bool = False,
) -> list[EquityMoment]:
    """Return the equity over time, oldest first.

    Args:
        connection: Connection to the database.
        app: Name of the app, or id of a run.
        starting_cash: Cash at its beginning; ``None`` if unknown.
        since: First time, in nanoseconds since 1970; the first fill when ``None``.
        until: Time after the last one; the last event when ``None``.
        points: Most points; of six or more, the lowest and highest of each part of the range are
            kept as well as its last one.
        by_time: Whether times are those of events, as for history, and not of their reception.
    """
    clock = _ChangeReader(by_time=by_time)
    first, last = clock.range(connection, app)
    if first is None or last is None:
        return []
    begin = first if since is None else max(since, first)
    end = last + 1 if until is None else min(until, last + 1)
    if end <= begin:
        return []
    extremes = points >= _EXTREMES_FROM
    width = max(1, -(-(end - begin) // (points // 3 if extremes else points)))
    bars = sorted(clock.bars(connection, app, begin, end, width), key=itemgetter(0))
    fills = clock.fills(connection, app, end)
    # A fill comes before a bar of its time.
    rows = merge(fills, bars, key=itemgetter(0)) if bars else fills
    parts = _parts(rows, starting_cash, begin, width)
    base = starting_cash or ZERO
    marks = (mark for part in parts for mark in part.marks(extremes=extremes))
    return [mark.exact(base) for mark in marks]


class _FastAccount:
    """Cash and positions by floats, and where their exact amounts are."""

    def __init__(self, starting_cash: Decimal | None) -> None:
        self.is_known = starting_cash is not None
        self._has_cash = starting_cash is not None
        self._base = float(starting_cash or ZERO)
        self._own = self._peak = self.equity = self._base
        self._exposure = 0.0
        self._flow: Any = "0"
        self._held: dict[str, tuple[Any, Any]] = {}
        self._values: dict[str, float] = {}
        self._order = self._time = 0

    def apply(self, change: _Change) -> None:
        self._time, symbol, price, flow, quantity = change
        self._order += 1
        if flow is None or quantity is None:
            quantity = self._held[symbol][0] if symbol in self._held else "0"
        else:
            self.is_known = True
            self._flow, self._own = flow, self._base + float(flow)
        self._held[symbol] = quantity, price
        value = float(quantity) * float(price)
        self._exposure += value - self._values.get(symbol, 0.0)
        self._values[symbol] = value
        self.equity = self._own + self._exposure
        self._peak = max(self._peak, self.equity)

    def mark(self) -> _Mark:
        is_fall = self._has_cash and self._peak > 0
        fall = self.equity / self._peak - 1 if is_fall else None
        return _Mark(self._order, self._time, self.equity, fall, self._flow, dict(self._held))


def _parts(
    rows: Iterator[_Change], starting_cash: Decimal | None, begin: int, width: int
) -> list[_Part]:
    """Return the parts of the range that have a moment, in order."""
    account = _FastAccount(starting_cash)
    parts: list[_Part] = []
    number, lowest, highest = -1, 0.0, 0.0
    for row in rows:
        place = (row[0] - begin) // width
        if parts and place != number:
            parts[-1].last = account.mark()
        account.apply(row)
        if place < 0 or not account.is_known:
            continue
        equity = account.equity
        if place != number:
            number, lowest, highest = place, equity, equity
            parts.append(_Part(account.mark()))
        elif equity < lowest:
            lowest = equity
            parts[-1].lowest = account.mark()
        elif equity > highest:
            highest = equity
            parts[-1].highest = account.mark()
    if parts:
        parts[-1].last = account.mark()
    return parts


def is_whole(connection: Connection, app: str) -> bool:
    """Return whether the recording has all fills of an app since its beginning."""
    query = select(func.count()).select_from(GAPS).where(GAPS.c.stream.in_(streams_of(app)))
    return not connection.execute(query).scalar_one()


class _ChangeReader:
    """Reads fills and bars by the time of their reception, or by their own.

    Args:
        by_time: Whether by their own.
    """

    def __init__(self, *, by_time: bool) -> None:
        self._of_event = EVENTS.c.time if by_time else EVENTS.c.received
        self._of_fill = EXECUTIONS.c.time if by_time else EVENTS.c.received
        self._of_bar = BARS.c.time if by_time else BARS.c.received

    def range(self, connection: Connection, app: str) -> tuple[int | None, int | None]:
        """Return the times of the first and the last event."""
        query = select(func.min(self._of_event), func.max(self._of_event))
        row = connection.execute(query.where(EVENTS.c.stream.in_(streams_of(app)))).one()
        return row[0], row[1]

    def fills(self, connection: Connection, app: str, end: int) -> Iterator[_Change]:
        """Yield price, cash and position after each fill."""
        query = (
            select(
                self._of_fill,
                EXECUTIONS.c.symbol,
                _raw(EXECUTIONS.c.price),
                _raw(ACCOUNT_SNAPSHOTS.c.cash_flow),
                _raw(POSITION_CHANGES.c.quantity),
            )
            .join(EVENTS, of_same_event(EVENTS, EXECUTIONS))
            .join(ACCOUNT_SNAPSHOTS, of_same_event(ACCOUNT_SNAPSHOTS, EXECUTIONS))
            .join(POSITION_CHANGES, of_same_event(POSITION_CHANGES, EXECUTIONS))
            .where(
                EXECUTIONS.c.stream.in_(streams_of(app)),
                EXECUTIONS.c.booked == 1,
                EXECUTIONS.c.price.is_not(None),
                self._of_fill < end,
            )
            .order_by(self._of_fill, EXECUTIONS.c.sequence)
        )
        for found in connection.execute(query).partitions(_AT_ONCE):
            yield from map(tuple, found)

    def bars(
        self, connection: Connection, app: str, begin: int, end: int, width: int
    ) -> Iterator[_Change]:
        """Yield the last price of each symbol in each part of the range, and before it."""
        time = self._of_bar
        own = BARS.c.stream.in_(streams_of(app))
        latest = func.max(time).label("latest")
        before = select(BARS.c.symbol, latest).where(own, time < begin).group_by(BARS.c.symbol)
        within = (
            select(BARS.c.symbol, latest)
            .where(own, time >= begin, time < end)
            .group_by(BARS.c.symbol, (time - begin) // width)
        )
        for query in (before, within):
            found = query.subquery()
            joined = select(time, BARS.c.symbol, _raw(BARS.c.close)).join(
                found, and_(BARS.c.symbol == found.c.symbol, time == found.c.latest)
            )
            for moment, symbol, close in connection.execute(joined.where(own)):
                if close is not None:
                    yield moment, symbol, close, None, None


def _raw(column: Column[Decimal]) -> Any:
    """Return a column whose amounts are read as the database has them."""
    return type_coerce(column, Text)
