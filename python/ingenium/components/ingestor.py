"""Ingestors feed market data into the system."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Literal

from ingenium.clock import format_time
from ingenium.components.component import Component
from ingenium.components.handle import ComponentHandle
from ingenium.components.overrides import overrides_of
from ingenium.errors import ComponentError, EncodeError
from ingenium.events import DataEvent, encode, write_plainly
from ingenium.ids import make_id
from ingenium.trading.bar import Bar, format_period

__all__ = ["DataNote", "Ingestor", "collect_notes", "why_unusable"]

_NO_DATA = "{} has no data: override read() for history or ingest() for live"


@dataclass(frozen=True, slots=True)
class DataNote:
    """A change or an assumption made while reading data: rows skipped, prices clipped.

    Attributes:
        source: Name of the file, without its folder.
        kind: ``"skipped"`` rows, ``"clipped"`` values, a ``"guessed"`` property of the source, or
            ``"unread"`` for a skipped file of a folder.
        count: Number of rows or values; 1 for a note on the whole file.
        text: Action and reason, with the first case: ``"line 17: close 'nan' is no number"``.
    """

    source: str
    kind: Literal["skipped", "clipped", "guessed", "unread"]
    count: int
    text: str


class IngestorHandle(ComponentHandle):
    """Handle of an ingestor.

    Args:
        name: Name of the ingestor.
        historical: Whether it reads history, rather than live data.
    """

    def __init__(self, name: str, *, historical: bool) -> None:
        super().__init__(name, "ingestor")
        self.historical = historical
        """Whether it reads history, rather than live data."""
        self.first_time: datetime | None = None
        """When the first event of its last run was known: `Ingestor.read` begins there in each
        run."""

    def identify(self, event: DataEvent) -> None:
        """Fill the empty id of an event from its content: source, symbol, time and length.

        So a bar that is read again, in another run or from another start, has the same id.
        """
        if event.id:
            return
        ohlc = event.ohlc
        if ohlc is None:
            event.id = make_id("data", self.name, event.symbol, event.timestamp, event.type)
        else:
            event.id = make_id(
                "data", self.name, event.symbol, event.timestamp, ohlc.period or "", ohlc.close
            )

    def name_bar(self, bar: Bar) -> str:
        """Return the id of a bar's event, as `identify` makes it, without making the event."""
        period = format_period(bar.period) if bar.period else ""
        return make_id("data", self.name, bar.symbol, format_time(bar.end), period, bar.close_text)


class Ingestor(Component):
    """Feeds market data into the system.

    Override one of three methods. `read` is for history: it yields events in the order of their
    time and ends; an app whose ingestors all read history runs in lockstep, so that its
    result does not depend on the speed of its parts. `read_bars` is the same for history that is
    all bars: a backtest makes the event of a bar only when it is used, so it is faster.
    `ingest` is for live data: it runs until it is canceled, and calls `send_data` when data
    arrives. When it returns or raises, it is called again after a pause, or its app ends: see
    ``on_end`` of `App`.
    """

    _handle: IngestorHandle

    zone: tzinfo = UTC
    """Time zone of the market's days, by which a backtest aggregates shorter bars."""

    def _make_handle(self) -> IngestorHandle:
        own = overrides_of(self, Ingestor)
        return IngestorHandle(
            self.name,
            historical=bool(own & {"read", "read_bars"}),
        )

    def read(self) -> Iterator[DataEvent] | AsyncIterator[DataEvent]:
        """Yield the events of history in the order of the time at which each was known.

        ``timestamp`` of each must be that time; `Bar.make` and `CsvIngestor` set it so. The runtime
        fills the ids.

        Raises:
            DataFileError: Depends on the ingestor: a source that cannot be read.
        """
        bars = self.read_bars()
        if bars is None:
            raise ComponentError(_NO_DATA.format(type(self).__name__))
        return (bar.event for bar in bars)

    def read_bars(self) -> Iterator[Bar] | None:
        """Yield the bars of history in the order of their ends; `None` where there is only `read`.

        Raises:
            DataFileError: Depends on the ingestor: a source that cannot be read.
        """
        return None

    async def ingest(self) -> None:
        """Run until canceled, calling `send_data` for arriving data.

        May be called again after it has returned or raised, such as when a connection is lost.
        """
        raise ComponentError(_NO_DATA.format(type(self).__name__))

    def total(self) -> int | None:
        """Return how many events `read` will yield, for the progress bar; ``None`` if unknown."""
        return None

    def files(self) -> Sequence[Path]:
        """Return the files that `read` reads, so that a result can name them; none if unknown."""
        return ()

    def notes(self) -> Sequence[DataNote]:
        """Return notes on rows skipped, clipped or guessed in the last reading; none by default."""
        return ()

    def send_data(self, event: DataEvent) -> DataEvent:
        """Send market data.

        Args:
            event: Its empty ``id`` and ``timestamp`` are filled.

        Returns:
            The same event.

        Raises:
            ComponentError: It is no `DataEvent`, or a field has a value of the wrong type.
            SubjectError: Its symbol cannot be part of a subject; nothing is sent.
        """
        try:
            write_plainly(event)
            self._handle.identify(event)
        except (TypeError, AttributeError, EncodeError) as error:
            problem = why_unusable(event)
            if not problem:
                raise
            raise ComponentError(f"send_data() {problem}") from error
        return self._handle.send(event, "data")


def why_unusable(item: object) -> str:
    """Return why an item that an ingestor sends or yields is no event, with the cure.

    Args:
        item: Anything.

    Returns:
        A text such as ``"got None: pass a DataEvent ..."``; empty for an event that can be sent.
    """
    if not isinstance(item, DataEvent):
        kind = "" if item is None else f" ({type(item).__name__})"
        return f"got {item!r:.100}{kind}: pass a DataEvent, such as Bar.make(...).event"
    try:
        encode(item)
    except EncodeError as error:
        value = error.problem.rpartition("found ")[2]
        cure = "time.isoformat()" if value.endswith("(datetime)") else "text"
        return (
            f"got an event with a wrong {error.path}: {error.problem}: pass {cure}, or make the "
            "event with Bar.make(...).event"
        )
    return ""


def collect_notes(components: Iterable[object]) -> tuple[DataNote, ...]:
    """Return the notes of the ingestors among some components, in their order."""
    notes: list[DataNote] = []
    for component in components:
        # An ingestor may have an unrelated attribute of that name.
        own: object = getattr(component, "notes", None)
        if isinstance(component, Ingestor) and callable(own):
            notes += (note for note in own() if isinstance(note, DataNote))
    return tuple(notes)


def source_named_by(namer: Callable[[Bar], str] | None) -> str | None:
    """Return the name of the ingestor whose `IngestorHandle.name_bar` this is.

    Returns:
        The name; ``None`` for any other function. With a name, the id of a bar's event is
        `make_id` of ``data``, that name, symbol, end, length and close.
    """
    if getattr(namer, "__func__", None) is not IngestorHandle.name_bar:
        return None
    handle = getattr(namer, "__self__", None)
    return handle.name if isinstance(handle, IngestorHandle) else None
