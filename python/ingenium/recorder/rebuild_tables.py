"""Rebuild the typed tables from the raw events."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, delete, func, insert, select

from ingenium.bus.nats.direct_reader import KeptMessage
from ingenium.recorder import schema
from ingenium.recorder.database import Database, failures
from ingenium.recorder.schema import Row, Rows
from ingenium.recorder.trading_rows import TradingRows
from ingenium.recorder.typed_rows import TypedRows
from ingenium.recorder.writer import money_columns, with_decimals

__all__ = ["rebuild"]

_BATCH = 1000
_READ = ("sequence", "received", "subject", "headers", "body")
_DERIVED = {table.name: table for table in schema.DERIVED}


def rebuild(database: Database, scope: str) -> int:
    """Rebuild the rows of a scope in one transaction.

    Rows that a deletion of old events has kept stay, and the account starts from its state then.
    No recorder of the scope may run meanwhile.

    Args:
        database: Database of the recording.
        scope: Name of an app, or id of a run.

    Returns:
        Number of events read.

    Raises:
        RecorderError: The database cannot be read or written; it is then unchanged.
    """
    events, position = schema.EVENTS, schema.POSITION
    count = 0
    with failures(database, "be rebuilt"), database.writing() as connection:
        streams = connection.scalars(
            select(position.c.stream)
            .where(position.c.scope == scope)
            .order_by(position.c.epoch, position.c.name)
        ).all()
        done = select(schema.RETENTION.c.stream, schema.RETENTION.c.sequence)
        deleted = {row.stream: row.sequence for row in connection.execute(done)}
        for table in schema.DERIVED:
            if table is schema.BOOKS:
                connection.execute(delete(table).where(table.c.scope == scope))
                continue
            for stream in streams:
                after = deleted.get(stream, 0)
                connection.execute(
                    delete(table).where(table.c.stream == stream, table.c.sequence > after)
                )
        trading = _opening(connection, scope, streams)
        typed = TypedRows(trading)
        for stream in streams:
            after = deleted.get(stream, 0)
            while True:
                found = connection.execute(
                    select(*(events.c[name] for name in _READ))
                    .where(events.c.stream == stream, events.c.sequence > after)
                    .order_by(events.c.sequence)
                    .limit(_BATCH)
                ).all()
                if not found:
                    break
                rows: Rows = {}
                for sequence, received, subject, headers, body in found:
                    kept = KeptMessage(sequence, received, subject, bytes(headers), bytes(body))
                    typed.add(rows, stream, kept, with_event=False)
                for name, made in rows.items():
                    connection.execute(insert(_DERIVED[name]), _named(name, made))
                after = found[-1][0]
                count += len(found)
        if books := trading.all_rows():
            connection.execute(insert(schema.BOOKS), _named("books", books))
    return count


def _opening(connection: Connection, scope: str, streams: Sequence[str]) -> TradingRows:
    """Return the account after the last deleted event."""
    books, changes, orders = schema.OPENING_BOOKS, schema.POSITION_CHANGES, schema.ORDERS
    saved = connection.execute(
        select(books.c.name, books.c.state).where(books.c.scope == scope)
    ).all()
    last = (
        select(changes.c.symbol, func.max(changes.c.time).label("time"))
        .where(changes.c.stream.in_(streams))
        .group_by(changes.c.symbol)
    )

    def find_order(order_id: str) -> tuple[str, str] | None:
        found = connection.execute(
            select(orders.c.symbol, orders.c.side)
            .where(
                orders.c.order_id == order_id,
                orders.c.request == "new",
                orders.c.stream.in_(streams),
            )
            .limit(1)
        ).first()
        return None if found is None else (found.symbol, found.side)

    return TradingRows(
        scope,
        {name: bytes(state) for name, state in saved},
        {row.symbol: row.time for row in connection.execute(last)},
        find_order,
    )


def _named(name: str, rows: list[Row]) -> list[dict[str, object]]:
    table = _DERIVED[name]
    names = table.columns.keys()
    made = with_decimals(rows, money_columns(table))
    return [dict(zip(names, row, strict=True)) for row in made]
