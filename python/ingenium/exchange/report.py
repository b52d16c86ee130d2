"""What the exchange says about an order."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from ingenium.events import ExecutionEvent, TradeUpdate
from ingenium.trading import Order
from ingenium.trading.money import ZERO
from ingenium.trading.numbers import format_decimal

__all__ = ["Report"]


class Report(msgspec.Struct, frozen=True, gc=False):
    """A report on an order; one with a quantity is a fill.

    Attributes:
        order: The order.
        update: What happened to it.
        time: When, in the exchange's time, UTC.
        leaves: Quantity that still works after this.
        quantity: Quantity that this report fills; zero when it fills nothing.
        price: Price of the fill, after slippage.
        commission: Fee for the fill.
        reason: Why it was rejected, canceled or expired; empty otherwise.
        is_ambiguous: Whether the bar left a doubt, which was decided against the owner.
    """

    order: Order
    update: TradeUpdate
    time: datetime
    leaves: Decimal = ZERO
    quantity: Decimal = ZERO
    price: Decimal | None = None
    commission: Decimal = ZERO
    reason: str = ""
    is_ambiguous: bool = False

    def to_event(self) -> ExecutionEvent:
        """Write the report as an event, its id and timestamp still empty."""
        event = ExecutionEvent(
            order_id=self.order.id,
            symbol=self.order.symbol,
            side=self.order.side._value_,
            update=self.update._value_,
            execution_timestamp=self.time,
            leaves_quantity=format_decimal(self.leaves),
            reason=self.reason or None,
        )
        if self.price is not None:
            event.quantity = format_decimal(self.quantity)
            event.price = format_decimal(self.price)
            event.commission = format_decimal(self.commission)
        return event
