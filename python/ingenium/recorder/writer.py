"""Writes batches: events, what is made of them, and the position, in one transaction.

Rows go to the driver as they are: an ``INSERT`` for many tuples in SQLite, and ``COPY`` in its
binary form in PostgreSQL. Nothing looks whether a row is there already. The position says so: it is
moved in the same transaction, from what this writer has written before, or not at all.
"""

from __future__ import annotations

import os
import socket
import sqlite3
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Table

from ingenium.errors import RecorderError
from ingenium.file_locks import holder_of, lock_file
from ingenium.recorder import schema
from ingenium.recorder.batch import RecordedStream, WriteBatch
from ingenium.recorder.columns import Money
from ingenium.recorder.database import Database, failures
from ingenium.recorder.typed_rows import Row

__all__ = [
    "DAY",
    "BatchWriter",
    "claim_row",
    "money_columns",
    "open_writer",
    "this_process",
    "with_decimals",
]

_LOCK_SECONDS = 1.0
DAY = 86_400 * 1_000_000_000
"""Nanoseconds."""
_TABLES = {table.name: table for table in schema.METADATA.sorted_tables}


def this_process() -> str:
    """Return who records: ``"trader-1, process 4711"``."""
    return f"{socket.gethostname() or 'this machine'}, process {os.getpid()}"


class BatchWriter(ABC):
    """Writes into a database for one scope; used by one thread.

    Args:
        database: Where to; its tables are up to date.
        scope: The name of the app.
    """

    def __init__(self, database: Database, scope: str) -> None:
        self._database = database
        self._scope = scope

    @abstractmethod
    def open(self) -> None:
        """Connect, and keep every other recorder of the scope out.

        Raises:
            RecorderError: Another one is at work; the text says which. Or there is no database.
        """

    @abstractmethod
    def close(self) -> None:
        """Let others in. Closing twice does no harm."""

    @abstractmethod
    def query(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query; ``?`` stands for a value."""

    @abstractmethod
    def claim(self, stream: RecordedStream) -> None:
        """Make the row of a stream's position, or put this process into it as its holder."""

    @abstractmethod
    def write(self, batch: WriteBatch) -> None:
        """Write a batch, all or nothing.

        Raises:
            RecorderError: It cannot be written, or another recorder has moved the position.
        """

    def positions(self) -> list[RecordedStream]:
        """Return how far each stream of the scope is recorded, in its latest epoch."""
        found = self.query(
            "SELECT name, epoch, sequence, mark FROM position WHERE scope = ? ORDER BY epoch",
            (self._scope,),
        )
        return list(
            {name: RecordedStream(self._scope, name, *rest) for name, *rest in found}.values()
        )

    def _lost(self, batch: WriteBatch) -> RecorderError:
        rows = self.query("SELECT sequence, holder FROM position WHERE stream = ?", (batch.stream,))
        sequence, holder = rows[0] if rows else (None, "somebody")
        return RecorderError(
            f"another recorder writes to {self._database.text}: the position of {batch.stream} is "
            f"{sequence}, not {batch.before}, and {holder} holds it; stop one of the two"
        )

    def _held(self, process: int | None = None) -> RecorderError:
        rows = self.query(
            "SELECT holder FROM position WHERE scope = ? ORDER BY since DESC LIMIT 1",
            (self._scope,),
        )
        holder = rows[0][0] if rows else "another process"
        if process:
            holder = f"process {process}"
        return RecorderError(
            f"{self._scope} is recorded into {self._database.text} by {holder} already: stop that "
            "one, or use another database"
        )


def open_writer(database: Database, scope: str) -> BatchWriter:
    """Return a writer that is open."""
    if database.is_sqlite:
        writer: BatchWriter = SqliteWriter(database, scope)
    else:
        from ingenium.recorder.postgresql import PostgresqlWriter

        writer = PostgresqlWriter(database, scope)
    writer.open()
    return writer


class SqliteWriter(BatchWriter):
    """Writes into a file."""

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
        path = self._database.path
        assert path is not None  # noqa: S101 - a writer of files
        lock = path.with_name(f"{path.name}.{self._scope}.lock")
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
        """Let others in."""
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
        """Make the row of a position; see `BatchWriter.claim`."""
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


def claim_row(stream: RecordedStream) -> Row:
    """Return the row of a stream's position that this process holds from now on."""
    return (
        stream.label,
        stream.scope,
        stream.name,
        stream.epoch,
        stream.sequence,
        stream.mark,
        this_process(),
        time.time_ns(),
    )


def money_columns(table: Table) -> list[int]:
    """Return the places of the columns that hold money."""
    return [at for at, column in enumerate(table.columns) if isinstance(column.type, Money)]


def with_decimals(rows: Sequence[Row], places: Sequence[int]) -> list[list[Any]]:
    """Return rows with numbers in place of texts."""
    found = [list(row) for row in rows]
    for row in found:
        for at in places:
            if row[at] is not None:
                row[at] = Decimal(row[at])
    return found
