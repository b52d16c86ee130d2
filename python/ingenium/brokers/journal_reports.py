"""The execution events of an executor at a broker, and their deterministic ids."""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal

from ingenium.brokers.broker import BrokerFill
from ingenium.brokers.journal_entry import ENDS, JournalEntry
from ingenium.events import ExecutionEvent, TradeUpdate
from ingenium.ids import make_id
from ingenium.trading import Order
from ingenium.trading.money import ZERO
from ingenium.trading.numbers import format_decimal

__all__ = ["adoption_event", "fill_content", "fill_event", "update_event", "why_impossible"]


def update_event(
    account: str, order: Order, update: TradeUpdate, leaves: Decimal, reason: str
) -> ExecutionEvent:
    """Return the report of an order's change without a fill."""
    return ExecutionEvent(
        id=make_id("exec", account, order.id, update.value),
        order_id=order.id,
        symbol=order.symbol,
        side=order.side.value,
        quantity="0",
        update=update.value,
        leaves_quantity=format_decimal(ZERO if update in ENDS else max(leaves, ZERO)),
        reason=reason or None,
    )


def fill_event(
    account: str,
    entry: JournalEntry,
    fill: BrokerFill,
    update: TradeUpdate,
    leaves: Decimal,
    reason: str,
) -> ExecutionEvent:
    """Return the report of a fill.

    Its id follows from account, symbol, order and fill: venues number fills by symbol or by order.
    """
    order_id = entry.order.id
    identifier = make_id("exec", account, "fill", fill.symbol, order_id, fill.id)
    if entry.reported:
        # Ids of older versions have neither symbol nor order. A fill reported under such an id
        # keeps it, so that no portfolio books it twice.
        older = make_id("exec", account, fill.id)
        identifier = older if older in entry.reported else identifier
    return ExecutionEvent(
        id=identifier,
        order_id=order_id,
        symbol=fill.symbol,
        side=fill.side.value,
        update=update.value,
        execution_timestamp=fill.time,
        quantity=format_decimal(fill.quantity),
        price=format_decimal(fill.price),
        commission=format_decimal(fill.commission),
        leaves_quantity=format_decimal(leaves),
        reason=reason or None,
    )


def adoption_event(
    account: str, symbol: str, difference: Decimal, cause: str, price: Decimal | None
) -> ExecutionEvent:
    """Return the report of the part of a position that no order explains."""
    return ExecutionEvent(
        id=make_id("exec", account, "adopted", symbol, cause),
        order_id="adopted",
        symbol=symbol,
        side="buy" if difference > 0 else "sell",
        quantity=format_decimal(abs(difference)),
        price=None if price is None else format_decimal(price),
        reason="it is at the broker, and no order of this app explains it",
    )


def fill_content(fill: BrokerFill) -> str:
    """Return the content that fills of one id must share; a fee may be reported later."""
    time = fill.time.astimezone(UTC).isoformat()
    quantity, price = format_decimal(fill.quantity), format_decimal(fill.price)
    return f"{fill.side} {quantity} {fill.symbol} at {price}, {time}"


def why_impossible(order: Order, fill: BrokerFill) -> str:
    """Return why a fill cannot belong to an order; empty when it can."""
    for name, value in (("quantity", fill.quantity), ("price", fill.price)):
        if value <= 0:
            return f"its {name} is {value}"
    if (fill.symbol, fill.side) != (order.symbol, order.side):
        return f"it is {fill.side} {fill.symbol}, the order {order.side} {order.symbol}"
    return ""
