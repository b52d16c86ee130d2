"""Order replacement: which fields may change, and which state is kept."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from ingenium.events import OrderType, Side
from ingenium.exchange.matching import retrail
from ingenium.exchange.resting_order import RestingOrder
from ingenium.exchange.validation import last_price, objection, wrong_side
from ingenium.trading import Order
from ingenium.trading.money import EXACT

__all__ = ["replaced_leg", "replaced_order"]


def replaced_order(
    old: RestingOrder, order: Order, now: datetime, close: str | None
) -> tuple[RestingOrder, str]:
    """Return the resting order that replaces another.

    Args:
        old: The working order.
        order: The replacement.
        now: The current time, UTC.
        close: Last close of the symbol, in the wire format.

    Returns:
        The new order, and the reason to reject it; empty when it is valid.
    """
    new = _successor(old, order, now)
    if new.leaves <= 0:
        return new, (
            f"order Quantity is {order.quantity:f}, of which {old.filled:f} have been filled: use "
            "more, or cancel it"
        )
    reason = _triggered(old, order) or objection(order, close, check_stop=_has_new_stop(old, order))
    if not reason and new.best is not None and not new.is_triggered:
        reason = wrong_side(order, new.stop, last_price(close))
    return new, reason


def replaced_leg(
    old: RestingOrder,
    order: Order,
    now: datetime,
    close: str | None,
    *,
    is_live: bool,
    others: Iterable[RestingOrder] = (),
) -> tuple[RestingOrder, str]:
    """Return the protective order that replaces another; see `replaced_order`.

    Args:
        old: The working or held order.
        order: The replacement.
        now: The current time, UTC.
        close: Last close of the symbol, in the wire format.
        is_live: Whether there are shares to protect; before that, any stop is valid.
        others: The other protective order of its bracket, if there is one.
    """
    new = _successor(old, order, now)
    new.leaves = old.leaves
    if order.quantity != old.order.quantity or order.time_in_force != old.order.time_in_force:
        return new, (
            "a protective order has the quantity of its entry, and is good till canceled: change "
            "its prices only"
        )
    reason = _triggered(old, order)
    for other in others:
        reason = reason or _crossed(order, other.order)
    if not reason and is_live and _has_new_stop(old, order):
        reason = wrong_side(order, order.stop_price, last_price(close))
    return new, reason


def _successor(old: RestingOrder, order: Order, now: datetime) -> RestingOrder:
    new = RestingOrder(order, now)
    new.filled, new.value = old.filled, old.value
    new.leaves = EXACT.subtract(order.quantity, old.filled)
    new.is_triggered = old.is_triggered
    new.best = old.best
    if old.best is not None:
        retrail(new, old.best)
    return new


def _crossed(order: Order, other: Order) -> str:
    """Return the error of a take-profit and a stop-loss on the wrong sides of each other."""
    profit, loss = (order, other) if order.type is OrderType.LIMIT else (other, order)
    target, stop = profit.limit_price, loss.stop_price
    if target is None or stop is None:
        return ""
    if target > stop if order.side is Side.SELL else target < stop:
        return ""
    where = "above" if order.side is Side.SELL else "below"
    return (
        f"order LimitPrice {target:f} of the take-profit is not {where} StopPrice {stop:f} of the "
        "stop-loss: both could be filled at once"
    )


def _has_new_stop(old: RestingOrder, order: Order) -> bool:
    return order.stop_price != old.order.stop_price


def _triggered(old: RestingOrder, order: Order) -> str:
    trail = (order.trail_price, order.trail_percent)
    is_same = (old.order.trail_price, old.order.trail_percent) == trail
    if not old.is_triggered or (is_same and not _has_new_stop(old, order)):
        return ""
    return f"order {old.order.id!r} has been triggered: its stop cannot change any more"
