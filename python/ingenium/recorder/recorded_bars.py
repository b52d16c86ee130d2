"""Read the recorded bars of a symbol, and what an app did at them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, Table, func, select

from ingenium.recorder.record_table import RecordTable
from ingenium.recorder.schema import (
    BARS,
    EVENTS,
    EXECUTIONS,
    GAPS,
    SIGNALS,
    of_same_event,
    streams_of,
)

__all__ = ["bar_table", "gap_table", "mark_table", "of_bars", "symbol_table"]

_BAR = ("time", "open", "high", "low", "close", "volume", "sequence", "received")


def symbol_table(connection: Connection, app: str) -> RecordTable:
    """Return the symbols with bars: their number, and first and last time."""
    query = (
        select(BARS.c.symbol, func.count(), func.min(BARS.c.time), func.max(BARS.c.time))
        .where(BARS.c.stream.in_(streams_of(app)))
        .group_by(BARS.c.symbol)
        .order_by(BARS.c.symbol)
    )
    return RecordTable(("symbol", "bars", "first", "last"), connection.execute(query).all())


def bar_table(
    connection: Connection,
    app: str,
    symbol: str,
    since: int | None,
    until: int | None,
    limit: int,
) -> RecordTable:
    """Return the latest bars of a symbol, oldest first.

    Args:
        connection: Connection to the database.
        app: Name of the app, or id of a run.
        symbol: Name of the instrument.
        since: First time, in nanoseconds since 1970; ``None`` for the start.
        until: Time after the last one; ``None`` for the end.
        limit: Most bars.
    """
    query = of_bars(select(*(BARS.c[name] for name in _BAR)), app, symbol, since, until)
    query = query.order_by(BARS.c.time.desc(), BARS.c.sequence.desc()).limit(limit)
    return RecordTable(_BAR, list(reversed(connection.execute(query).all())), ("time",))


def of_bars(
    query: Select[Any], app: str, symbol: str, since: int | None, until: int | None
) -> Select[Any]:
    """Return a query for the bars of a symbol between two times; arguments as of `bar_table`."""
    query = query.where(BARS.c.stream.in_(streams_of(app)), BARS.c.symbol == symbol)
    if since is not None:
        query = query.where(BARS.c.time >= since)
    return query if until is None else query.where(BARS.c.time < until)


def mark_table(
    connection: Connection, app: str, symbol: str, first: int, last: int, limit: int
) -> RecordTable:
    """Return signals and fills of a symbol between two times of reception, oldest first.

    A signal has the time of its own; a fill that of its execution.
    """

    def found(table: Table, *columns: Any) -> Select[Any]:
        return (
            select(table.c.time, EVENTS.c.received, *columns)
            .join(EVENTS, of_same_event(EVENTS, table))
            .where(
                table.c.stream.in_(streams_of(app)),
                table.c.symbol == symbol,
                EVENTS.c.received.between(first, last),
            )
            .order_by(EVENTS.c.received.desc())
            .limit(limit)
        )

    signals = connection.execute(found(SIGNALS, SIGNALS.c.signal))
    rows: list[tuple[Any, ...]] = [
        (time, received, "signal", signal.rpartition(".")[2], None, "")
        for time, received, signal in signals
    ]
    columns = EXECUTIONS.c.side, EXECUTIONS.c.price, EXECUTIONS.c.order_id
    fills = connection.execute(found(EXECUTIONS, *columns).where(EXECUTIONS.c.booked == 1))
    rows += [(time, received, "fill", *rest) for time, received, *rest in fills]
    rows.sort(key=lambda row: (row[1], row[2] == "fill"))
    names = ("time", "received", "kind", "text", "price", "order_id")
    return RecordTable(names, rows[-limit:], ("time", "received"))


def gap_table(connection: Connection, app: str) -> RecordTable:
    """Return what was not recorded of an app, oldest first."""
    query = select(GAPS).where(GAPS.c.stream.in_(streams_of(app))).order_by(GAPS.c.time)
    return RecordTable(GAPS.columns.keys(), connection.execute(query).all(), ("time",))
