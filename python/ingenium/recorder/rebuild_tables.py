"""Rebuild the typed tables from the raw events."""

from __future__ import annotations

from sqlalchemy import delete, insert, select

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

    No recorder of the scope may run meanwhile.

    Args:
        database: Database of the recording.
        scope: Name of an app, or id of a run.

    Returns:
        Number of events read.

    Raises:
        RecorderError: The database cannot be read or written; it is then unchanged.
    """
    trading = TradingRows(scope, {}, {})
    typed = TypedRows(trading)
    events, position = schema.EVENTS, schema.POSITION
    count = 0
    with failures(database, "be rebuilt"), database.writing() as connection:
        streams = connection.scalars(
            select(position.c.stream)
            .where(position.c.scope == scope)
            .order_by(position.c.epoch, position.c.name)
        ).all()
        for table in schema.DERIVED:
            if table is schema.BOOKS:
                connection.execute(delete(table).where(table.c.scope == scope))
            else:
                connection.execute(delete(table).where(table.c.stream.in_(streams)))
        for stream in streams:
            after = 0
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


def _named(name: str, rows: list[Row]) -> list[dict[str, object]]:
    table = _DERIVED[name]
    names = table.columns.keys()
    made = with_decimals(rows, money_columns(table))
    return [dict(zip(names, row, strict=True)) for row in made]
