"""Measures of an order, and of the account that it would change."""

from __future__ import annotations

from decimal import Decimal

from ingenium.events import Side
from ingenium.risk.account_view import AccountView
from ingenium.trading.money import EXACT, ZERO
from ingenium.trading.order import Order

__all__ = ["content", "describe", "exposure", "reach", "stated_prices", "worst_price"]


def exposure(view: AccountView, symbol: str) -> Decimal:
    """Return the largest position, long or short, that a symbol's working orders may lead to."""
    held = view.position(symbol)
    long = EXACT.add(held, view.leaves(symbol, Side.BUY))
    short = EXACT.subtract(view.leaves(symbol, Side.SELL), held)
    return max(long, short, ZERO)


def reach(order: Order, added: Decimal, view: AccountView) -> Decimal:
    """Return the largest position that an order may lead to, in its own direction.

    Args:
        order: The order.
        added: The quantity that the order adds to the working orders.
        view: The account before the order.

    Returns:
        The position if all working orders on the order's side fill and none on the other side does,
        positive in the order's direction. Zero or less means that the order only reduces the
        position.
    """
    held = view.position(order.symbol)
    towards = held if order.side is Side.BUY else held.copy_negate()
    return EXACT.add(EXACT.add(towards, view.leaves(order.symbol, order.side)), added)


def stated_prices(order: Order) -> list[tuple[str, Decimal]]:
    """Return the limit and stop prices that an order has, with their names."""
    named = (("limit price", order.limit_price), ("stop price", order.stop_price))
    return [(name, price) for name, price in named if price is not None]


def worst_price(order: Order, last: Decimal) -> Decimal:
    """Return the highest price at which an order is expected to fill.

    That is the limit of a buy, if it has one, and otherwise the highest of its prices and the last
    price.
    """
    if order.side is Side.BUY and order.limit_price is not None:
        return order.limit_price
    return max(last, *(price for _, price in stated_prices(order)), ZERO)


def content(order: Order) -> tuple[object, ...]:
    """Return the fields by which an accidental duplicate of an order is recognized."""
    return (
        order.symbol,
        order.side,
        order.quantity,
        order.type,
        order.limit_price,
        order.stop_price,
        order.trail_price,
        order.trail_percent,
    )


def describe(order: Order) -> str:
    """Return a short description of an order."""
    prices = "".join(f", {name} {price:f}" for name, price in stated_prices(order))
    return f"{order.side.value} {order.quantity:f} {order.symbol} {order.type.value}{prices}"
