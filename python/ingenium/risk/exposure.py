"""What is measured of an order, and of the account that it would change."""

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
    """Return how far the position may go in the direction of an order.

    Args:
        order: The order.
        added: The quantity that it adds to what works already.
        view: The account before it.

    Returns:
        The position if all that works on the order's side fills and nothing of the other side
        does, positive in the order's direction. Zero or less means that it only makes the
        position smaller.
    """
    held = view.position(order.symbol)
    towards = held if order.side is Side.BUY else held.copy_negate()
    return EXACT.add(EXACT.add(towards, view.leaves(order.symbol, order.side)), added)


def stated_prices(order: Order) -> list[tuple[str, Decimal]]:
    """Return the limit and stop price of an order, as far as it has them, with their names."""
    named = (("limit price", order.limit_price), ("stop price", order.stop_price))
    return [(name, price) for name, price in named if price is not None]


def worst_price(order: Order, last: Decimal) -> Decimal:
    """Return the highest price that an order is to fill at.

    That is a buy's limit, if it has one, and otherwise the highest of its prices and the last one.
    """
    if order.side is Side.BUY and order.limit_price is not None:
        return order.limit_price
    return max(last, *(price for _, price in stated_prices(order)), ZERO)


def content(order: Order) -> tuple[object, ...]:
    """Return what two orders have in common if one is the other by mistake."""
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
    """Say in a few words what an order is."""
    prices = "".join(f", {name} {price:f}" for name, price in stated_prices(order))
    return f"{order.side.value} {order.quantity:f} {order.symbol} {order.type.value}{prices}"
