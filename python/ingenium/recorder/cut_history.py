"""History of which only a part is used, beside or in place of recorded data."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import tzinfo
from pathlib import Path

from ingenium.components import DataNote, Ingestor
from ingenium.errors import DecodeError
from ingenium.events import DataEvent
from ingenium.recorder.instants import nanoseconds
from ingenium.runtime.replay import time_of

__all__ = ["CutHistory"]


class CutHistory(Ingestor):
    """Yields those events of an ingestor that are wanted.

    Args:
        inner: Ingestor that reads history.
        is_wanted: Receives an event and its time in nanoseconds since 1970.
    """

    def __init__(self, inner: Ingestor, is_wanted: Callable[[DataEvent, int], bool]) -> None:
        super().__init__(inner.name)
        self._inner = inner
        self._is_wanted = is_wanted

    @property
    def zone(self) -> tzinfo:  # type: ignore[override]
        """Time zone of the market's days."""
        return self._inner.zone

    def read(self) -> Iterator[DataEvent] | AsyncIterator[DataEvent]:
        """Yield the events."""
        events = self._inner.read()
        if isinstance(events, AsyncIterator):
            return self._read_slowly(events)
        return (event for event in events if self._wants(event))

    async def _read_slowly(self, events: AsyncIterator[DataEvent]) -> AsyncIterator[DataEvent]:
        async for event in events:
            if self._wants(event):
                yield event

    def _wants(self, event: DataEvent) -> bool:
        try:
            return self._is_wanted(event, nanoseconds(time_of(event)))
        except DecodeError:
            return True  # The replay reports it.

    def files(self) -> Sequence[Path]:
        """Return the files that are read."""
        return self._inner.files()

    def notes(self) -> Sequence[DataNote]:
        """Return the notes of the last reading."""
        return self._inner.notes()
