"""Write batches to SQLite, with one ``INSERT`` for many rows."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from ingenium.errors import RecorderError
from ingenium.file_locks import holder_of, lock_file
from ingenium.recorder import schema
from ingenium.recorder.batch import RecordedStream, WriteBatch
from ingenium.recorder.database import Database, failures
from ingenium.recorder.writer import BatchWriter, Execute, claim_row

__all__ = ["SqliteWriter"]

_LOCK_SECONDS = 1.0
# Deleted in about as much time as it takes to write as many.
_DELETED_EVENTS = 1000
_RECLAIMED_PAGES = 1000
_TABLES = {table.name: table for table in schema.METADATA.sorted_tables}


class SqliteWriter(BatchWriter):
    """Writes to a SQLite file."""

    def __init__(self, database: Database, scope: str) -> None:
        super().__init__(database, scope)
        self._connection: sqlite3.Connection | None = None
        self._lock = -1
        self._inserts = {
            name: f"INSERT INTO {name} VALUES ({', '.join('?' * len(table.columns))})"  # noqa: S608
            for name, table in _TABLES.items()
        }

    def open(self) -> None:
        """Connect; see `BatchWriter.open`."""
        lock = self._database.lock_path(self._scope)
        with failures(self._database, "be opened"):
            connection = self._database.engine.raw_connection()
            self._connection = connection.driver_connection
            connection.detach()
        found = lock_file(lock, wait_seconds=_LOCK_SECONDS)
        if found is None:
            error = self._held(holder_of(lock))
            self.close()
            raise error
        self._lock = found

    def close(self) -> None:
        """Release the scope for other recorders."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    @property
    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            raise RecorderError("the writer is closed")
        return self._connection

    def query(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with failures(self._database, "be read"):
            return self._open.execute(statement, values).fetchall()

    def claim(self, stream: RecordedStream) -> None:
        """Create or take over the row of a position; see `BatchWriter.claim`."""
        with failures(self._database, "be written"):
            self._open.execute(
                "INSERT INTO position VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (stream) DO UPDATE SET holder = excluded.holder, "
                "since = excluded.since",
                claim_row(stream),
            )

    def write(self, batch: WriteBatch) -> None:
        """Write a batch; see `BatchWriter.write`."""
        connection = self._open
        with failures(self._database, "be written"):
            connection.execute("BEGIN IMMEDIATE")
            try:
                moved = connection.execute(
                    "UPDATE position SET sequence = ?, mark = ? WHERE stream = ? AND sequence = ?",
                    (batch.after, batch.mark, batch.stream, batch.before),
                )
                if moved.rowcount != 1:
                    raise self._lost(batch)
                for name, rows in batch.rows.items():
                    connection.executemany(self._inserts[name], rows)
                connection.executemany("INSERT OR REPLACE INTO books VALUES (?, ?, ?)", batch.books)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def transaction(self) -> Iterator[Execute]:
        """Open a transaction; see `BatchWriter.transaction`."""
        connection = self._open
        with failures(self._database, "be written"):
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield lambda statement, values: connection.execute(statement, values).fetchall()
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def next_deletion(self, done: Mapping[str, int], before: int) -> tuple[dict[str, int], int]:
        """Return a small batch of one stream; see `BatchWriter.next_deletion`."""
        for stream, after in done.items():
            end = after
            for sequence, received in self.query(
                "SELECT sequence, received FROM events WHERE stream = ? AND sequence > ? "
                "ORDER BY sequence LIMIT ?",
                (stream, after, _DELETED_EVENTS),
            ):
                if received >= before:
                    break
                end = sequence
            if end > after:
                return {stream: end}, before
        return {}, before

    def delete_events(self, execute: Execute, ends: Mapping[str, int], before: int) -> None:
        """Delete rows; see `BatchWriter.delete_events`."""
        del before
        for table in schema.PARTITIONED:
            for place in ends.items():
                execute(f"DELETE FROM {table.name} WHERE stream = ? AND sequence <= ?", place)  # noqa: S608

    def reclaim(self) -> int:
        """Shrink the file, if this version made it; see `BatchWriter.reclaim`."""
        with failures(self._database, "be written"):
            connection = self._open
            free = before = connection.execute("PRAGMA freelist_count").fetchone()[0]
            while free:
                connection.execute(f"PRAGMA incremental_vacuum({_RECLAIMED_PAGES})").fetchall()
                before, free = free, connection.execute("PRAGMA freelist_count").fetchone()[0]
                if free == before:
                    break
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            return int(free) * int(connection.execute("PRAGMA page_size").fetchone()[0])
