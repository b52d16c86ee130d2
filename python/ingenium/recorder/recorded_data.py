"""Read recorded market data, from a database or an export, as the history of a backtest."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

from ingenium.bus.envelope import unpack
from ingenium.components import DataNote, Ingestor
from ingenium.errors import ConfigError, DecodeError, MissingDependencyError, RecorderError
from ingenium.events import DataEvent
from ingenium.recorder.database import Database, failures
from ingenium.recorder.instants import nanoseconds
from ingenium.recorder.schema import EVENTS, streams_of
from ingenium.recorder.stored_message import stored_message
from ingenium.runtime.replay import time_of

__all__ = ["RecordedFeed", "RecordedIngestor", "RecordedWindow"]

_BATCH = 10_000
_EARLIEST, _LATEST = -(2**63), 2**63 - 1
# Two events of one time stay in the order in which they were received.
_ORDER = ("time", "received", "sequence")
_Row = tuple[str, bytes, bytes, int]


@dataclass(frozen=True, slots=True)
class RecordedWindow:
    """Which market data to read.

    Attributes:
        place: A database, as for `ingenium.recorder.open`, or the folder of an export in Parquet or
            Arrow.
        scope: Name of the app, or id of a run.
        since: First time, by the events' timestamps; from the start when ``None``. Aware.
        until: Time after the last one; to the end when ``None``. Aware.
    """

    place: str
    scope: str
    since: datetime | None = None
    until: datetime | None = None

    @property
    def times(self) -> tuple[int, int]:
        """First nanosecond since 1970, and the one after the last.

        Raises:
            ConfigError: A time has no zone, or the end is not after the start.
        """
        first = _EARLIEST if self.since is None else nanoseconds(self.since)
        end = _LATEST if self.until is None else nanoseconds(self.until)
        if end <= first:
            raise ConfigError(f"until {self.until} is not after since {self.since}: swap them")
        return first, end


class RecordedIngestor(Ingestor):
    """Yields the recorded events of market data, decoded from the bytes that were on the bus.

    They come in the order of their timestamps. An event that arrived after one of a later time is
    put in its place, unlike in live running, and `notes` counts such events.

    Args:
        window: Which data to read.
        name: Name of the ingestor.
    """

    def __init__(self, window: RecordedWindow, name: str = "recording") -> None:
        super().__init__(name)
        self._window = window
        self._late = 0
        self._damaged = 0

    def read(self) -> Iterator[DataEvent]:
        """Yield the events.

        Raises:
            RecorderError: The recording cannot be read, or holds no such data.
        """
        self._late = self._damaged = 0
        latest = 0
        is_empty = True
        folder = Path(self._window.place)
        rows = _exported(folder, self._window) if folder.is_dir() else _recorded(self._window)
        for subject, headers, body, received in rows:
            try:
                event = unpack(DataEvent, stored_message(subject, headers, body))
            except DecodeError:
                self._damaged += 1
                continue
            self._late += received < latest
            latest = max(latest, received)
            is_empty = False
            yield event
        if is_empty:
            raise RecorderError(
                f"{self._window.place} has no market data of {self._window.scope!r} between "
                f"{self._window.since or 'its start'} and {self._window.until or 'its end'}"
            )

    def notes(self) -> Sequence[DataNote]:
        """Return how many events were put in another place, or could not be decoded."""
        source, found = Path(self._window.place).name, []
        if self._late:
            text = "events arrived after later ones, and are sorted by their time"
            found.append(DataNote(source, "clipped", self._late, f"order: {text}"))
        if self._damaged:
            text = "events cannot be decoded"
            found.append(DataNote(source, "skipped", self._damaged, text))
        return found


class RecordedFeed(Ingestor):
    """Sends recorded market data as live data, once.

    Args:
        window: Which data to send.
        speed: Seconds of the data in a second, by the events' timestamps; 0 for no pauses.
        name: Name of the ingestor.
        pause: Waits for some seconds.

    Raises:
        ConfigError: The speed is negative.
    """

    def __init__(
        self,
        window: RecordedWindow,
        speed: float = 1.0,
        name: str = "recording",
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(name)
        if speed < 0:
            raise ConfigError(f"speed is {speed}: use 1 for real time, or 0 for no pauses")
        self._window = window
        self._speed = speed
        self._pause = pause

    async def ingest(self) -> None:
        """Send the data, and return at its end.

        Raises:
            RecorderError: The recording cannot be read, or holds no such data.
        """
        loop = asyncio.get_running_loop()
        began, first = loop.time(), None
        for event in RecordedIngestor(self._window).read():
            if self._speed:
                time = time_of(event)
                first = first or time
                due = began + (time - first).total_seconds() / self._speed
                await self._pause(max(due - loop.time(), 0))
            else:
                await self._pause(0)
            self.send_data(event)


def _recorded(window: RecordedWindow) -> Iterator[_Row]:
    database = Database(window.place)
    database.check()
    first, end = window.times
    query = (
        select(EVENTS.c.subject, EVENTS.c.headers, EVENTS.c.body, EVENTS.c.received)
        .where(
            EVENTS.c.stream.in_(streams_of(window.scope)),
            EVENTS.c.type == DataEvent.__name__,
            EVENTS.c.time >= first,
            EVENTS.c.time < end,
        )
        .order_by(*(EVENTS.c[name] for name in _ORDER))
        .execution_options(yield_per=_BATCH)
    )
    with failures(database, "be read"), database.engine.connect() as connection:
        for subject, headers, body, received in connection.execute(query):
            yield subject, bytes(headers), bytes(body), received


def _exported(folder: Path, window: RecordedWindow) -> Iterator[_Row]:
    try:
        import pyarrow
        from pyarrow import compute, dataset
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"an export needs {error.name}: pip install 'ingenium[arrow]'"
        ) from error
    place = folder / f"table={EVENTS.name}"
    kind = next((kind for kind in ("parquet", "arrow") if any(place.glob(f"*/*.{kind}"))), None)
    if kind is None:
        raise RecorderError(f"{folder} is not an export in Parquet or Arrow: see ingenium export")
    first, end = window.times
    field: Any = dataset.field
    time = field("time").cast(pyarrow.int64())
    wanted = (
        compute.starts_with(field("stream"), f"{window.scope}/")
        & (field("type") == DataEvent.__name__)
        & (time >= first)
        & (time < end)
    )
    files = [str(path) for path in sorted(place.glob(f"*/*.{kind}"))]
    try:
        columns = ["subject", "headers", "body", *_ORDER]
        table = dataset.dataset(files, format=kind).to_table(columns=columns, filter=wanted)
        table = table.sort_by([(name, "ascending") for name in _ORDER])
    except (OSError, pyarrow.ArrowException) as error:
        raise RecorderError(f"cannot read the export {folder}: {error}") from error
    received = compute.cast(table["received"], pyarrow.int64())
    table = table.select(["subject", "headers", "body"]).append_column("received", received)
    for batch in table.to_batches(_BATCH):
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
