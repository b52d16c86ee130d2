"""Feed of history whose next event can be inspected, and the merge order of several feeds."""

from __future__ import annotations

from array import array
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple, cast

from msgspec.structs import force_setattr

from ingenium.components import Ingestor
from ingenium.components.handle_of import handle_of
from ingenium.components.ingestor import why_unusable
from ingenium.errors import ComponentError, EncodeError, IngeniumError
from ingenium.events import DataEvent, write_plainly
from ingenium.trading import Bar
from ingenium.trading.account import LARGEST_PRICE
from ingenium.trading.period import end_of_period, read_period
from ingenium.trading.timestamp import is_time, parse_time, read_time

__all__ = ["Feed", "Head", "Instant", "Item", "Run", "Turn", "next_turn", "prefers_bars", "time_of"]

Item = DataEvent | Bar
"""An event of market data, or a bar whose event has not been made yet."""


class Head(NamedTuple):
    """The next event of a feed.

    Attributes:
        time: When the event was known, UTC.
        symbol: Its symbol.
    """

    time: datetime
    symbol: str


Instant = tuple[datetime, list[Item]]
"""An instant and all of its items."""

_DAY_SECONDS = 86_400
_END = object()
_NONE = timedelta(0)
_AHEAD = 64
"""Items read together. Few, as other tasks get their turn only between runs."""


class Run:
    """Bars of one symbol, each of them the only item of its instant, in the order of time.

    They are of class `Bar` itself, have a name, and close below `LARGEST_PRICE`.

    Args:
        symbol: Symbol of all bars.
        bars: One or more.
        ends: Their ends, UTC.
        closes: Their closes.
        step: Whole seconds from each end to the next; 0 where it is not always the same.
    """

    def __init__(
        self, symbol: str, bars: list[Bar], ends: list[datetime], closes: list[float], step: int
    ) -> None:
        self.symbol = symbol
        self.bars = bars
        self.ends = ends
        self.closes = closes
        self.step = step

    def stamps(self, first: int, end: int) -> array[float]:
        """Return the timestamps of the ends from one place to before another."""
        begin, step = self.ends[first].timestamp(), float(self.step)
        if step and begin.is_integer():
            # All are whole, so this equals `timestamp`, in a fifth of the time.
            return array("d", [begin + step * i for i in range(end - first)])
        return array("d", [time.timestamp() for time in self.ends[first:end]])


class Turn(NamedTuple):
    """Which feed goes next, and how far.

    Attributes:
        feed: Its position.
        until_symbol: The feed gives its events of the instant up to and including this symbol;
            empty for all of the instant.
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
        DecodeError: Neither its timestamp nor its bar has the time.
    """
    ohlc = event.ohlc
    if ohlc is None or ohlc.timestamp is None:
        return parse_time(event.timestamp)
    return read_time(event.timestamp, end_of_period(ohlc.timestamp, read_period(ohlc.period or "")))


