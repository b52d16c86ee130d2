"""Data that is written in one transaction."""

from __future__ import annotations

from dataclasses import dataclass, field

from ingenium.recorder.schema import Rows

__all__ = ["RecordedStream", "WriteBatch"]


@dataclass(slots=True)
class RecordedStream:
    """Position up to which a stream is recorded.

    Attributes:
        scope: Name of the app.
        name: Name of the stream on its server.
        epoch: Incarnation of the stream, from 1: one more after each time it was recreated.
        sequence: Sequence of the last recorded event; 0 for none.
        mark: When the stream stored that event, in nanoseconds since 1970; 0 for none.
    """

    scope: str
    name: str
    epoch: int = 1
    sequence: int = 0
    mark: int = 0

    @property
    def label(self) -> str:
        """Name of the stream in the database."""
        again = f"~{self.epoch}" if self.epoch > 1 else ""
        return f"{self.scope}/{self.name}{again}"


@dataclass(slots=True)
class WriteBatch:
    """Rows to write, and the position of their stream before and after.

    Attributes:
        stream: Name of the stream in the database.
        before: Last sequence recorded before this batch.
        after: Last sequence recorded with this batch.
        mark: When the stream stored ``after``, in nanoseconds since 1970.
        rows: Rows by table.
        books: Rows of the account, which replace those of the same name.
    """

    stream: str
    before: int
    after: int
    mark: int
    rows: Rows = field(default_factory=dict)
    books: list[tuple[str, str, bytes]] = field(default_factory=list)
