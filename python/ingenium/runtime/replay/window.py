"""The part of history that a replay runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

__all__ = ["Window"]

_EARLIEST = datetime.min.replace(tzinfo=UTC)
_LATEST = datetime.max.replace(tzinfo=UTC)


@dataclass
class Window:
    """The part of history that a replay runs.

    Attributes:
        start: Steps before this are a warm-up: components see the data, but signals of strategies
            are dropped.
        end: The last instant to run.
        next_time: The first instant after it, once the replay has ended; ``None`` where all of
            history was run.
    """

    start: datetime = _EARLIEST
    end: datetime = _LATEST
    next_time: datetime | None = None
