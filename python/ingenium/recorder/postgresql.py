"""Write batches to PostgreSQL by binary ``COPY``."""

from __future__ import annotations

import logging
import time
from calendar import timegm
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import psycopg
from psycopg import sql
from psycopg.errors import DuplicateTable

from ingenium.errors import RecorderError
from ingenium.recorder import schema
from ingenium.recorder.batch import RecordedStream, WriteBatch
from ingenium.recorder.columns import Money
from ingenium.recorder.database import Database, failures
from ingenium.recorder.instants import DAY
from ingenium.recorder.numeric_text import NumericText
from ingenium.recorder.schema import Row
from ingenium.recorder.writer import (
    BatchWriter,
    Execute,
    claim_row,
)

__all__ = ["COLUMN_TYPES", "PostgresqlWriter"]

# Binary COPY converts nothing, so the types are declared, and the rows must have them.
_PYTHON_TYPES = {"Text": "text", "BigInteger": "int8", "LargeBinary": "bytea"}
_TABLES = {table.name: table for table in schema.METADATA.sorted_tables}
COLUMN_TYPES = {
    name: [
        "numeric" if isinstance(column.type, Money) else _PYTHON_TYPES[type(column.type).__name__]
        for column in table.columns
    ]
    for name, table in _TABLES.items()
}
_RECEIVED = {
    table.name: list(table.columns.keys()).index("received") for table in schema.PARTITIONED
}
_log = logging.getLogger("ingenium.recorder")
_ATTEMPTS = 60
_PAUSE_SECONDS = 0.5
# A query that reads for longer delays the deletion, not the other way round.
_DROP_LOCK = "5s"
_T = TypeVar("_T")


