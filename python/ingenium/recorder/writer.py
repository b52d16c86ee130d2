"""Writes batches: events, what is made of them, and the position, in one transaction.

Rows go to the driver as they are: an ``INSERT`` for many tuples in SQLite, and ``COPY`` in its
binary form in PostgreSQL. Nothing looks whether a row is there already. The position says so: it is
moved in the same transaction, from what this writer has written before, or not at all.
"""

from __future__ import annotations

import os
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Table

from ingenium.errors import RecorderError
from ingenium.recorder.batch import RecordedStream, WriteBatch
from ingenium.recorder.columns import Money
from ingenium.recorder.database import Database
from ingenium.recorder.schema import Row

__all__ = [
    "DAY",
    "BatchWriter",
    "claim_row",
    "money_columns",
    "this_process",
    "with_decimals",
]

DAY = 86_400 * 1_000_000_000
"""Nanoseconds."""


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
