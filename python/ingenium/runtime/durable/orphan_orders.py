"""Orphan orders: sent to an executor before its first start."""

from __future__ import annotations

from contextlib import aclosing
from decimal import Decimal

import msgspec

from ingenium.bus.envelope import unpack
from ingenium.bus.stream import Record, Stream
from ingenium.components import Executor
from ingenium.components.handle_of import handle_of
from ingenium.errors import IngeniumError
from ingenium.events import Event, ExecutionEvent, OrderEvent, ReplaceEvent, TradeUpdate
from ingenium.runtime.durable.rebuild import history
from ingenium.runtime.durable.stream_clock import StreamClock
from ingenium.runtime.durable.transaction import Transaction
from ingenium.subjects.names import event_type_of
from ingenium.trading.fill import Fill
from ingenium.trading.money import EXACT, ZERO
from ingenium.trading.order import Order
from ingenium.trading.order_tracker import OrderTracker, works_on

__all__ = ["OrphanOrders", "end_orphans", "find_orphans"]

_ANY_PRICE = Decimal(1)
_READ = {OrderEvent, ReplaceEvent, ExecutionEvent}


class OrphanOrders(msgspec.Struct):
    """The orders and positions in a stream for an executor without state.

    Attributes:
        orders: Orders that no execution has ended, each with the report to send if no executor
            works it, and the ids of the executions that have reported on it: if there are any, an
            executor has had it. A replacement that has not taken effect is rejected; the others
            expire.
        positions: The sum of the fills of all other orders, by symbol.
    """

    orders: list[tuple[Order, TradeUpdate, list[str]]]
    positions: dict[str, Decimal]


async def find_orphans(stream: Stream, last: int) -> OrphanOrders:
    """Return the orders and positions in a stream for an executor without state.

    Args:
        stream: Has the orders, and the executions of any executor that worked them.
        last: Sequence of the last message to read.
    """
    search = _OrphanSearch()
    async with aclosing(history(stream, last)) as arriving:
        async for records in arriving:
            for record in records:
                search.observe(record)
    return search.found()


async def end_orphans(
    executor: Executor, stream: Stream, last: int, transaction: Transaction, clock: StreamClock
) -> None:
    """Have an executor without a file report the outcome of orders from before its start.

    No other component would, and the orders would stay pending.

    Args:
        executor: Receives the orders, and the positions that result from the stream.
        stream: Has the orders and their reports.
        last: Sequence of the last message to read.
        transaction: Collects the events that the executor sends.
        clock: Tells the time of the reports.
    """
    unseen = await find_orphans(stream, last)
    handle_of(executor).learn_positions(unseen.positions)
    for order, update, reports in unseen.orders:
        handle_of(executor).begin(order.id, clock.present())
        handle_of(executor).end_unseen(order, update, reports)
        transaction.see(order.id)
        transaction.send(handle_of(executor).take(), clock.present())


class _OrphanSearch:
    """Follows orders as the portfolio that has sent them does."""

    def __init__(self) -> None:
        self._tracker = OrderTracker()
        # In the order of sending, with the ids of the reports.
        self._open: dict[str, list[str]] = {}
        # Filled quantity, by order and symbol; each execution once.
        self._filled: dict[tuple[str, str], Decimal] = {}
        self._counted: set[str] = set()

    def observe(self, record: Record) -> None:
        kind = event_type_of(record.message.subject)
        if kind not in _READ:
            return
        try:
            self._follow(unpack(kind, record.message))
        except (IngeniumError, ValueError):
            # No component could have sent, worked or booked it.
            return

    def _follow(self, event: Event) -> None:
        tracker = self._tracker
        if isinstance(event, OrderEvent):
            if event.id not in self._open and not tracker.has_ended(event.id):
                tracker.add(Order.from_event(event))
                self._open[event.id] = []
        elif isinstance(event, ReplaceEvent):
            old = tracker.active(event.order_id)
            if old is not None and event.id not in self._open and not tracker.has_ended(event.id):
                tracker.ask(event.order_id, old.replaced_by(event))
                self._open[event.id] = []
        elif isinstance(event, ExecutionEvent):
            self._report(event)

    def _report(self, event: ExecutionEvent) -> None:
        if event.id:
            if event.id in self._counted:
                return
            self._counted.add(event.id)
        tracker = self._tracker
        working = None if works_on(event) else tracker.find(event.order_id, event.update)
        # The filled quantity counts; its price does not.
        order = None if working is None else working.order
        fill = Fill.from_event(event, order, price=_ANY_PRICE)
        if fill is not None:
            key = event.order_id, fill.symbol
            before = self._filled.get(key, ZERO)
            self._filled[key] = EXACT.add(before, fill.signed_quantity)
        if working is None:
            return
        order_id = working.order.id
        tracker.follow(working, event.update, fill)
        for each in (order_id, event.order_id):
            if tracker.active(each) is None:
                self._open.pop(each, None)
            elif each in self._open:
                self._open[each].append(event.id)

    def found(self) -> OrphanOrders:
        found = OrphanOrders([], {})
        for order_id, reports in self._open.items():
            order = self._tracker.active(order_id)
            if order is not None:
                works = order_id in self._tracker.working
                update = TradeUpdate.EXPIRED if works else TradeUpdate.REJECTED
                found.orders.append((order, update, reports))
        followed = {order.id for order, _, _ in found.orders}
        for (order_id, symbol), filled in self._filled.items():
            if order_id not in followed:
                held = found.positions.get(symbol, ZERO)
                found.positions[symbol] = EXACT.add(held, filled)
        return found
