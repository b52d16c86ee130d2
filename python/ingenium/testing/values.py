"""Builders of the values that a component handles in a test: a bar, an order, a fill."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from ingenium.errors import ConfigError
from ingenium.events import (
    ExecutionEvent,
    OrderEvent,
    OrderType,
    Side,
    TimeInForce,
    TradeUpdate,
)
from ingenium.ids import make_id
from ingenium.trading.arguments import exact, token
from ingenium.trading.bar import Bar
from ingenium.trading.money import Number
from ingenium.trading.numbers import format_decimal
from ingenium.trading.order import Order

__all__ = ["bar", "fill", "order"]

_START = datetime(2024, 1, 2, tzinfo=UTC)
_DAY = timedelta(days=1)


def bar(
    symbol: str = "AAPL",
    close: Number = "100",
    *,
    number: int = 0,
    open: Number | None = None,
    high: Number | None = None,
    low: Number | None = None,
    volume: Number = "1000",
    start: datetime = _START,
    period: timedelta = _DAY,
) -> Bar:
    """Make a bar, by default of 2 January 2024.

    Args:
        symbol: Name of the instrument.
        close: Last price, in the instrument's currency.
        number: Index in the series: the bar starts that many periods after ``start``.
        open: First price; the close when left out.
        high: Highest price; the larger of open and close when left out.
        low: Lowest price; the smaller of open and close when left out.
        volume: Quantity traded, in shares or units.
        start: Start of bar 0.
        period: Length of each bar.

    Raises:
        ConfigError: A number is not finite.
    """
    last = exact(close, "close")
    first = last if open is None else exact(open, "open")
    highest = max(first, last) if high is None else exact(high, "high")
    lowest = min(first, last) if low is None else exact(low, "low")
    texts = [format_decimal(price) for price in (first, highest, lowest, last)]
    return Bar.make(
        symbol,
        start + number * period,
        open=texts[0],
        high=texts[1],
        low=texts[2],
        close=texts[3],
        volume=format_decimal(exact(volume, "volume")),
        period=period,
    )


def order(
    symbol: str = "AAPL",
    side: Side | str = Side.BUY,
    quantity: Number = "10",
    *,
    type: OrderType | str = OrderType.MARKET,
    id: str = "order_1",
    **fields: Any,
) -> OrderEvent:
    """Make an order, by default a market order for the day.

    Args:
        symbol: Name of the instrument.
        side: ``Side.BUY`` or ``SELL``; ``"buy"`` and ``"sell"`` mean the same.
        quantity: In shares or units.
        type: Market, limit, stop, stop-limit or trailing stop.
        id: Order id, which executions refer to.
        fields: Any further fields of `OrderEvent`, such as ``limit_price="99.5"``.

    Raises:
        InvalidOrderError: Side or type is unknown.
    """
    values: dict[str, Any] = {"time_in_force": TimeInForce.DAY} | fields
    return OrderEvent(
        id=id,
        symbol=symbol,
        side=token(Side, "side", side),
        quantity=format_decimal(exact(quantity, "quantity")),
        type=token(OrderType, "type", type),
        **values,
    )


def fill(
    order: OrderEvent | Order,
    price: Number = "100",
    *,
    quantity: Number | None = None,
    **fields: Any,
) -> ExecutionEvent:
    """Make the execution report of a filled order.

    Args:
        order: Order that is filled.
        price: Price of one share or unit.
        quantity: Filled quantity; that of the order when left out.
        fields: Any further fields of `ExecutionEvent`, such as ``commission="1.5"``.

    Raises:
        ConfigError: The order has no id, or ``quantity`` exceeds that of the order.
    """
    if not order.id:
        raise ConfigError(
            f"order of {order.symbol} has no id: pass one that a portfolio sent, or order(id=...)"
        )
    ordered = Decimal(order.quantity or 0)
    filled = ordered if quantity is None else exact(quantity, "quantity")
    if filled > ordered:
        raise ConfigError(
            f"quantity {filled:f} is more than the {ordered:f} of order {order.id!r}: fill that "
            "or less"
        )
    update = TradeUpdate.FILLED if filled == ordered else TradeUpdate.PARTIAL_FILL
    text, cost = format_decimal(filled), format_decimal(exact(price, "price"))
    values: dict[str, Any] = {"id": make_id("exec", order.id, text, cost)} | fields
    return ExecutionEvent(
        order_id=order.id,
        symbol=order.symbol,
        side=order.side,
        quantity=text,
        price=cost,
        update=update,
        **values,
    )
