"""A broker in memory that is honest until a script makes it lie, and a script for each lie.

`LIES` is made to be walked through: each script is played against an executor that works one order
of 10 AAPL, and says what has to come of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
from msgspec.structs import replace

from ingenium.brokers import Broker, BrokerFill, BrokerOrder
from ingenium.errors import BrokerRefusedError, DuplicateOrderError
from ingenium.events import OrderType, Side, TradeUpdate
from ingenium.trading import Order

__all__ = ["BAD_FILLS", "LIES", "ORDER", "BadFillScript", "Lie", "LyingBroker"]

ORDER = "order_1"
"""The order that works when a script begins: to buy 10 AAPL."""

_TIME = datetime(2024, 1, 2, 15, tzinfo=UTC)


class LyingBroker(Broker):
    """An account whose books can be made to contradict each other.

    Attributes:
        orders: What it has, by client id.
        listed: What it lists as fills; whatever is put in here is returned.
        held: What it says the account holds.
        fills_at_once: Whether new orders are filled as they come.
    """

    def __init__(self) -> None:
        self.account = "U1"
        self.idempotent = True
        self.orders: dict[str, BrokerOrder] = {}
        self.listed: list[Any] = []
        self.held: dict[str, Any] = {}
        self.fills_at_once = False
        self._news: list[asyncio.Queue[BrokerOrder]] = []
        self._numbers = 0

    # What the scripts do.

    def execute(
        self,
        client_order_id: str,
        quantity: int,
        *,
        is_listed: bool = True,
        is_counted: bool = True,
        is_held: bool = True,
        **fields: Any,
    ) -> BrokerFill:
        """Fill a part of an order, and let the lists, the count and the positions know or not."""
        order = self.orders[client_order_id]
        self._numbers += 1
        values: dict[str, Any] = {
            "id": f"f{self._numbers}",
            "client_order_id": client_order_id,
            "symbol": order.symbol,
            "side": order.side,
            "quantity": Decimal(quantity),
            "price": Decimal(100),
            "time": datetime.now(UTC),
        }
        fill = BrokerFill(**(values | fields))
        if is_listed:
            self.listed.append(fill)
        if is_held:
            self.hold(order.symbol, quantity if order.side is Side.BUY else -quantity)
        if is_counted:
            self.count(client_order_id, order.filled + quantity)
        return fill

    def count(
        self, client_order_id: str, filled: Decimal | int, update: TradeUpdate | None = None
    ) -> None:
        """Say how much of an order is filled."""
        order = self.orders[client_order_id]
        if update is None:
            is_full = filled >= order.quantity
            update = TradeUpdate.FILLED if is_full else TradeUpdate.PARTIAL_FILL
        self.tell(replace(order, filled=Decimal(filled), update=update))

    def hold(self, symbol: str, change: int) -> None:
        """Change a position."""
        self.held[symbol] = self.held.get(symbol, Decimal(0)) + change

    def tell(self, order: BrokerOrder) -> None:
        """Have an order, and tell who listens."""
        self.orders[order.client_order_id] = order
        for queue in self._news:
            queue.put_nowait(order)

    # What an executor asks.

    async def submit(self, order: Order) -> BrokerOrder:
        if order.id in self.orders:
            raise DuplicateOrderError(f"{order.id} is known")
        made = BrokerOrder(
            client_order_id=order.id,
            venue_order_id=f"b-{order.id}",
            symbol=order.symbol,
            side=order.side,
            quantity=order.quantity,
        )
        self.tell(made)
        if self.fills_at_once and order.type is OrderType.MARKET:
            self.execute(order.id, int(order.quantity))
        return made

    async def cancel(self, client_order_id: str) -> None:
        order = self.orders.get(client_order_id)
        if order is None or not order.is_open:
            raise BrokerRefusedError(f"there is no open order {client_order_id}")
        self.tell(replace(order, update=TradeUpdate.CANCELED))

    async def replace(self, client_order_id: str, order: Order) -> BrokerOrder:
        raise BrokerRefusedError("orders are not replaced here")

    async def find(self, client_order_id: str) -> BrokerOrder | None:
        return self.orders.get(client_order_id)

    async def open_orders(self) -> Sequence[BrokerOrder]:
        return [order for order in self.orders.values() if order.is_open]

    async def fills(self, after: str) -> Sequence[BrokerFill]:
        ids = [getattr(fill, "id", None) for fill in self.listed]
        return self.listed[ids.index(after) + 1 if after in ids else 0 :]

    async def positions(self) -> Mapping[str, Decimal]:
        return {symbol: held for symbol, held in self.held.items() if held}

    async def updates(self) -> AsyncIterator[BrokerOrder]:
        queue: asyncio.Queue[BrokerOrder] = asyncio.Queue()
        self._news.append(queue)
        while True:
            yield await queue.get()


class Lie(msgspec.Struct, frozen=True):
    """A way in which a broker contradicts itself.

    Attributes:
        name: Of the script.
        begin: What happens first, and is true.
        tell: What happens then, and is not.
        says: What people have to be told, in part.
        blocks: Whether no order may leave in AAPL from then on.
        halts: Whether positions differ, so that all trading is halted.
    """

    name: str
    begin: Callable[[LyingBroker], object]
    tell: Callable[[LyingBroker], object]
    says: str
    blocks: bool = True
    halts: bool = False


def _nothing(broker: LyingBroker) -> None:
    pass


def _four(broker: LyingBroker) -> None:
    broker.execute(ORDER, 4)


def _ten(broker: LyingBroker) -> None:
    broker.execute(ORDER, 10)


def _list_before_the_last(broker: LyingBroker) -> None:
    fill = broker.execute(ORDER, 3, is_listed=False)
    broker.listed.insert(0, fill)


def _list_before_the_last_uncounted(broker: LyingBroker) -> None:
    fill = broker.execute(ORDER, 3, is_listed=False, is_counted=False)
    broker.listed.insert(0, fill)


def _bust(broker: LyingBroker) -> None:
    broker.listed.clear()
    broker.hold("AAPL", -4)
    broker.count(ORDER, 0, TradeUpdate.ACCEPTED)


def _cancel_with_less(broker: LyingBroker) -> None:
    broker.hold("AAPL", -2)
    broker.count(ORDER, 2, TradeUpdate.CANCELED)


def _same_id_again(broker: LyingBroker) -> None:
    broker.execute(ORDER, 3, id="f1", price=Decimal(101))


def _forget(broker: LyingBroker) -> None:
    del broker.orders[ORDER]


LIES: tuple[Lie, ...] = (
    Lie(
        "a fill that is counted and held, and never listed",
        _four,
        lambda b: b.execute(ORDER, 6, is_listed=False),
        "the broker counts 10 of order order_1 as filled, and its fills come to 4",
        halts=True,
    ),
    Lie(
        "a fill that is counted, and neither listed nor held",
        _nothing,
        lambda b: b.execute(ORDER, 10, is_listed=False, is_held=False),
        "the broker counts 10 of order order_1 as filled, and its fills come to 0",
    ),
    Lie(
        "a fill that is listed before those that were read",
        _four,
        _list_before_the_last,
        "fill f2 of order order_1 is listed before fills that were read earlier",
    ),
    Lie(
        "a fill that is listed before those that were read, and not counted",
        _four,
        _list_before_the_last_uncounted,
        "fill f2 of order order_1 is listed before fills that were read earlier",
    ),
    Lie(
        "a count above the quantity",
        _nothing,
        lambda b: b.count(ORDER, 12),
        "the broker counts 12 of order order_1 as filled, of at most 10",
    ),
    Lie(
        "a count that goes back",
        _four,
        lambda b: b.count(ORDER, 1),
        "the broker has counted 4 of order order_1 as filled, and counts 1 now",
    ),
    Lie(
        "a bust",
        _four,
        _bust,
        "AAPL: 0 there, 4 here",
        halts=True,
    ),
    Lie(
        "a cancel with a smaller count",
        _four,
        _cancel_with_less,
        "the broker has counted 4 of order order_1 as filled, and counts 2 now",
        halts=True,
    ),
    Lie(
        "a split",
        _ten,
        lambda b: b.hold("AAPL", 10),
        "AAPL: 20 there, 10 here (equal until ",
        blocks=False,
        halts=True,
    ),
    Lie(
        "a liquidation",
        _ten,
        lambda b: b.hold("AAPL", -10),
        "AAPL: 0 there, 10 here (equal until ",
        blocks=False,
        halts=True,
    ),
    Lie(
        "an assignment of another instrument",
        _ten,
        lambda b: b.hold("MSFT", -100),
        "MSFT: -100 there, 0 here (equal until ",
        blocks=False,
        halts=True,
    ),
    Lie(
        "two fills under one id",
        _four,
        _same_id_again,
        "that id: the second one is not booked",
        halts=True,
    ),
    Lie(
        "an order that is forgotten",
        _nothing,
        _forget,
        "the broker no longer knows order order_1 (buy 10 AAPL, 0 filled)",
    ),
)


class BadFillScript(msgspec.Struct, frozen=True):
    """Something that an adapter lists as a fill, and is none.

    Attributes:
        name: Of the script.
        make: Makes it from an honest fill.
        says: What people have to be told, in part.
        halts: Whether it does not even name an instrument, so that all trading is halted.
    """

    name: str
    make: Callable[[BrokerFill], Any]
    says: str
    halts: bool = False


def _with(**fields: Any) -> Callable[[BrokerFill], BrokerFill]:
    return lambda fill: replace(fill, **fields)


BAD_FILLS: tuple[BadFillScript, ...] = (
    BadFillScript("naive time", _with(time=datetime(2024, 1, 2)), "without a time zone"),  # noqa: DTZ001
    BadFillScript("time as text", _with(time="2024-01-02T15:00:00Z"), "expected a datetime"),
    BadFillScript("float quantity", _with(quantity=0.1), "quantity is 0.1: expected a Decimal"),
    BadFillScript("int price", _with(price=100), "price is 100: expected a Decimal"),
    BadFillScript("huge exponent", _with(quantity=Decimal("1E+999999")), "below 10^15"),
    BadFillScript("tiny exponent", _with(price=Decimal("1E-999999")), "at most 28 decimals"),
    BadFillScript("NaN", _with(price=Decimal("NaN")), "price is NaN: expected a finite number"),
    BadFillScript("infinity", _with(commission=Decimal("Infinity")), "commission is Infinity"),
    BadFillScript("no commission", _with(commission=None), "commission is None"),
    BadFillScript("surrogate", _with(id="f\ud800"), "printable letters"),
    BadFillScript("int id", _with(id=7), "id is 7: expected a string"),
    BadFillScript("empty id", _with(id=""), "id is empty"),
    BadFillScript("wrong enum", _with(side=OrderType.MARKET), "expected a member of Side"),
    BadFillScript("side as text", _with(side="buy"), "side is 'buy': expected a member of Side"),
    BadFillScript(
        "symbol with a wildcard", _with(client_order_id="", symbol="A*"), "'A*'", halts=True
    ),
    BadFillScript("dict", lambda fill: {"id": fill.id}, "not a BrokerFill", halts=True),
    BadFillScript("None", lambda _: None, "it is None, not a BrokerFill", halts=True),
    BadFillScript("negative quantity", _with(quantity=Decimal(-4)), "its quantity is -4"),
    BadFillScript("another symbol", _with(symbol="MSFT"), "it is buy MSFT, the order buy AAPL"),
)
