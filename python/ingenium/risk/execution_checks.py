"""Checks for invalid executions, after which a symbol is halted."""

from __future__ import annotations

from ingenium.errors import DecodeError
from ingenium.events import ExecutionEvent, TradeUpdate
from ingenium.trading.fill import Fill
from ingenium.trading.numbers import parse_decimal
from ingenium.trading.working_orders import WorkingOrder

__all__ = ["oddity"]

_FILLING = frozenset({"", TradeUpdate.PARTIAL_FILL.value, TradeUpdate.FILLED.value})


def oddity(event: ExecutionEvent, working: WorkingOrder | None, fill: Fill | None) -> str | None:
    """Return the fault of an execution that requires halting its symbol.

    Args:
        event: The execution.
        working: The order that it reports on, with this fill counted; ``None`` for an unknown
            order.
        fill: The fill, if it could be parsed.

    Returns:
        An over-fill, a quantity or price that is not positive or cannot be read; ``None`` for a
        valid execution.
    """
    name = f"execution {event.id!r} of order {event.order_id!r}"
    if fill is not None:
        if fill.price <= 0:
            return f"{name} has the price {fill.price:f}"
        if working is not None and working.filled > working.order.quantity:
            return f"{name} makes {working.filled:f} filled of {working.order.quantity:f} ordered"
        return None
    update = event.update or ""
    if update not in _FILLING or (not update and not event.quantity):
        return None
    try:
        quantity = parse_decimal(event.quantity, "ExecutionEvent", "Quantity")
    except DecodeError:
        return f"{name} has the quantity {event.quantity!r}"
    if quantity < 0 or (quantity == 0 and update):
        return f"{name} has the quantity {quantity:f}"
    return f"{name} fills {quantity:f} and cannot be booked" if quantity else None
