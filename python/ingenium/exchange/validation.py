"""Validation of orders, with the reason of each rejection."""

from __future__ import annotations

from decimal import Decimal

from ingenium.errors import DecodeError
from ingenium.events import OrderType, Side, TimeInForce
from ingenium.trading import Order
from ingenium.trading.money import ZERO
from ingenium.trading.numbers import parse_price

__all__ = ["expected_price", "last_price", "objection", "wrong_side"]

# Tuples, since hashing an enum member is slow.
_ONCE = (TimeInForce.IOC, TimeInForce.FOK, TimeInForce.OPG, TimeInForce.CLS)
_MARKETABLE = (OrderType.MARKET, OrderType.LIMIT)


def last_price(close: str | None) -> Decimal | None:
    """Parse the last price of a symbol; ``None`` if missing or unreadable."""
    if not close:
        return None
    try:
        return parse_price(close, "DataEvent", "Ohlc.Close")
    except DecodeError:
        return None


def objection(order: Order, close: str | None, *, check_stop: bool = True) -> str:
    """Return why an order is rejected; empty when it is accepted.

    Args:
        order: The order.
        close: Last close of its symbol, in the wire format; ``None`` before its first data.
        check_stop: Whether to check on which side of that close its stop is.
    """
    if not order.id:
        return "order Id is missing: executions could not name it"
    if order.time_in_force in _ONCE and order.type not in _MARKETABLE:
        return (
            f"order TimeInForce {order.time_in_force.value!r} does not go with Type "
            f"{order.type.value!r}, which waits for its stop: use day or gtc"
        )
    if close is None:
        return (
            f"order Symbol {order.symbol!r} has had no data: check the symbol, and that an "
            "ingestor sends it"
        )
    if not check_stop or order.stop_price is None:
        return ""
    return wrong_side(order, order.stop_price, last_price(close))


def expected_price(order: Order, last: Decimal | None) -> Decimal:
    """Return the expected fill price of an order, or a worse one.

    Args:
        order: The order.
        last: Last price of its symbol.
    """
    return order.limit_price or order.stop_price or last or ZERO


def wrong_side(order: Order, stop: Decimal | None, price: Decimal | None) -> str:
    """Return the error of a stop on the wrong side of a price; empty when it is valid.

    Args:
        order: The order with the stop.
        stop: The trigger price.
        price: Last price of the symbol.
    """
    if stop is None or price is None:
        return ""
    if order.side is Side.BUY and stop <= price:
        return f"order StopPrice {stop:f} is not above the last price {price:f}: use a higher one"
    if order.side is Side.SELL and stop >= price:
        return f"order StopPrice {stop:f} is not below the last price {price:f}: use a lower one"
    return ""
