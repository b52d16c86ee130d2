"""A broker in memory that answers as a test says, and a desk on which an executor works."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from ingenium.brokers import Broker, BrokerExecutor, BrokerFill, BrokerOrder
from ingenium.brokers.reconciler import Reconciler
from ingenium.brokers.worker import BrokerWorker
from ingenium.components import arm, handle_of
from ingenium.components.failpoints import Point
from ingenium.events import Event, ExecutionEvent, OrderEvent, Side, TradeUpdate
from ingenium.risk import RiskLimits
from ingenium.trading import Order

__all__ = ["NOW", "FakeBroker", "FakeDesk", "Work"]

NOW = datetime(2024, 1, 2, 15, tzinfo=UTC)


class FakeBroker(Broker):
    """Works orders at once and fills nothing by itself.

    Attributes:
        orders: What it has, by client id.
        told: The fills of the account.
        held: What the account holds.
        calls: What it was asked for, in order: method and client id.
        faults: By method, what its next calls raise (an exception) or return (anything else);
            ``None`` for the usual answer.
        news: What `updates` yields; an exception ends it.
    """

    def __init__(self, *, idempotent: bool = True) -> None:
        self.account = "U1"
        self.idempotent = idempotent
        self.orders: dict[str, BrokerOrder] = {}
        self.told: list[BrokerFill] = []
        self.held: dict[str, Decimal] = {}
        self.calls: list[tuple[str, str]] = []
        self.faults: dict[str, list[Any]] = {}
        self.news: list[BrokerOrder | Exception] = []

    def put(self, order: Order, **fields: Any) -> BrokerOrder:
        """Have an order."""
        values: dict[str, Any] = {"symbol": order.symbol, "side": order.side}
        values["quantity"] = order.quantity
        known = BrokerOrder(
            client_order_id=order.id, venue_order_id=f"b-{order.id}", **(values | fields)
        )
        self.orders[order.id] = known
        return known

    def fill(
        self, client_order_id: str, quantity: int, price: int = 100, **fields: Any
    ) -> BrokerFill:
        """Fill a part of an order, or of a stranger's without a client id."""
        values: dict[str, Any] = {"symbol": "A", "side": Side.BUY, "time": NOW}
        if (known := self.orders.get(client_order_id)) is not None:
            values |= {"symbol": known.symbol, "side": known.side}
            filled = known.filled + quantity
            is_full = filled == known.quantity
            update = TradeUpdate.FILLED if is_full else TradeUpdate.PARTIAL_FILL
            self.orders[client_order_id] = replace(known, filled=filled, update=update)
        new = BrokerFill(
            id=f"f{len(self.told) + 1}",
            client_order_id=client_order_id,
            quantity=Decimal(quantity),
            price=Decimal(price),
            **(values | fields),
        )
        self.told.append(new)
        signed = new.quantity if new.side is Side.BUY else -new.quantity
        self.held[new.symbol] = self.held.get(new.symbol, Decimal(0)) + signed
        return new

    def _answer(self, method: str, client_order_id: str, usual: Callable[[], Any]) -> Any:
        self.calls.append((method, client_order_id))
        waiting = self.faults.get(method) or [None]
        fault = waiting.pop(0)
        if isinstance(fault, Exception):
            raise fault
        return usual() if fault is None else fault

    async def submit(self, order: Order) -> BrokerOrder:
        """Take an order."""
        answer: BrokerOrder = self._answer("submit", order.id, lambda: self.put(order))
        return answer

    async def cancel(self, client_order_id: str) -> None:
        """Cancel an order; nobody is told."""

        def cancel() -> None:
            known = self.orders[client_order_id]
            self.orders[client_order_id] = replace(known, update=TradeUpdate.CANCELED)

        self._answer("cancel", client_order_id, cancel)

    async def replace(self, client_order_id: str, order: Order) -> BrokerOrder:
        """Put an order in another's place."""

        def change() -> BrokerOrder:
            old = self.orders[client_order_id]
            self.orders[client_order_id] = replace(old, update=TradeUpdate.REPLACED)
            return self.put(order)

        answer: BrokerOrder = self._answer("replace", f"{client_order_id} {order.id}", change)
        return answer

    async def find(self, client_order_id: str) -> BrokerOrder | None:
        """Look an order up."""
        answer: BrokerOrder | None = self._answer(
            "find", client_order_id, lambda: self.orders.get(client_order_id)
        )
        return answer

    async def open_orders(self) -> Sequence[BrokerOrder]:
        """List what works."""
        found: Sequence[BrokerOrder] = self._answer(
            "open_orders", "", lambda: [o for o in self.orders.values() if o.is_open]
        )
        return found

    async def fills(self, after: str) -> Sequence[BrokerFill]:
        """List fills."""
        ids = [fill.id for fill in self.told]
        begin = ids.index(after) + 1 if after else 0
        found: Sequence[BrokerFill] = self._answer("fills", after, lambda: self.told[begin:])
        return found

    async def positions(self) -> Mapping[str, Decimal]:
        """List positions."""
        found: Mapping[str, Decimal] = self._answer(
            "positions", "", lambda: {s: q for s, q in self.held.items() if q}
        )
        return found

    async def updates(self) -> AsyncIterator[BrokerOrder]:
        """Yield what there is, and then wait."""
        while self.news:
            item = self.news.pop(0)
            if isinstance(item, Exception):
                raise item
            yield item
        await asyncio.Event().wait()


