"""Open the writer of a database, by its kind."""

from __future__ import annotations

from ingenium.recorder.database import Database
from ingenium.recorder.sqlite import SqliteWriter
from ingenium.recorder.writer import BatchWriter

__all__ = ["open_writer"]


def open_writer(database: Database, scope: str) -> BatchWriter:
    """Return a writer that is open."""
    if database.is_sqlite:
        writer: BatchWriter = SqliteWriter(database, scope)
    else:
        from ingenium.recorder.postgresql import PostgresqlWriter

        writer = PostgresqlWriter(database, scope)
    writer.open()
    return writer
