"""Books of an app that holds a fixed quantity, counted from its stream and nothing else."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from contextlib import aclosing
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from ingenium.bus.envelope import unpack
from ingenium.bus.stream import Record
from ingenium.config import Settings
from ingenium.events import CancelEvent, DenialEvent, ExecutionEvent, OrderEvent, SignalEvent
from ingenium.operations.apps import as_operator, find_app, stream_of
from ingenium.subjects.names import CANCEL, DENIAL, EXECUTION, ORDER, SIGNAL

__all__ = ["StreamBooks", "read_books"]

_KINDS = {
    SIGNAL: SignalEvent,
    ORDER: OrderEvent,
    CANCEL: CancelEvent,
    EXECUTION: ExecutionEvent,
    DENIAL: DenialEvent,
}
_DIRECTIONS = {"ingenium.signal.long": Decimal(1), "ingenium.signal.short": Decimal(-1)}
_ENDS = {"filled", "canceled", "rejected", "expired"}


@dataclass
class StreamBooks:
    """What the stream says.

    Attributes:
        end: Sequence of its newest message that is counted.
        signals: How many there are.
        orders: How many left.
        fills: How many executions fill something.
        denials: How many orders did not leave.
        unanswered: Signals without the order or denial that they call for, and orders whose end no
            execution has said, by their sequence.
        wrong: What must never be, in words.
        positions: Quantities by symbol, without those that are flat.
        cash: That of the account.
    """

    end: int = 0
    signals: int = 0
    orders: int = 0
    fills: int = 0
    denials: int = 0
    unanswered: dict[int, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    positions: dict[str, Decimal] = field(default_factory=dict)
    cash: Decimal = Decimal(0)


def _signed(order: OrderEvent, quantity: Decimal) -> Decimal:
    return quantity if order.side == "buy" else -quantity


def count_books(events: list[tuple[int, object]], quantity: int, cash: int) -> StreamBooks:
    """Count the events of a stream, in their order.

    A signal calls for an order to the position that it asks for, unless that is what is held and on
    its way already.

    Args:
        events: Sequence and event of each message.
        quantity: What the portfolio holds of each symbol.
        cash: What its account began with.
    """
    books = StreamBooks(end=events[-1][0] if events else 0, cash=Decimal(cash))
    # What became of the signals of each symbol, in the order of the signals.
    outcomes: dict[str, deque[OrderEvent | DenialEvent]] = defaultdict(deque)
    for _, event in events:
        if isinstance(event, OrderEvent | DenialEvent):
            outcomes[event.symbol].append(event)
    aimed: dict[str, Decimal] = defaultdict(Decimal)
    held: dict[str, Decimal] = defaultdict(Decimal)
    orders: dict[str, OrderEvent] = {}
    open_since: dict[str, int] = {}
    left: dict[str, Decimal] = {}
    # What is said of these is an answer to the request, and ends no order.
    requests: set[str] = set()
    seen: set[str] = set()
    for sequence, event in events:
        name = getattr(event, "id", "")
        if name in seen:
            books.wrong.append(f"{name} is there twice")
        seen.add(name)
        if isinstance(event, SignalEvent):
            books.signals += 1
            wanted = _DIRECTIONS[event.signal] * quantity - aimed[event.symbol]
            if not wanted:
                continue
            if not outcomes[event.symbol]:
                books.unanswered[sequence] = f"signal {name} has no order and no denial"
                continue
            outcome = outcomes[event.symbol].popleft()
            order = outcome if isinstance(outcome, OrderEvent) else outcome.order
            assert order is not None
            if _signed(order, Decimal(order.quantity)) != wanted:
                books.wrong.append(f"signal {name} calls for {wanted}, and got {outcome}")
            if isinstance(outcome, OrderEvent):
                aimed[event.symbol] += wanted
        elif isinstance(event, OrderEvent):
            books.orders += 1
            orders[name], open_since[name] = event, sequence
            left[name] = Decimal(event.quantity)
        elif isinstance(event, DenialEvent):
            books.denials += 1
        elif isinstance(event, CancelEvent):
            requests.add(name)
        elif isinstance(event, ExecutionEvent) and event.order_id not in requests:
            _execute(books, event, orders, open_since, left, held, aimed)
    books.wrong += [f"nothing calls for {each}" for more in outcomes.values() for each in more]
    for name, sequence in open_since.items():
        books.unanswered[sequence] = f"order {name} has no end"
    books.positions = {symbol: amount for symbol, amount in held.items() if amount}
    return books


def _execute(
    books: StreamBooks,
    event: ExecutionEvent,
    orders: dict[str, OrderEvent],
    open_since: dict[str, int],
    left: dict[str, Decimal],
    held: dict[str, Decimal],
    aimed: dict[str, Decimal],
) -> None:
    order = orders.get(event.order_id)
    if order is None:
        books.wrong.append(f"{event} is of no order")
        return
    if event.order_id not in open_since:
        books.wrong.append(f"{event} comes behind the end of its order")
        return
    if event.update in {"filled", "partial_fill"}:
        books.fills += 1
        amount = Decimal(event.quantity)
        left[order.id] -= amount
        held[order.symbol] += _signed(order, amount)
        books.cash -= _signed(order, amount) * Decimal(event.price or "NaN")
        books.cash -= Decimal(event.commission or 0)
        if left[order.id] < 0 or (event.update == "filled" and left[order.id]):
            books.wrong.append(f"{event} leaves {left[order.id]} of its order")
    if event.update in _ENDS:
        del open_since[order.id]
        aimed[order.symbol] -= _signed(order, left[order.id])


def read_books(folder: Path, app: str, quantity: int, cash: int = 100_000) -> StreamBooks:
    """Count the stream of an app that runs in a folder; arguments as for `count_books`."""
    place = find_app(Settings(data_directory=folder / ".ingenium"), app)

    async def read() -> list[Record]:
        async with as_operator(place) as bus:
            stream = await stream_of(bus)
            newest = [await stream.last(subject) for subject in _KINDS]
            end = max((record.sequence for record in newest if record is not None), default=0)
            records: list[Record] = []
            if end:
                async with aclosing(stream.read_many(list(_KINDS), 0)) as batches:
                    async for batch in batches:
                        records += [record for record in batch if record.sequence <= end]
                        if records and records[-1].sequence >= end:
                            break
            return records

    records = asyncio.run(read())
    events: list[tuple[int, object]] = []
    for each in records:
        kind: Any = _KINDS[each.message.subject]
        events.append((each.sequence, unpack(kind, each.message)))
    return count_books(events, quantity, cash)
