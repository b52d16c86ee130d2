"""History of an order, from the bar that caused it to the trade that it closed."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, and_, select

from ingenium.errors import ConfigError, RecorderError
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
_LISTED = 5
_NEAR = 1_000_000_000
_Step = tuple[int, str, str, str, int]


def order_story(connection: Connection, order_id: str, where: str, app: str | None) -> RecordTable:
    """Return the steps of an order, in the order of their causes.

    Args:
        connection: Connection to the database.
        order_id: Id of the order.
        where: Location of the database, for the error text.
        app: Name of an app, or id of a run; ``None`` where only one has the order.

    Raises:
        ConfigError: Several have the order, and ``app`` is ``None``.
        RecorderError: The order is unknown.
    """
    scope = _scope_of(connection, order_id, where, app)
    orders = _found(connection, _about(ORDERS, order_id, scope))
    denials = _found(connection, _about(DENIALS, order_id, scope))
    steps: list[_Step] = []
    first = next((each for each in orders if each.request == "new"), None)
    if first is not None:
        steps += (_causes if first.cause else _causes_in_order)(connection, first)
    steps += [_step("order", each, _order_text(each)) for each in orders]
    steps += [
        _step("denial", each, f"{each.reason} by {each.component}: {each.detail}")
        for each in denials
    ]
    for each in _found(connection, _about(EXECUTIONS, order_id, scope)):
        text = each.update or "execution"
        if each.booked:
            text += f" {each.side} {_plain(each.quantity)} at {_plain(each.price)}"
        if each.commission:
            text += f", commission {_plain(each.commission)}"
        steps.append(_step("execution", each, f"{text}, {each.reason}" if each.reason else text))
    last: dict[int, Any] = {
        each.number: each for each in _found(connection, _about(TRADES, order_id, scope))
    }
    for each in last.values():
        text = f"{_plain(each.quantity)} closed, profit {_plain(each.pnl)}"
        steps.append(_step("trade", each, f"{text}, commission {_plain(each.commission)}"))
    return RecordTable(("time", "step", "text", "stream", "sequence"), steps, ("time",))


def _scope_of(connection: Connection, order_id: str, where: str, app: str | None) -> str:
    scopes: set[str] = set()
    for table in (ORDERS, DENIALS):
        scopes.update(
            connection.scalars(
                select(POSITION.c.scope)
                .distinct()
                .join(table, table.c.stream == POSITION.c.stream)
                .where(table.c.order_id == order_id)
            )
        )
    if app is not None and app in scopes:
        return app
    if app is not None or not scopes:
        others = f"; {', '.join(sorted(scopes)[:_LISTED])} has it" if scopes else ""
        raise RecorderError(f"{where} has no order {order_id!r}{others}")
    if len(scopes) > 1:
        raise ConfigError(
            f"{len(scopes)} runs have order {order_id!r}: name one of "
            f"{', '.join(sorted(scopes)[:_LISTED])}"
        )
    return scopes.pop()


def _about(table: Table, order_id: str, scope: str) -> Select[Any]:
    streams = select(POSITION.c.stream).where(POSITION.c.scope == scope)
    return (
        select(table)
        .where(table.c.order_id == order_id, table.c.stream.in_(streams))
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
        steps.append(_bar_step(bar))
    signals = select(SIGNALS).where(
        and_(
            SIGNALS.c.symbol == order.symbol,
            SIGNALS.c.cause == order.cause,
            SIGNALS.c.stream.in_(streams),
        )
    )
    return steps + [_signal_step(each) for each in _found(connection, signals)]


def _causes_in_order(connection: Connection, order: Row[Any]) -> list[_Step]:
    """Return the bar and the signals that caused an order of a backtest.

    They precede it in its stream, and the signals have its time. An order that states no cause in
    a live stream has none of these before it: market data has a stream of its own.
    """

    def before(table: Table) -> Select[Any]:
        return (
            select(table)
            .where(
                table.c.stream == order.stream,
                table.c.symbol == order.symbol,
                table.c.sequence < order.sequence,
            )
            .order_by(table.c.sequence.desc())
        )

    bars = _found(connection, before(BARS).limit(1))
    signals = _found(connection, before(SIGNALS).where(SIGNALS.c.time == order.time).limit(_MOST))
    return [*map(_bar_step, bars), *map(_signal_step, reversed(signals))]


def _bar_step(bar: Row[Any]) -> _Step:
    text = f"{bar.symbol} close {_plain(bar.close)}, volume {_plain(bar.volume)}"
    return _step("bar", bar, text)


def _signal_step(signal: Row[Any]) -> _Step:
    # The events of a backtest do not name the component that sent them.
    sender = f" by {signal.source}" if signal.source else ""
    return _step("signal", signal, f"{signal.signal} {signal.symbol}{sender}")


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
