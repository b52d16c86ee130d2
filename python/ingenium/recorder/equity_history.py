"""The equity of an app over time, from its recorded fills and prices."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from heapq import merge
from operator import itemgetter
from typing import NamedTuple

from sqlalchemy import Connection, and_, func, select

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

_Change = tuple[int, str, Decimal, Decimal | None, Decimal | None]


class EquityMoment(NamedTuple):
    """Equity at a time.

    Attributes:
        time: When, by the time of reception, in nanoseconds since 1970.
        equity: Cash and the value of all positions; without the starting cash if it is unknown.
        drawdown: Equity under its highest value so far as a part of that; ``None`` without the
            starting cash.
        exposure: Value of all positions.
    """

    time: int
    equity: Decimal
    drawdown: float | None
    exposure: Decimal


class _Holdings:
    """Cash and positions, whose value is updated rather than added up anew."""

    def __init__(self, cash: Decimal) -> None:
        self.cash = cash
        self.exposure = ZERO
        self._quantities: dict[str, Decimal] = {}
        self._prices: dict[str, Decimal] = {}
        self._values: dict[str, Decimal] = {}

    def set_quantity(self, symbol: str, quantity: Decimal) -> None:
        self._quantities[symbol] = quantity
        self._revalue(symbol)

    def set_price(self, symbol: str, price: Decimal) -> None:
        self._prices[symbol] = price
        self._revalue(symbol)

    def _revalue(self, symbol: str) -> None:
        quantity, price = self._quantities.get(symbol, ZERO), self._prices.get(symbol)
        value = ZERO if price is None else EXACT.multiply(quantity, price)
        change = EXACT.subtract(value, self._values.get(symbol, ZERO))
        self._values[symbol] = value
        self.exposure = EXACT.add(self.exposure, change)


def equity_history(
    connection: Connection,
    app: str,
    starting_cash: Decimal | None,
    since: int | None = None,
    until: int | None = None,
    points: int = 1000,
) -> list[EquityMoment]:
    """Return the equity over time, oldest first.

    Args:
        connection: Connection to the database.
        app: Name of the app, or id of a run.
        starting_cash: Cash at its beginning; ``None`` if unknown.
        since: First time, in nanoseconds since 1970; the first fill when ``None``.
        until: Time after the last one; the last event when ``None``.
        points: Most points; the last one of each part of the range is kept.
    """
    first, last = _range(connection, app)
    if first is None or last is None:
        return []
    begin = first if since is None else max(since, first)
    end = last + 1 if until is None else min(until, last + 1)
    if end <= begin:
        return []
    width = max(1, -(-(end - begin) // points))
    rows = merge(
        _fills(connection, app, end),
        sorted(_bars(connection, app, begin, end, width)),
        key=itemgetter(0),
    )
    account = _Holdings(starting_cash or ZERO)
    base = account.cash
    found: dict[int, EquityMoment] = {}
    peak = account.cash
    has_traded = False
    for time, symbol, price, cash, quantity in rows:
        if cash is not None and quantity is not None:
            has_traded = True
            account.cash = EXACT.add(base, cash)
            account.set_quantity(symbol, quantity)
        account.set_price(symbol, price)
        exposure = account.exposure
        equity = EXACT.add(account.cash, exposure)
        peak = max(peak, equity)
        if time >= begin and (has_traded or starting_cash is not None):
            fall = float(equity / peak - 1) if starting_cash is not None and peak > 0 else None
            found[(time - begin) // width] = EquityMoment(time, equity, fall, exposure)
    return list(found.values())


def is_whole(connection: Connection, app: str) -> bool:
    """Return whether the recording has all fills of an app since its beginning."""
    query = select(func.count()).select_from(GAPS).where(GAPS.c.stream.in_(streams_of(app)))
    return not connection.execute(query).scalar_one()


def _range(connection: Connection, app: str) -> tuple[int | None, int | None]:
    query = select(func.min(EVENTS.c.received), func.max(EVENTS.c.received))
    row = connection.execute(query.where(EVENTS.c.stream.in_(streams_of(app)))).one()
    return row[0], row[1]


def _fills(connection: Connection, app: str, end: int) -> Iterator[_Change]:
    """Yield price, cash and position after each fill, by the time of its reception."""
    query = (
        select(
            EVENTS.c.received,
            EXECUTIONS.c.symbol,
            EXECUTIONS.c.price,
            ACCOUNT_SNAPSHOTS.c.cash_flow,
            POSITION_CHANGES.c.quantity,
        )
        .join(EVENTS, of_same_event(EVENTS, EXECUTIONS))
        .join(ACCOUNT_SNAPSHOTS, of_same_event(ACCOUNT_SNAPSHOTS, EXECUTIONS))
        .join(POSITION_CHANGES, of_same_event(POSITION_CHANGES, EXECUTIONS))
        .where(
            EXECUTIONS.c.stream.in_(streams_of(app)),
            EXECUTIONS.c.booked == 1,
            EVENTS.c.received < end,
        )
        .order_by(EVENTS.c.received, EXECUTIONS.c.sequence)
    )
    for received, symbol, price, cash, quantity in connection.execute(query):
        if price is not None:
            yield received, symbol, price, cash, quantity


def _bars(connection: Connection, app: str, begin: int, end: int, width: int) -> Iterator[_Change]:
    """Yield the last price of each symbol in each part of the range, and before it."""
    part = (BARS.c.received - begin) // width
    own = BARS.c.stream.in_(streams_of(app))
    before = (
        select(BARS.c.symbol, func.max(BARS.c.received).label("latest"))
        .where(own, BARS.c.received < begin)
        .group_by(BARS.c.symbol)
    )
    within = (
        select(BARS.c.symbol, func.max(BARS.c.received).label("latest"))
        .where(own, BARS.c.received >= begin, BARS.c.received < end)
        .group_by(BARS.c.symbol, part)
    )
    for query in (before, within):
        latest = query.subquery()
        joined = select(BARS.c.received, BARS.c.symbol, BARS.c.close).join(
            latest,
            and_(BARS.c.symbol == latest.c.symbol, BARS.c.received == latest.c.latest),
        )
        for received, symbol, close in connection.execute(joined.where(own)):
            if close is not None:
                yield received, symbol, close, None, None