def prefers_bars(ingestor: Ingestor) -> bool:
    """Whether `read_bars` is authoritative: not where only `read` is overridden below it."""
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
        self._handle = handle_of(ingestor)
        self.head: Head | None = None
        """The next event; ``None`` before `start` and after the end."""
        self._item: Item | None = None
        self._last_text = ""
        self._last_time = datetime.min.replace(tzinfo=UTC)
        self._iterator: Iterator[Item] | None = None
        self._async_iterator: AsyncIterator[DataEvent] | None = None

    async def start(self) -> None:
        """Open the source and read its first event.

        Raises:
            IngeniumError: The source cannot be read.
        """
        try:
            source: Iterator[Item] | AsyncIterator[DataEvent] | None = None
            if prefers_bars(self.ingestor):
                source = self.ingestor.read_bars()
            if source is None:
                source = self.ingestor.read()
        except Exception as error:
            raise self._failed(error) from error
        if isinstance(source, AsyncIterator):
            self._async_iterator = source
        elif isinstance(source, Iterable):
            self._iterator = iter(source)
        else:
            raise self._failed(ComponentError(f"it returned {source!r:.100}: yield events in it"))
        await self._advance()

    async def take(self, until_symbol: str = "") -> list[Item]:
        """Take the events of the present instant.

        Args:
            until_symbol: Only up to the first event whose symbol sorts after this one; empty for
                all of the instant.

        Raises:
            IngeniumError: The source cannot be read further, or goes back in time.
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
        """Take events as `take` does, from a source that is no async iterator (`is_plain`)."""
        taken: list[Item] = []
        time = None if self.head is None else self.head.time
        while self._is_next(time, until_symbol):
            if self._item is not None:
                taken.append(self._item)
            self._advance_now()
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
        if self._async_iterator is None:
            self._advance_now()
            return
        try:
            item: Any = await anext(self._async_iterator, _END)
        except Exception as error:
            raise self._failed(error) from error
        self._accept_next(item)

    def _advance_now(self) -> None:
        try:
            item: Any = _END if self._iterator is None else next(self._iterator, _END)
        except Exception as error:
            raise self._failed(error) from error
        self._accept_next(item)

    def _accept_next(self, item: Any) -> None:
        if item is _END:
            self._item = self.head = None
            return
        try:
            self._accept(item)
        except Exception as error:
            raise self._refused(item, error) from error

    @property
    def read_until(self) -> datetime:
        """The time of the item read last."""
        return self._last_time

    def pieces(self) -> Iterator[Run | Instant]:
        """Yield the rest of a plain source, in runs where possible; `head` stays.

        Equals repeated calls of `take_now`, in less time. The source is read ahead, and an error
        there is raised when its turn has come.

        Raises:
            IngeniumError: The source cannot be read further, or goes back in time.
        """
        item, iterator = self._item, self._iterator
        if item is None or iterator is None:
            return
        # The last item read is held back: there may be more of its instant.
        time, items = self._last_time, [item]
        is_left = True
        while is_left:
            ahead: list[Item] = []
            failure: Exception | None = None
            try:
                for item in islice(iterator, _AHEAD):
                    ahead.append(item)  # noqa: PERF402  What came before an error is kept.
            except Exception as error:  # noqa: BLE001
                failure = error
            is_left = len(ahead) == _AHEAD
            run = self._run_of(items[0], ahead) if ahead and len(items) == 1 else None
            if run is not None:
                yield run
                time, items = self._last_time, ahead[-1:]
            else:
                for item in ahead:
                    if self._joins(item):
                        items.append(item)
                        continue
                    yield time, items
                    time, items = self._last_time, [item]
            if failure is not None:
                raise self._failed(failure) from failure
        yield time, items

    def _run_of(self, first: Item, items: list[Item]) -> Run | None:
        """Return the run of a bar and those after it, all but the last; ``None`` without a run."""
        if type(first) is not Bar or first.close >= LARGEST_PRICE:
            return None
        symbol, end, largest, kind = first.symbol, first.end, LARGEST_PRICE, Bar
        ends, closes = [end], [first.close]
        gap: timedelta | None = None
        is_even = True
        for item in items:
            if type(item) is not kind or item.symbol != symbol:
                return None
            if item.name is None:
                force_setattr(item, "name", self._handle.name_bar)
            before, end, close = end, item.end, item.close
            if close >= largest:
                return None
            if is_even:
                distance = end - before
                if gap is None:
                    gap = distance
                    if gap <= _NONE:
                        return None
                is_even = distance == gap
            if not is_even and end <= before:
                return None
            ends.append(end)
            closes.append(close)
        if gap is None:
            return None
        self._last_time = end
        bars = cast("list[Bar]", [first, *items[:-1]])
        del ends[-1], closes[-1]
        # In another zone the distance of two times may differ from that of their clock readings.
        is_even = is_even and not gap.microseconds and ends[0].tzinfo is ends[-1].tzinfo is UTC
        step = gap.days * _DAY_SECONDS + gap.seconds if is_even else 0
        return Run(symbol, bars, ends, closes, step)

    def _joins(self, item: Item) -> bool:
        """Whether an item belongs to the instant of the one before; `head` stays as it is."""
        time = self._last_time
        if type(item) is Bar and item.name is not None:
            end = item.end
            if end > time:
                self._last_time = end
                return False
            if end == time:
                return True
        self._accept_next(item)
        return self._last_time == time

    def _accept(self, item: Item) -> None:
        """Make an event the next one, once its time is known and it has an id."""
        self._item = item
        if isinstance(item, Bar):
            if item.end != self._last_time:
                self._go_on(item.end, item.symbol)
            if item.name is None:
                force_setattr(item, "name", self._handle.name_bar)
        else:
            # Bars of several symbols share their time, so most texts are parsed once.
            if item.timestamp != self._last_text or not item.timestamp:
                self._go_on(time_of(item), item.symbol)
                self._last_text = item.timestamp if is_time(item.timestamp) else ""
            write_plainly(item)
            if not item.id:
                self._handle.identify(item)
        self.head = Head(self._last_time, item.symbol)

    def _go_on(self, time: datetime, symbol: str) -> None:
        if time < self._last_time:
            raise ComponentError(
                f"{symbol} at {time.isoformat()} comes after {self._last_time.isoformat()}: sort "
                "history by time"
            )
        self._last_time = time

    def _refused(self, item: object, error: Exception) -> Exception:
        """Return the error of an item that has come and cannot be used."""
        if isinstance(item, Bar) or not isinstance(error, TypeError | AttributeError | EncodeError):
            return self._failed(error)
        problem = why_unusable(item)
        return self._failed(ComponentError(problem) if problem else error)

    def _failed(self, error: Exception) -> Exception:
        if isinstance(error, IngeniumError) and not isinstance(error, ComponentError):
            return error
        name = self.ingestor.name
        kind = "" if isinstance(error, ComponentError) else f"{type(error).__name__}: "
        return ComponentError(f"ingestor {name!r} failed while reading: {kind}{error}")
