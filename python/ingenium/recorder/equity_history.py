"""The equity of an app over time, from its recorded fills and prices."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, and_, func, select

from ingenium.recorder.schema import (
    ACCOUNT_SNAPSHOTS,
    BARS,
    EVENTS,
    EXECUTIONS,
    GAPS,
    POSITION_CHANGES,
    streams_of,
)
from ingenium.trading.money import EXACT, ZERO

__all__ = ["EquityMoment", "equity_history", "is_whole"]

_CASH, _POSITION, _PRICE = range(3)


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


@dataclass(slots=True)
class _Holdings:
    cash: Decimal
    quantities: dict[str, Decimal]
    prices: dict[str, Decimal]

    def exposure(self) -> Decimal:
        total = ZERO
        for symbol, quantity in self.quantities.items():
            price = self.prices.get(symbol)
            if quantity and price is not None:
                total = EXACT.add(total, EXACT.multiply(quantity, price))
        return total


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
    rows = sorted(
        [*_fills(connection, app, end), *_bars(connection, app, begin, end, width)],
        key=lambda row: (row[0], row[1]),
    )
    account = _Holdings(starting_cash or ZERO, {}, {})
    base = account.cash
    found: dict[int, EquityMoment] = {}
    peak = account.cash
    has_traded = False
    for time, changes in groupby(rows, key=itemgetter(0)):
        # A fill changes cash and position at once.
        for _, kind, symbol, value in changes:
            if kind == _CASH:
                has_traded = True
                account.cash = EXACT.add(base, value)
            elif kind == _POSITION:
                account.quantities[symbol] = value
            else:
                account.prices[symbol] = value
        exposure = account.exposure()
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


def _fills(connection: Connection, app: str, end: int) -> Iterator[tuple[int, int, str, Decimal]]:
    """Yield cash, positions and prices after each fill, by the time of its reception."""
    for table, kind, name in (
        (ACCOUNT_SNAPSHOTS, _CASH, "cash_flow"),
        (POSITION_CHANGES, _POSITION, "quantity"),
        (EXECUTIONS, _PRICE, "price"),
    ):
        symbol = table.c.symbol if "symbol" in table.c else table.c.stream
        query = _received(table, symbol, table.c[name], app).where(EVENTS.c.received < end)
        if table is EXECUTIONS:
            query = query.where(EXECUTIONS.c.booked == 1)
        for received, of, value in connection.execute(query):
            if value is not None:
                yield received, kind, of, value


def _received(table: Table, symbol: Any, value: Any, app: str) -> Any:
    return (
        select(EVENTS.c.received, symbol, value)
        .join(
            EVENTS, and_(EVENTS.c.stream == table.c.stream, EVENTS.c.sequence == table.c.sequence)
        )
        .where(table.c.stream.in_(streams_of(app)))
        .order_by(EVENTS.c.received, table.c.sequence)
    )


def _bars(
    connection: Connection, app: str, begin: int, end: int, width: int
) -> Iterator[tuple[int, int, str, Decimal]]:
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
                yield received, _PRICE, symbol, close
