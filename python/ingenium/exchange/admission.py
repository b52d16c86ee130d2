"""Which orders the exchange takes, and why it does not take the others."""

from __future__ import annotations

from decimal import Decimal

from ingenium.errors import DecodeError
from ingenium.events import OrderType, Side, TimeInForce
from ingenium.trading import Order
from ingenium.trading.numbers import parse_price

__all__ = ["last_price", "objection"]

_TIMES_IN_FORCE = (TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK)
_AT_ONCE = {TimeInForce.IOC, TimeInForce.FOK}
_MARKETABLE = {OrderType.MARKET, OrderType.LIMIT}


def last_price(close: str | None) -> Decimal | None:
    """Read the last price of a symbol; ``None`` when there is none that can be read."""
    if not close:
        return None
    try:
        return parse_price(close, "DataEvent", "Ohlc.Close")
    except DecodeError:
        return None


def objection(order: Order, close: str | None) -> str:
    """Say why an order is not taken; empty when it is.

    Args:
        order: The order.
        close: The last close of its symbol, as its event writes it; ``None`` when the symbol has
            had no data.
    """
    if not order.id:
        return "order Id is missing: executions could not name it"
    if order.time_in_force not in _TIMES_IN_FORCE:
        known = ", ".join(time.value for time in _TIMES_IN_FORCE)
        return (
            f"order TimeInForce {order.time_in_force.value!r} is not worked by the paper "
            f"exchange: use {known}"
        )
    if order.time_in_force in _AT_ONCE and order.type not in _MARKETABLE:
        return (
            f"order TimeInForce {order.time_in_force.value!r} does not go with Type "
            f"{order.type.value!r}, which waits for its stop: use day or gtc"
        )
    if close is None:
        return (
            f"order Symbol {order.symbol!r} has had no data: check the symbol, and that an "
            "ingestor sends it"
        )
    return _wrong_side(order, last_price(close))


def _wrong_side(order: Order, price: Decimal | None) -> str:
    stop = order.stop_price
    if stop is None or price is None:
        return ""
    if order.side is Side.BUY and stop <= price:
        return f"order StopPrice {stop:f} is not above the last price {price:f}: use a higher one"
    if order.side is Side.SELL and stop >= price:
        return f"order StopPrice {stop:f} is not below the last price {price:f}: use a lower one"
    return ""
