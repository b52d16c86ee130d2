"""History of an order, from the bar that caused it to the trade that it closed."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, and_, select

from ingenium.errors import RecorderError
from ingenium.recorder.instants import nanoseconds
from ingenium.recorder.record_table import RecordTable
from ingenium.recorder.schema import (
    BARS,
    DENIALS,
    EXECUTIONS,
    ORDERS,
    POSITION,
    SIGNALS,
    TRADES,
)

__all__ = ["order_story"]

_MOST = 1000
_NEAR = 1_000_000_000
_Step = tuple[int, str, str, str, int]


def order_story(connection: Connection, order_id: str, where: str) -> RecordTable:
    """Return the steps of an order, in the order of their causes.

    Args:
        connection: Connection to the database.
        order_id: Id of the order.
        where: Location of the database, for the error text.

    Raises:
        RecorderError: The order is unknown.
    """
    orders = _found(connection, _about(ORDERS, order_id))
    denials = _found(connection, _about(DENIALS, order_id))
    if not orders and not denials:
        raise RecorderError(f"{where} knows no order {order_id!r}")
    steps: list[_Step] = []
    first = next((each for each in orders if each.request == "new"), None)
    if first is not None and first.cause:
        steps += _causes(connection, first)
    steps += [_step("order", each, _order_text(each)) for each in orders]
    steps += [
        _step("denial", each, f"{each.reason} by {each.component}: {each.detail}")
        for each in denials
    ]
    for each in _found(connection, _about(EXECUTIONS, order_id)):
        text = each.update or "execution"
        if each.booked:
            text += f" {each.side} {_plain(each.quantity)} at {_plain(each.price)}"
        if each.commission:
            text += f", commission {_plain(each.commission)}"
        steps.append(_step("execution", each, f"{text}, {each.reason}" if each.reason else text))
    last: dict[int, Any] = {
        each.number: each for each in _found(connection, _about(TRADES, order_id))
    }
    for each in last.values():
        text = f"{_plain(each.quantity)} closed, profit {_plain(each.pnl)}"
        steps.append(_step("trade", each, f"{text}, commission {_plain(each.commission)}"))
    return RecordTable(("time", "step", "text", "stream", "sequence"), steps, ("time",))


def _about(table: Table, order_id: str) -> Select[Any]:
    return (
        select(table)
        .where(table.c.order_id == order_id)
        .order_by(table.c.stream, table.c.sequence)
        .limit(_MOST)
    )


def _found(connection: Connection, query: Select[Any]) -> list[Row[Any]]:
    return list(connection.execute(query).all())


def _causes(connection: Connection, order: Row[Any]) -> list[_Step]:
    """Return the bar and the signals that caused an order.

    Signal and order state when a stream stored the bar, to the microsecond. On a server with
    accounts that is the strategies' own stream, which stored the bar slightly before or after the
    recorded stream did; so the bar of the symbol with the nearest time is returned.
    """
    scope = select(POSITION.c.scope).where(POSITION.c.stream == order.stream).scalar_subquery()
    streams = select(POSITION.c.stream).where(POSITION.c.scope == scope)
    steps: list[_Step] = []
    try:
        time = datetime.fromisoformat(order.cause)
        at = nanoseconds(time)
    except (ValueError, TypeError):
        return steps
    bars = select(BARS).where(BARS.c.symbol == order.symbol, BARS.c.stream.in_(streams)).limit(1)
    received = BARS.c.received
    near = [
        *_found(
            connection,
            bars.where(received <= at, received > at - _NEAR).order_by(received.desc()),
        ),
        *_found(connection, bars.where(received > at, received < at + _NEAR).order_by(received)),
    ]
    if near:
        bar = min(near, key=lambda each: abs(each.received - at))
        text = f"{bar.symbol} close {_plain(bar.close)}, volume {_plain(bar.volume)}"
        steps.append(_step("bar", bar, text))
    signals = select(SIGNALS).where(
        and_(
            SIGNALS.c.symbol == order.symbol,
            SIGNALS.c.cause == order.cause,
            SIGNALS.c.stream.in_(streams),
        )
    )
    steps += [
        _step("signal", each, f"{each.signal} {each.symbol} by {each.source}")
        for each in _found(connection, signals)
    ]
    return steps


def _step(kind: str, row: Row[Any], text: str) -> _Step:
    return row.time, kind, text, row.stream, row.sequence


def _order_text(row: Row[Any]) -> str:
    if row.request != "new":
        return f"{row.request} {row.symbol}"
    text = f"{row.side} {_plain(row.quantity)} {row.symbol}, {row.type}"
    if row.limit_price:
        text += f", limit {_plain(row.limit_price)}"
    return f"{text}, stop {_plain(row.stop_price)}" if row.stop_price else text


def _plain(number: Decimal | None) -> str:
    return "?" if number is None else format(number, "f")
