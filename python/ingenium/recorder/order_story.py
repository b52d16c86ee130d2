"""History of an order, from the bar that caused it to the trade that it closed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, Select, Table, select

from ingenium.errors import ConfigError, RecorderError
from ingenium.recorder.order_causes import BY_ID, BY_TIME, Cause, causes_of
from ingenium.recorder.record_table import RecordTable
from ingenium.recorder.schema import (
    BARS,
    DENIALS,
    EXECUTIONS,
    ORDERS,
    POSITION,
    SIGNALS,
    TRADES,
    streams_of,
)
from ingenium.recorder.table_notes import deletions

__all__ = ["order_story"]

_MOST = 1000
_LISTED = 5
_Step = tuple[int, str, str, str, int, str]


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
        # The events of a backtest have no headers.
        found = causes_of(connection, first, scope) or _causes_in_order(connection, first)
        steps += [_cause_step(each) for each in found]
    steps += [_step("order", each, _order_text(each)) for each in orders]
    steps += [
        _step("denial", each, f"{each.reason} by {each.component}: {each.detail}")
        for each in denials
    ]
    for each in _found(connection, _about(EXECUTIONS, order_id, scope)):
        steps.append(_step("execution", each, _execution_text(each)))
    last: dict[int, Any] = {
        each.number: each for each in _found(connection, _about(TRADES, order_id, scope))
    }
    for each in last.values():
        text = f"{_plain(each.quantity)} closed, profit {_plain(each.pnl)}"
        steps.append(_step("trade", each, f"{text}, commission {_plain(each.commission)}"))
    names = ("time", "step", "text", "stream", "sequence", "found")
    notes = [
        each
        for each in deletions(connection, scope)
        if any(step[0] < each.kept_from for step in steps)
    ]
    return RecordTable(names, steps, ("time",), "", notes)


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
        gone = "".join(f"; {each}" for each in deletions(connection, app))
        raise RecorderError(f"{where} has no order {order_id!r}{others}{gone}")
    if len(scopes) > 1:
        raise ConfigError(
            f"{len(scopes)} runs have order {order_id!r}: name one of "
            f"{', '.join(sorted(scopes)[:_LISTED])}"
        )
    return scopes.pop()


def _about(table: Table, order_id: str, scope: str) -> Select[Any]:
    return (
        select(table)
        .where(table.c.order_id == order_id, table.c.stream.in_(streams_of(scope)))
        .order_by(table.c.stream, table.c.sequence)
        .limit(_MOST)
    )


def _found(connection: Connection, query: Select[Any]) -> list[Row[Any]]:
    return list(connection.execute(query).all())


def _causes_in_order(connection: Connection, order: Row[Any]) -> list[Cause]:
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
    return [
        *(Cause(BARS, bar, BY_TIME) for bar in bars),
        *(Cause(SIGNALS, signal, BY_TIME) for signal in reversed(signals)),
    ]


def _cause_step(cause: Cause) -> _Step:
    row = cause.row
    if cause.table is BARS:
        text = f"{row.symbol} close {_plain(row.close)}, volume {_plain(row.volume)}"
        return _step("bar", row, text, cause.found)
    if cause.table is EXECUTIONS:
        text = f"{_execution_text(row)}, of order {row.order_id}"
        return _step("execution", row, text, cause.found)
    # The events of a backtest do not name the component that sent them.
    sender = f" by {row.source}" if row.source else ""
    return _step("signal", row, f"{row.signal} {row.symbol}{sender}", cause.found)


def _step(kind: str, row: Row[Any], text: str, found: str = BY_ID) -> _Step:
    return row.time, kind, text, row.stream, row.sequence, found


def _execution_text(row: Row[Any]) -> str:
    text: str = row.update or "execution"
    if row.booked:
        text += f" {row.side} {_plain(row.quantity)} at {_plain(row.price)}"
    if row.commission:
        text += f", commission {_plain(row.commission)}"
    return f"{text}, {row.reason}" if row.reason else text


def _order_text(row: Row[Any]) -> str:
    if row.request != "new":
        return f"{row.request} {row.symbol}"
    text = f"{row.side} {_plain(row.quantity)} {row.symbol}, {row.type}"
    if row.limit_price:
        text += f", limit {_plain(row.limit_price)}"
    return f"{text}, stop {_plain(row.stop_price)}" if row.stop_price else text


def _plain(number: Decimal | None) -> str:
    return "?" if number is None else format(number, "f")