class PostgresqlWriter(BatchWriter):
    """Writes to a PostgreSQL server, and reconnects to one that was restarted.

    Args:
        database: Database to write to.
        scope: Name of the app.
    """

    def __init__(self, database: Database, scope: str) -> None:
        super().__init__(database, scope)
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self._days: dict[str, set[int]] = {table.name: set() for table in schema.PARTITIONED}
        self._copies = {
            name: sql.SQL("COPY {} FROM STDIN (FORMAT BINARY)").format(sql.Identifier(name))
            for name in _TABLES
        }

    def open(self) -> None:
        """Connect; see `BatchWriter.open`."""
        with failures(self._database, "be opened"):
            raw = self._database.engine.raw_connection()
            connection = raw.driver_connection
            raw.detach()
            assert isinstance(connection, psycopg.Connection)  # noqa: S101 - the dialect's own
            connection.autocommit = True
            connection.adapters.register_dumper(None, NumericText)
            self._connection = connection
            # The server releases the lock with the connection, however the connection ends.
            key = f"ingenium recorder {self._scope}"
            locked = connection.execute(
                "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", (key,)
            ).fetchone()
        if locked != (True,):
            error = self._held()
            self.close()
            raise error
        for days in self._days.values():
            days.clear()

    def close(self) -> None:
        """Release the scope for other recorders."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @property
    def _open(self) -> psycopg.Connection[tuple[Any, ...]]:
        if self._connection is None:
            raise RecorderError("the writer is closed")
        return self._connection

    def query(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query; wait for the server as `write` does."""
        return self._persist(lambda _again: self._query(statement, values))

    def _query(self, statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        with failures(self._database, "be read"):
            return self._open.execute(statement.replace("?", "%s"), values).fetchall()

    def claim(self, stream: RecordedStream) -> None:
        """Create or take over the row of a position; see `BatchWriter.claim`."""
        with failures(self._database, "be written"):
            self._open.execute(
                "INSERT INTO position VALUES (%s, %s, %s, %s, %s, %s, %s, %s) "
                "ON CONFLICT (stream) DO UPDATE SET holder = excluded.holder, "
                "since = excluded.since",
                claim_row(stream),
            )

    def write(self, batch: WriteBatch) -> None:
        """Write a batch; see `BatchWriter.write`.

        A server that goes away is awaited for half a minute. The position shows whether a commit
        without an answer was made.
        """

        def write(again: bool) -> None:
            if again and self._position(batch.stream) == batch.after != batch.before:
                return
            self._write(batch)

        self._persist(write)

    def _persist(self, work: Callable[[bool], _T]) -> _T:
        """Call ``work``, again after each loss of the connection.

        Args:
            work: Called with whether this is a repeated attempt.
        """
        for attempt in range(_ATTEMPTS):
            try:
                if self._connection is None:
                    self.open()
                return work(attempt > 0)
            except RecorderError as error:
                # The errors of a server that is gone or starting; a server that still holds the
                # old connection's lock releases it with that connection.
                is_lost = isinstance(
                    error.__cause__, psycopg.OperationalError | psycopg.InterfaceError
                )
                if not (is_lost or attempt):
                    raise
                if self._connection is not None and not self._connection.closed:
                    raise
                if not attempt:
                    _log.warning("%s; trying again", error)
                self.close()
                if attempt:
                    time.sleep(_PAUSE_SECONDS)
        return work(True)

    def _position(self, stream: str) -> int | None:
        rows = self._query("SELECT sequence FROM position WHERE stream = ?", (stream,))
        return rows[0][0] if rows else None

    def _write(self, batch: WriteBatch) -> None:
        connection = self._open
        self.make_partitions([batch])
        with (
            failures(self._database, "be written"),
            connection.transaction(),
            connection.cursor() as cursor,
        ):
            # In one round trip; a COPY cannot be part of it.
            with connection.pipeline():
                cursor.execute(
                    "UPDATE position SET sequence = %s, mark = %s "
                    "WHERE stream = %s AND sequence = %s",
                    (batch.after, batch.mark, batch.stream, batch.before),
                )
                for row in batch.books:
                    connection.execute(
                        "INSERT INTO books VALUES (%s, %s, %s) "
                        "ON CONFLICT (scope, name) DO UPDATE SET state = excluded.state",
                        row,
                    )
            if cursor.rowcount != 1:
                raise self._lost(batch)
            for name, rows in batch.rows.items():
                self._copy(cursor, name, rows)

    def _copy(
        self, cursor: psycopg.Cursor[tuple[Any, ...]], name: str, rows: Sequence[Row]
    ) -> None:
        with cursor.copy(self._copies[name]) as copy:
            copy.set_types(COLUMN_TYPES[name])
            for row in rows:
                copy.write_row(row)

    def make_partitions(self, batches: Sequence[WriteBatch]) -> None:
        """Create the missing partitions for the days of some batches.

        Raises:
            RecorderError: The database cannot create them.
        """
        for name, at in _RECEIVED.items():
            days = {row[at] // DAY for batch in batches for row in batch.rows.get(name, ())}
            for day in sorted(days - self._days[name]):
                label = time.strftime("%Y_%m_%d", time.gmtime(day * 86_400))
                statement = sql.SQL(
                    "CREATE TABLE IF NOT EXISTS {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})"
                ).format(
                    sql.Identifier(f"{name}_{label}"),
                    sql.Identifier(name),
                    sql.Literal(day * DAY),
                    sql.Literal((day + 1) * DAY),
                )
                # Another recorder may create the same partition concurrently.
                with failures(self._database, "make a partition"), suppress(DuplicateTable):
                    self._open.execute(statement)
                self._days[name].add(day)

    @contextmanager
    def transaction(self) -> Iterator[Execute]:
        """Open a transaction; see `BatchWriter.transaction`."""
        connection = self._open

        def execute(statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
            cursor = connection.execute(statement.replace("?", "%s"), values)
            return cursor.fetchall() if cursor.description else []

        with failures(self._database, "be written"), connection.transaction():
            yield execute

    def next_deletion(self, done: Mapping[str, int], before: int) -> tuple[dict[str, int], int]:
        """Return the oldest day of all streams; see `BatchWriter.next_deletion`."""
        oldest = {
            stream: received
            for stream, after in done.items()
            for (received,) in self.query(
                "SELECT received FROM events WHERE stream = ? AND sequence > ? "
                "ORDER BY sequence LIMIT 1",
                (stream, after),
            )
            if received < before
        }
        if not oldest:
            return {}, before
        end_of_day = (min(oldest.values()) // DAY + 1) * DAY
        ends = {}
        for stream, received in oldest.items():
            if received < end_of_day:
                ((kept, last),) = self.query(
                    "SELECT min(sequence) FILTER (WHERE received >= ?), max(sequence) "
                    "FROM events WHERE stream = ? AND sequence > ?",
                    (end_of_day, stream, done[stream]),
                )
                ends[stream] = last if kept is None else kept - 1
        return ends, end_of_day

    def delete_events(self, execute: Execute, ends: Mapping[str, int], before: int) -> None:
        """Drop the partitions of which no row is kept; see `BatchWriter.delete_events`."""
        execute(f"SET LOCAL lock_timeout = '{_DROP_LOCK}'", ())
        others = " OR ".join(["(stream = ? AND sequence <= ?)"] * len(ends))
        values = [value for place in ends.items() for value in place]
        for table in schema.PARTITIONED:
            for (name,) in execute(
                "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
                "WHERE i.inhparent = ?::regclass ORDER BY c.relname",
                (table.name,),
            ):
                day = _day_of(table.name, name)
                if day is None or day * DAY >= before:
                    continue
                ((is_needed,),) = execute(
                    f'SELECT EXISTS (SELECT 1 FROM "{name}" WHERE NOT ({others}))',  # noqa: S608
                    values,
                )
                if is_needed:
                    # Another app or a backtest has events of the day.
                    execute(f'DELETE FROM "{name}" WHERE {others}', values)  # noqa: S608
                else:
                    execute(f'DROP TABLE "{name}"', ())
                    self._days[table.name].discard(day)

    def reclaim(self) -> int:
        """Do nothing: a dropped partition is gone, and the server reuses the space of rows."""
        return 0


def _day_of(table: str, partition: str) -> int | None:
    """Return the day of a partition, in days since 1970; ``None`` for another table."""
    try:
        found = time.strptime(partition, f"{table}_%Y_%m_%d")
    except ValueError:
        return None
    return timegm(found) // 86_400
