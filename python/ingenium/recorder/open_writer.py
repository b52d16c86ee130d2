"""Open the writer for a kind of database."""

from __future__ import annotations

from ingenium.recorder.database import Database
from ingenium.recorder.sqlite import SqliteWriter
from ingenium.recorder.writer import BatchWriter

__all__ = ["open_writer"]


def open_writer(database: Database, scope: str) -> BatchWriter:
    """Return an open writer."""
    if database.is_sqlite:
        writer: BatchWriter = SqliteWriter(database, scope)
    else:
        from ingenium.recorder.postgresql import PostgresqlWriter

        writer = PostgresqlWriter(database, scope)
    writer.open()
    return writer