class FakeDesk:
    """Writes nothing down, and keeps what is sent."""

    def __init__(self, executor: BrokerExecutor) -> None:
        self.executor = executor
        self.now = NOW
        self.sent: list[Event] = []
        self.points: list[Point] = []
        self.on_record: Callable[[str], None] = lambda _: None

    async def record(self, cause: str, act: Callable[[], None]) -> None:
        """Let the executor change and send."""
        handle_of(self.executor).begin(cause, self.now)
        act()
        self.sent += handle_of(self.executor).take()
        self.on_record(cause)

    def at(self, point: Point) -> None:
        """Pass a point."""
        self.points.append(point)


class Work:
    """An executor at a fake broker, whose calls are made one by one.

    Args:
        broker: The broker; a new one when left out.
        limits: Of its gate.
        options: Of `BrokerExecutor`.
    """

    def __init__(
        self,
        broker: FakeBroker | None = None,
        limits: RiskLimits | None = None,
        **options: Any,
    ) -> None:
        self.broker = broker or FakeBroker()
        self.executor = BrokerExecutor(self.broker, **({"timeout_seconds": 5.0} | options))
        arm(self.executor, limits or RiskLimits(duplicate_seconds=None))
        self.desk = FakeDesk(self.executor)
        self.work = BrokerWorker(self.executor, self.desk)
        self.reconciler = Reconciler(self.executor, self.desk)

    def order(self, id: str = "o1", quantity: str = "10", **fields: Any) -> OrderEvent:
        """Take an order of the portfolio."""
        values: dict[str, Any] = {"symbol": "A", "side": "buy", "type": "market"}
        event = OrderEvent(id=id, quantity=quantity, **(values | fields))
        self.ask(event)
        return event

    def ask(self, event: Any) -> None:
        """Take what a portfolio asks for."""
        handle_of(self.executor).begin(event.id, self.desk.now)
        handle_of(self.executor).handle_request(event)
        self.desk.sent += handle_of(self.executor).take()

    async def step(self, symbol: str = "A") -> list[str]:
        """Make the calls that are due now; return which."""
        due = self.executor.journal.calls(symbol)
        for each in due:
            await self.work._do(each)
        return [f"{each.act} {each.order_id}" for each in due]

    def state(self, id: str = "o1") -> str:
        """How an order stands."""
        return self.executor.journal.entries[id].state.value

    def updates(self, id: str = "o1") -> list[str]:
        """What was reported of an order."""
        return [
            f"{each.update} {each.quantity}".removesuffix(" 0")
            for each in self.desk.sent
            if isinstance(each, ExecutionEvent) and each.order_id == id
        ]

    def submits(self) -> list[str]:
        """The ids under which orders were sent."""
        return [id for method, id in self.broker.calls if method == "submit"]
