"""Write batches: events, rows derived from them, and the position, in one transaction.

Rows go to the driver unchanged: one ``INSERT`` for many rows in SQLite, binary ``COPY`` in
PostgreSQL. No query checks for existing rows. The position prevents duplicates: it is moved in the
same transaction, from the value that this writer wrote before, or not at all.
"""

from __future__ import annotations

import os
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import Any

from sqlalchemy import Table

from ingenium.errors import RecorderError
from ingenium.recorder.batch import RecordedStream, WriteBatch
from ingenium.recorder.columns import Money
from ingenium.recorder.database import Database
from ingenium.recorder.schema import Row

__all__ = [
    "BatchWriter",
    "Execute",
    "claim_row",
    "money_columns",
    "this_process",
    "with_decimals",
]


Execute = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]
"""Executes a statement with ``?`` for its values, and returns its rows, if it has any."""


def this_process() -> str:
    """Return host and process id of this recorder: ``"trader-1, process 4711"``."""
    return f"{socket.gethostname() or 'this machine'}, process {os.getpid()}"


class BatchWriter(ABC):
    """Writes to a database for one scope; used by one thread.

    Args:
        database: Database to write to; its tables are up to date.
        scope: Name of the app.
    """

    def __init__(self, database: Database, scope: str) -> None:
        self._database = database
        self._scope = scope

    @abstractmethod
    def open(self) -> None:
        """Connect, and lock out every other recorder of the scope.

        Raises:
            RecorderError: Another recorder is active, which the text names; or the database
                cannot be opened.
        """

    @abstractmethod
    def close(self) -> None:
        """Release the scope for other recorders. Closing twice has no effect."""

    @abstractmethod
    def query(self, statement: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query; ``?`` is the placeholder of a value."""

    @abstractmethod
    def claim(self, stream: RecordedStream) -> None:
        """Create the row of a stream's position, or set this process as its holder."""

    @abstractmethod
    def write(self, batch: WriteBatch) -> None:
        """Write a batch, all or nothing.

        Raises:
            RecorderError: It cannot be written, or another recorder has moved the position.
        """

    @abstractmethod
    def transaction(self) -> AbstractContextManager[Execute]:
        """Open a transaction; it is committed at the end.

        Raises:
            RecorderError: The database cannot be written.
        """

    @abstractmethod
    def next_deletion(self, done: Mapping[str, int], before: int) -> tuple[dict[str, int], int]:
        """Return what to delete in one transaction.

        Args:
            done: Last deleted sequence by stream.
            before: Time of reception before which events are deleted; the start of a day.

        Returns:
            The sequence by stream up to which to delete next, empty at the end; and a time that
            no event up to there has reached.
        """

    @abstractmethod
    def delete_events(self, execute: Execute, ends: Mapping[str, int], before: int) -> None:
        """Delete the rows of the large tables up to a sequence of each stream.

        Args:
            execute: Of the transaction.
            ends: First result of `next_deletion`, or lower sequences.
            before: Second result of `next_deletion`.
        """

    @abstractmethod
    def reclaim(self) -> int:
        """Give the space of deleted rows back to the file system.

        Returns:
            Bytes that remain free within the file, for new rows.
        """

    def positions(self) -> list[RecordedStream]:
        """Return the recorded position of each stream of the scope, in its latest epoch."""
        found = self.query(
            "SELECT name, epoch, sequence, mark FROM position WHERE scope = ? ORDER BY epoch",
            (self._scope,),
        )
        return list(
            {name: RecordedStream(self._scope, name, *rest) for name, *rest in found}.values()
        )

    def _lost(self, batch: WriteBatch) -> RecorderError:
        rows = self.query("SELECT sequence, holder FROM position WHERE stream = ?", (batch.stream,))
        sequence, holder = rows[0] if rows else (None, "nobody")
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


def claim_row(stream: RecordedStream) -> Row:
    """Return the row of a stream's position with this process as holder."""
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
    """Return the indexes of the money columns."""
    return [at for at, column in enumerate(table.columns) if isinstance(column.type, Money)]


def with_decimals(rows: Sequence[Row], places: Sequence[int]) -> list[list[Any]]:
    """Return rows with money as decimals instead of text."""
    found = [list(row) for row in rows]
    for row in found:
        for at in places:
            if row[at] is not None:
                row[at] = Decimal(row[at])
    return found
