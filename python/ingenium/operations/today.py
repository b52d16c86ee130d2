"""Fills and denials of the current day, from the stream of orders."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import aclosing
from datetime import UTC, date, datetime

import msgspec

from ingenium.bus.base import Message
from ingenium.bus.envelope import unpack
from ingenium.bus.stream import Record, Stream
from ingenium.clock import SystemClock
from ingenium.errors import DecodeError
from ingenium.events import DenialEvent, ExecutionEvent, OrderEvent, TradeUpdate
from ingenium.subjects.names import DENIAL, EXECUTION, ORDER, event_type_of

__all__ = ["DenialView", "FillView", "Today", "TodayReader", "fill_of"]

READ_SECONDS = 5.0
"""Time limit for reading the messages of a day."""

_LISTED = 100
_SUBJECTS = (EXECUTION, DENIAL, ORDER)
_NOT_FILLING = frozenset(update.value for update in TradeUpdate) - {
    TradeUpdate.PARTIAL_FILL.value,
    TradeUpdate.FILLED.value,
}


class FillView(msgspec.Struct):
    """A fill as stated by its execution; fields not stated are empty.

    Attributes:
        time: Time of storage, UTC, by the server's clock.
        symbol: Name of the instrument.
        side: ``"buy"`` or ``"sell"``.
        quantity: Shares or units.
        price: Price of one share or unit.
        commission: Commission.
        order_id: Id of the order.
        id: Id of the execution.
    """

    time: datetime
    symbol: str
    side: str
    quantity: str
    price: str
    commission: str
    order_id: str
    id: str


class DenialView(msgspec.Struct):
    """A denied order.

    Attributes:
        time: Time at which the denial was stored, UTC, by the server's clock.
        symbol: Name of the instrument.
        side: ``"buy"`` or ``"sell"``; empty when not stated.
        quantity: Shares or units; empty when not stated.
        component: Component that denied the order.
        reason: Limit, as a token.
        detail: Description.
        id: Id of the denial.
    """

    time: datetime
    symbol: str
    side: str
    quantity: str
    component: str
    reason: str
    detail: str
    id: str


class Today(msgspec.Struct):
    """Fills and denials of the current day, from 00:00 UTC.

    Attributes:
        day: Day, UTC, by the server's clock.
        fill_count: Number of fills.
        fills: The last 100 fills, oldest first.
        denial_count: Number of denials.
        denials: The last 100 denials, oldest first.
        complete: Whether the whole day was read; otherwise the counts are lower bounds.
        unanswered: Id of the oldest order without an execution or a denial; empty for none.
        unanswered_time: When it was stored, UTC; ``None`` for none.
    """

    day: date
    fill_count: int = 0
    fills: list[FillView] = []
    denial_count: int = 0
    denials: list[DenialView] = []
    complete: bool = True
    unanswered: str = ""
    unanswered_time: datetime | None = None


def fill_of(
    event: ExecutionEvent, time: datetime, order: tuple[str, str] = ("", "")
) -> FillView | None:
    """Return the fill of an execution; ``None`` for a report without a fill.

    Args:
        event: The execution.
        time: Time of arrival, UTC.
        order: Symbol and side of the order, for executions without them.
    """
    if event.update in _NOT_FILLING or not event.quantity.strip("0.+- "):
        return None
    return FillView(
        time,
        event.symbol or order[0],
        event.side or order[1],
        event.quantity,
        event.price or "",
        event.commission or "",
        event.order_id,
        event.id,
    )


def denial_of(event: DenialEvent, time: datetime) -> DenialView:
    """Return the view of a denial; `time` is its time of arrival, UTC."""
    order = event.order
    return DenialView(
        time,
        event.symbol,
        "" if order is None else order.side,
        "" if order is None else order.quantity,
        event.component,
        event.reason,
        event.detail,
        event.id,
    )


class TodayReader:
    """Reads a day's fills and denials incrementally."""

    def __init__(self) -> None:
        self._created = ""
        self._today: Today | None = None
        self._forget()

    def _forget(self) -> None:
        self._after = 0
        self._orders: dict[str, tuple[str, str]] = {}
        self._unanswered: dict[str, datetime] = {}
        self._fills: deque[FillView] = deque(maxlen=_LISTED)
        self._denials: deque[DenialView] = deque(maxlen=_LISTED)
        self._seen: set[str] = set()

    async def observe(self, stream: Stream, seconds: float = READ_SECONDS) -> Today:
        """Return the fills and denials of today up to now.

        Args:
            stream: Stream of signals, orders, executions and denials.
            seconds: Time limit.

        Raises:
            StreamError: The stream cannot be read.
            BusTimeoutError: The server does not answer.
        """
        state = await stream.state()
        day = (state.time or SystemClock().now()).astimezone(UTC).date()
        today = self._today
        if today is None or today.day != day or self._created != state.created:
            midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
            self._forget()
            self._created = state.created
            today = self._today = Today(day)
            self._after = await _before(stream, state.first, state.last, midnight) - 1
        newest = await asyncio.gather(*(stream.last(subject) for subject in _SUBJECTS))
        end = max((record.sequence for record in newest if record is not None), default=0)
        today.complete = True
        if end > self._after:
            try:
                async with asyncio.timeout(seconds):
                    await self._read(stream, end)
            except TimeoutError:
                today.complete = False
        today.fills, today.denials = list(self._fills), list(self._denials)
        oldest = next(iter(self._unanswered.items()), ("", None))
        today.unanswered, today.unanswered_time = oldest
        return today

    async def _read(self, stream: Stream, end: int) -> None:
        async with aclosing(stream.read_many(_SUBJECTS, self._after)) as batches:
            async for records in batches:
                for record in records:
                    self._take(record)
                    self._after = record.sequence
                if self._after >= end:
                    return

    def _take(self, record: Record) -> None:
        message = record.message
        try:
            event = _event_of(message)
        except DecodeError:
            return  # A dead letter reports the unreadable payload.
        today = self._today
        if event is None or today is None:
            return
        if isinstance(event, OrderEvent):
            self._orders[event.id] = event.symbol, event.side
            self._unanswered[event.id] = record.time
            return
        if isinstance(event, ExecutionEvent):
            self._unanswered.pop(event.order_id, None)
        elif event.order is not None and event.order.id:
            self._unanswered.pop(event.order.id, None)
        if event.id:
            if event.id in self._seen:
                return
            self._seen.add(event.id)
        if isinstance(event, DenialEvent):
            today.denial_count += 1
            self._denials.append(denial_of(event, record.time))
        else:
            fill = fill_of(event, record.time, self._orders.get(event.order_id, ("", "")))
            if fill is not None:
                today.fill_count += 1
                self._fills.append(fill)


def _event_of(message: Message) -> OrderEvent | ExecutionEvent | DenialEvent | None:
    kind = event_type_of(message.subject)
    if kind is ExecutionEvent:
        return unpack(ExecutionEvent, message)
    if kind is DenialEvent:
        return unpack(DenialEvent, message)
    return unpack(OrderEvent, message) if kind is OrderEvent else None


async def _before(stream: Stream, first: int, last: int, time: datetime) -> int:
    """Return the first sequence stored at a time or later; last + 1 for none."""
    # An unused stream starts at 0, which is not a sequence.
    low, high = max(first, 1), last + 1
    while low < high:
        middle = (low + high) // 2
        record = None
        place = middle
        # A damaged file may lack a sequence.
        while record is None and place < high:
            record = await stream.at(place)
            place += 1
        if record is not None and record.time < time:
            low = place
        else:
            high = middle
    return low
