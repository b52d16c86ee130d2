"""History as a feed that can be looked at before it is taken, and the merging of several."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from msgspec.structs import force_setattr

from ingenium.components import Ingestor
from ingenium.errors import ComponentError, DecodeError, IngeniumError
from ingenium.events import DataEvent
from ingenium.trading import Bar
from ingenium.trading.bar import parse_time

__all__ = ["Feed", "Head", "Item", "Turn", "next_turn", "time_of"]

Item = DataEvent | Bar
"""An event of market data, or a bar whose event has not been made yet."""


class Head(NamedTuple):
    """What a feed would give next.

    Attributes:
        time: When the event was known, UTC.
        symbol: Its symbol.
    """

    time: datetime
    symbol: str


class Turn(NamedTuple):
    """Which feed goes next, and how far.

    Attributes:
        feed: Its position.
        until_symbol: It gives its events of the instant up to this symbol, itself included; empty
            for all of the instant.
    """

    feed: int
    until_symbol: str


def next_turn(heads: Sequence[Head | None]) -> Turn:
    """Decide which of several feeds goes next, so that all merge by time, symbol and position.

    Args:
        heads: The next event of each feed; ``None`` for one that has ended. At least one is left.
    """
    index, head = min(
        ((i, head) for i, head in enumerate(heads) if head is not None),
        key=lambda item: (item[1], item[0]),
    )
    others = [
        other.symbol
        for i, other in enumerate(heads)
        if i != index and other is not None and other.time == head.time
    ]
    return Turn(index, min(others, default=""))


def time_of(event: DataEvent) -> datetime:
    """Return when an event of market data was known, UTC.

    Raises:
        DecodeError: Neither its timestamp nor its bar says so.
    """
    text = event.timestamp
    if text:
        return parse_time(text)
    if event.ohlc is not None and event.ohlc.timestamp is not None:
        return Bar.from_event(event).end
    raise DecodeError("DataEvent", "Timestamp", "expected an RFC 3339 time, found ''")


def _prefers_bars(ingestor: Ingestor) -> bool:
    """Whether `read_bars` says all: not so where only `read` was overridden after it."""
    if "read" in vars(ingestor):
        return "read_bars" in vars(ingestor)
    for cls in type(ingestor).__mro__:
        if "read_bars" in vars(cls):
            return True
        if "read" in vars(cls):
            return False
    return True


class Feed:
    """The history of one ingestor.

    Args:
        ingestor: Its `read` gives the events.
    """

    def __init__(self, ingestor: Ingestor) -> None:
        self.ingestor = ingestor
        self.head: Head | None = None
        """What comes next; ``None`` before `start` and after the end."""
        self._item: Item | None = None
        self._last_text = ""
        self._last_time = datetime.min.replace(tzinfo=UTC)
        self._iterator: Iterator[Item] | None = None
        self._async_iterator: AsyncIterator[DataEvent] | None = None

    async def start(self) -> None:
        """Open the source and look at its first event.

        Raises:
            IngeniumError: The source cannot be read.
        """
        try:
            source: Iterator[Item] | AsyncIterator[DataEvent] | None = None
            if _prefers_bars(self.ingestor):
                source = self.ingestor.read_bars()
            if source is None:
                source = self.ingestor.read()
        except Exception as error:
            raise self._failed(error) from error
        if isinstance(source, AsyncIterator):
            self._async_iterator = source
        else:
            self._iterator = iter(source)
        await self._advance()

    async def take(self, until_symbol: str = "") -> list[Item]:
        """Take what the present instant has.

        Args:
            until_symbol: Only up to the first event whose symbol sorts behind this one; empty for
                all of the instant.

        Raises:
            IngeniumError: The source cannot be read on, or goes back in time.
        """
        if self._async_iterator is None:
            return self.take_now(until_symbol)
        taken: list[Item] = []
        time = None if self.head is None else self.head.time
        while self._is_next(time, until_symbol):
            if self._item is not None:
                taken.append(self._item)
            await self._advance()
        return taken

    def take_now(self, until_symbol: str = "") -> list[Item]:
        """Do as `take`, for a source that is no async iterator (`is_plain`)."""
        taken: list[Item] = []
        time = None if self.head is None else self.head.time
        while self._is_next(time, until_symbol):
            if self._item is not None:
                taken.append(self._item)
            try:
                self._accept(None if self._iterator is None else next(self._iterator, None))
            except Exception as error:
                raise self._failed(error) from error
        return taken

    @property
    def is_plain(self) -> bool:
        """Whether the source can be read without waiting."""
        return self._async_iterator is None

    def _is_next(self, time: datetime | None, until_symbol: str) -> bool:
        head = self.head
        if head is None or head.time != time:
            return False
        return not until_symbol or head.symbol <= until_symbol

    async def _advance(self) -> None:
        try:
            if self._async_iterator is not None:
                self._accept(await anext(self._async_iterator, None))
            else:
                self._accept(None if self._iterator is None else next(self._iterator, None))
        except Exception as error:
            raise self._failed(error) from error

    def instants(self) -> Iterator[tuple[datetime, list[Item]]]:
        """Yield what is left of a plain source, instant by instant; `head` stays as it is.

        Does as `take_now` again and again, and takes a third of the time for bars.
        """
        item, iterator = self._item, self._iterator
        if item is None or iterator is None:
            return
        time, items = self._last_time, [item]
        accept = self._accept
        try:
            for item in iterator:
                if type(item) is Bar and item.name is not None:
                    end = item.end
                    if end > time:
                        self._last_time = end
                    elif end == time:
                        items.append(item)
                        continue
                    else:
                        accept(item)  # raises
                else:
                    accept(item)
                    end = self._last_time
                    if end == time:
                        items.append(item)
                        continue
                yield time, items
                time, items = end, [item]
        except Exception as error:
            raise self._failed(error) from error
        yield time, items

    def _accept(self, item: Item | None) -> None:
        """Let an event be the next one, once its time is known and it has an id."""
        self._item = item
        if item is None:
            self.head = None
            return
        if isinstance(item, Bar):
            if item.end != self._last_time:
                self._go_on(item.end, item.symbol)
            if item.name is None:
                force_setattr(item, "name", self.ingestor.name_bar)
        else:
            # Bars of several symbols share their time, so most texts are parsed once.
            if item.timestamp != self._last_text or not item.timestamp:
                self._go_on(time_of(item), item.symbol)
                self._last_text = item.timestamp
            if not item.id:
                self.ingestor.identify(item)
        self.head = Head(self._last_time, item.symbol)

    def _go_on(self, time: datetime, symbol: str) -> None:
        if time < self._last_time:
            raise ComponentError(
                f"{symbol} at {time.isoformat()} comes after "
                f"{self._last_time.isoformat()}: history has to be in the order of time"
            )
        self._last_time = time

    def _failed(self, error: Exception) -> Exception:
        if isinstance(error, IngeniumError) and not isinstance(error, ComponentError):
            return error
        name = self.ingestor.name
        kind = "" if isinstance(error, ComponentError) else f"{type(error).__name__}: "
        return ComponentError(f"ingestor {name!r} failed to read on: {kind}{error}")
