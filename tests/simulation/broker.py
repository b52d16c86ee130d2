"""A broker whose books are the truth, and the connections of processes to it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from decimal import Decimal
from typing import TypeVar

import msgspec
from simulation.chaos import Chaos
from simulation.network import Peer, call
from simulation.process import Process

from ingenium.brokers.broker import Broker, BrokerFill, BrokerOrder
from ingenium.errors import (
    BrokerError,
    BrokerRefusedError,
    BrokerTimeoutError,
    DuplicateOrderError,
)
from ingenium.events import OrderType, Side, TradeUpdate
from ingenium.trading import Order

__all__ = ["ACCOUNT", "Placed", "SimBroker", "SimExchange"]

ACCOUNT = "U1"
_CALL_SECONDS = 5.0
_T = TypeVar("_T")


class Placed(msgspec.Struct):
    """An order at the broker.

    Attributes:
        order: What was asked for.
        venue_order_id: The broker's own id.
        before: What was filled of the orders whose place it took.
        filled: What is filled of it.
        update: How it stands.
        reason: Why it ended.
        shown_at: When those who ask for it are told that it is there.
        is_forgotten: Whether nobody is told of it any more, and it is not filled.
    """

    order: Order
    venue_order_id: str
    before: Decimal = Decimal(0)
    filled: Decimal = Decimal(0)
    update: TradeUpdate = TradeUpdate.NEW
    reason: str = ""
    shown_at: float = 0.0
    is_forgotten: bool = False

    @property
    def leaves(self) -> Decimal:
        """What is left to fill."""
        return self.order.quantity - self.before - self.filled

    def told(self) -> BrokerOrder:
        """Return it as the broker tells of it."""
        order = self.order
        return BrokerOrder(
            client_order_id=order.id,
            venue_order_id=self.venue_order_id,
            symbol=order.symbol,
            side=order.side,
            quantity=order.quantity,
            filled=self.filled,
            update=self.update,
            reason=self.reason,
        )


class SimExchange(Peer):
    """The broker's own side.

    Attributes:
        placed: All orders that ever were, in order.
        executed: All fills, in order; the truth.
        told: Those that the list of fills shows by now.
        positions: What the account holds.
        lied: How it has contradicted itself, by symbol.
        is_followed: Says whether an executor has written down that an order is here.
    """

    def __init__(self, chaos: Chaos) -> None:
        super().__init__(chaos, "broker")
        self.placed: list[Placed] = []
        self.executed: list[BrokerFill] = []
        self.told: list[BrokerFill] = []
        self.positions: Counter[str] = Counter()
        self.lied: dict[str, str] = {}
        self.is_followed: Callable[[str], bool] = lambda _: False
        self.connections = 0
        self._fill_numbers: Counter[str] = Counter()
        self._to_show: list[BrokerFill] = []
        self._by_id: dict[str, Placed] = {}
        self._planned = 0
        self._listeners: list[asyncio.Queue[BrokerOrder | None]] = []

    def submit(self, order: Order) -> BrokerOrder:
        """Place an order."""
        self._check_new(order)
        return self._place(order, Decimal(0)).told()

    def cancel(self, client_order_id: str) -> None:
        """Cancel an order soon, if it is not filled before."""
        placed = self._open(client_order_id)
        self._plan(self.chaos.random.uniform(0.01, 1.0), self._end_canceled, placed)

    def replace(self, client_order_id: str, order: Order) -> BrokerOrder:
        """Put an order in the place of another."""
        self._check_new(order)
        old = self._open(client_order_id)
        before = old.before + old.filled
        if order.quantity <= before:
            raise BrokerRefusedError(f"{before} are filled already")
        self._end(old, TradeUpdate.REPLACED)
        return self._place(order, before).told()

    def find(self, client_order_id: str) -> BrokerOrder | None:
        """Return how an order stands."""
        placed = self._by_id.get(client_order_id)
        return placed.told() if placed is not None and self._shows(placed) else None

    def open_orders(self) -> Sequence[BrokerOrder]:
        """Return what may still be filled."""
        shown = [each for each in self.placed if self._shows(each)]
        return [told for each in shown if (told := each.told()).is_open]

    def fills(self, after: str) -> Sequence[BrokerFill]:
        """Return the fills behind one."""
        first = 0
        if after:
            # An honest adapter: where ids repeat, behind the first of them.
            first = next(n for n, fill in enumerate(self.told) if fill.id == after) + 1
        if first and self.chaos.roll(self.chaos.options.retold):
            self.chaos.fault("fills told again", str(first))
            first = max(0, first - self.chaos.random.randint(1, 3))
        return self.told[first:]

    def holdings(self) -> Mapping[str, Decimal]:
        """Return what the account holds."""
        return {s: Decimal(q) for s, q in sorted(self.positions.items()) if q}

    def has_ended(self, client_order_id: str) -> bool:
        """Whether an order is here, and will not be filled any more."""
        placed = self._by_id.get(client_order_id)
        return placed is not None and not placed.told().is_open and not placed.is_forgotten

    def stop(self) -> None:
        """Go away."""
        self.up = False
        self.break_connections()

    def start(self) -> None:
        """Come back."""
        self.up = True

    def break_connections(self) -> None:
        """End all streams of updates."""
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener.put_nowait(None)

    def listen(self) -> asyncio.Queue[BrokerOrder | None]:
        """Return what updates are put into, and ``None`` at the end."""
        queue: asyncio.Queue[BrokerOrder | None] = asyncio.Queue()
        self._listeners.append(queue)
        return queue

    @property
    def is_busy(self) -> bool:
        """Whether something will happen by itself."""
        return self._planned > 0

    def _shows(self, placed: Placed) -> bool:
        return placed.shown_at <= self.chaos.loop.time() and not placed.is_forgotten

    def _plan(self, seconds: float, act: Callable[..., None], *values: object) -> None:
        self._planned += 1

        def do() -> None:
            self._planned -= 1
            act(*values)

        self.chaos.later(seconds, do)

    def _check_new(self, order: Order) -> None:
        if order.id in self._by_id and self.chaos.options.idempotent:
            raise DuplicateOrderError(f"client order id {order.id} must be unique")
        if self.chaos.roll(self.chaos.options.rejects):
            self.chaos.fault("rejected", order.id)
            raise BrokerRefusedError("not enough buying power")

    def _open(self, client_order_id: str) -> Placed:
        placed = self._by_id.get(client_order_id)
        if placed is None or placed.is_forgotten or not placed.told().is_open:
            raise BrokerRefusedError(f"there is no open order {client_order_id}")
        return placed

    def _place(self, order: Order, before: Decimal) -> Placed:
        chaos = self.chaos
        shown_at = chaos.loop.time() + chaos.random.uniform(0, chaos.options.lag)
        placed = Placed(order, f"b{len(self.placed) + 1}", before, shown_at=shown_at)
        self.placed.append(placed)
        self._by_id[order.id] = placed
        chaos.counts["orders"] += 1
        chaos.trace(f"broker places {placed.venue_order_id} {order.id}")
        if chaos.roll(chaos.options.rejects):
            chaos.fault("rejected later", order.id)
            self._plan(chaos.delay(), self._end, placed, TradeUpdate.REJECTED, "not tradable")
        self._tell(placed)
        if chaos.options.lie == "forgotten":
            self._plan(chaos.random.uniform(1, 5), self._forget, placed)
        if order.type is OrderType.MARKET or chaos.random.random() < 0.6:
            self._plan(chaos.random.choice([0.0005, 0.01, 0.5, 5.0]), self._fill, placed)
        return placed

    def _fill(self, placed: Placed) -> None:
        chaos, order = self.chaos, placed.order
        if placed.is_forgotten or not placed.told().is_open:
            return
        quantity = placed.leaves
        if quantity > 1 and chaos.random.random() < chaos.options.partial:
            quantity = Decimal(chaos.random.randint(1, int(quantity) - 1))
        counted = order.symbol if chaos.options.ids_per_symbol else ""
        self._fill_numbers[counted] += 1
        fill = BrokerFill(
            id=f"f{self._fill_numbers[counted]}",
            client_order_id=order.id,
            symbol=order.symbol,
            side=order.side,
            quantity=quantity,
            price=Decimal(chaos.random.randint(9500, 10500)) / 100,
            commission=Decimal("0.01"),
            time=chaos.now,
        )
        self.executed.append(fill)
        chaos.counts["fills"] += 1
        self.positions[order.symbol] += int(quantity if order.side is Side.BUY else -quantity)
        placed.filled += quantity
        placed.update = TradeUpdate.PARTIAL_FILL if placed.leaves else TradeUpdate.FILLED
        chaos.trace(f"broker fills {fill.id} {quantity} of {order.id}")
        lag = chaos.random.choice([0.0, 0.3])
        if not self._lies_about(fill):
            # Lists of fills lag behind, in order as long as the broker is honest.
            self._to_show.append(fill)
            self._plan(lag, self._show)
        self._tell(placed)
        if placed.leaves:
            self._plan(chaos.random.choice([0.01, 1.0, 4.0]), self._fill, placed)

    def _show(self) -> None:
        self.told.append(self._to_show.pop(0))

    def _lies_about(self, fill: BrokerFill) -> bool:
        """Whether a fill is not listed in its order; the second one that could be is the lie."""
        chaos, lie = self.chaos, self.chaos.options.lie
        if not lie or lie == "forgotten" or self.lied or len(self.executed) < 2:
            return False
        chaos.fault(lie, f"{fill.id} of {fill.client_order_id}")
        self.lied[fill.symbol] = lie
        if lie == "bust":
            self._plan(chaos.random.uniform(1, 10), self._bust, fill)
            return False
        if lie == "listed late":
            self._plan(chaos.random.uniform(1, 10), self.told.insert, 0, fill)
        return True

    def _bust(self, fill: BrokerFill) -> None:
        self.chaos.trace(f"broker busts {fill.id} of {fill.client_order_id}")
        quantity = int(fill.quantity)
        self.positions[fill.symbol] -= quantity if fill.side is Side.BUY else -quantity

    def _forget(self, placed: Placed) -> None:
        order = placed.order
        # One whose fate the executor does not know would be sent again, as it should be.
        if self.lied or not placed.told().is_open or not self.is_followed(order.id):
            return
        self.chaos.fault("forgotten", order.id)
        self.lied[order.symbol] = "forgotten"
        placed.is_forgotten = True

    def _end_canceled(self, placed: Placed) -> None:
        if placed.told().is_open:
            self._end(placed, TradeUpdate.CANCELED)

    def _end(self, placed: Placed, update: TradeUpdate, reason: str = "") -> None:
        if placed.told().is_open and not placed.is_forgotten:
            placed.update, placed.reason = update, reason
            self.chaos.trace(f"broker says {update} of {placed.order.id}")
            self._tell(placed)

    def _tell(self, placed: Placed) -> None:
        told = placed.told()
        hidden = max(0.0, placed.shown_at - self.chaos.loop.time())
        for listener in self._listeners:
            self.chaos.later(hidden + self.chaos.delay(), listener.put_nowait, told)


class SimBroker(Broker):
    """The connection of one process.

    Args:
        exchange: The broker.
        process: Whose connection.
        leaves: Called right before an order leaves.
    """

    def __init__(
        self, exchange: SimExchange, process: Process, leaves: Callable[[Process, Order], None]
    ) -> None:
        self.account = ACCOUNT
        self.idempotent = exchange.chaos.options.idempotent
        self._exchange = exchange
        self._process = process
        self._leaves = leaves

    async def submit(self, order: Order) -> BrokerOrder:
        """Place an order; see `Broker.submit`."""
        self._leaves(self._process, order)
        return await self._send(f"take {order.id}", lambda: self._exchange.submit(order))

    async def cancel(self, client_order_id: str) -> None:
        """Ask to cancel an order."""
        await self._ask(f"cancel {client_order_id}", lambda: self._exchange.cancel(client_order_id))

    async def replace(self, client_order_id: str, order: Order) -> BrokerOrder:
        """Put an order in the place of another."""
        self._leaves(self._process, order)
        return await self._send(
            f"replace {client_order_id} by {order.id}",
            lambda: self._exchange.replace(client_order_id, order),
        )

    async def find(self, client_order_id: str) -> BrokerOrder | None:
        """Return how an order stands."""
        return await self._ask(
            f"find {client_order_id}", lambda: self._exchange.find(client_order_id)
        )

    async def open_orders(self) -> Sequence[BrokerOrder]:
        """Return what may still be filled."""
        return await self._ask("list orders", self._exchange.open_orders)

    async def fills(self, after: str) -> Sequence[BrokerFill]:
        """Return the fills behind one."""
        return await self._ask(f"list fills after {after}", lambda: self._exchange.fills(after))

    async def positions(self) -> Mapping[str, Decimal]:
        """Return what the account holds."""
        return await self._ask("list positions", self._exchange.holdings)

    async def updates(self) -> AsyncGenerator[BrokerOrder, None]:
        """Yield orders as they change."""
        chaos = self._exchange.chaos
        if not self._exchange.up:
            raise BrokerError("cannot reach the broker")
        queue = self._exchange.listen()
        while True:
            told = await queue.get()
            if told is None or chaos.roll(chaos.options.reset):
                chaos.fault("updates reset", self._process.name)
                raise BrokerError("the connection to the broker broke")
            self._process.effect(f"is told {told.update} of {told.client_order_id}")
            yield told
            if chaos.roll(chaos.options.doubled):
                chaos.fault("update told again", told.client_order_id)
                yield told

    async def _send(self, what: str, serve: Callable[[], _T]) -> _T:
        trouble = self._exchange.chaos.options.trouble
        # What an order does twice, the executor tries itself; a connection never does.
        return await self._ask(what, serve, may_double=False, trouble=trouble)

    async def _ask(
        self,
        what: str,
        serve: Callable[[], _T],
        *,
        may_double: bool = True,
        trouble: float = 0.0,
    ) -> _T:
        return await call(
            self._process,
            self._exchange,
            what,
            serve,
            seconds=_CALL_SECONDS,
            silence=BrokerTimeoutError,
            away=BrokerError,
            may_double=may_double,
            trouble=trouble,
        )
