"""What is written in one transaction."""

from __future__ import annotations

from dataclasses import dataclass, field

from ingenium.recorder.schema import Rows

__all__ = ["RecordedStream", "WriteBatch"]


@dataclass(slots=True)
class RecordedStream:
    """How far a stream is recorded.

    Attributes:
        scope: Name of the app.
        name: Of the stream on its server.
        epoch: How often the stream was made anew, from 1 on.
        sequence: The last event that is recorded; 0 for none.
        mark: When the stream took it, in nanoseconds since 1970; 0 for none.
    """

    scope: str
    name: str
    epoch: int = 1
    sequence: int = 0
    mark: int = 0

    @property
    def label(self) -> str:
        """How the database names it."""
        again = f"~{self.epoch}" if self.epoch > 1 else ""
        return f"{self.scope}/{self.name}{again}"


@dataclass(slots=True)
class WriteBatch:
    """Rows, and the step of a stream's position that they are.

    Attributes:
        stream: As the database names it.
        before: The last sequence that was recorded before.
        after: The last one that is recorded with it.
        mark: When the stream took that, in nanoseconds since 1970.
        rows: By table.
        books: Rows of the account, that take the place of those of the same name.
    """

    stream: str
    before: int
    after: int
    mark: int
    rows: Rows = field(default_factory=dict)
    books: list[tuple[str, str, bytes]] = field(default_factory=list)
