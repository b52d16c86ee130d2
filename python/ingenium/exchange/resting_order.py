"""Resting orders: orders on the exchange while they work."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from ingenium.exchange.calendars import Session
from ingenium.trading import Order
from ingenium.trading.money import EXACT, ZERO

__all__ = ["RestingOrder"]

_ONE = Decimal(1)


@dataclass(slots=True)
class RestingOrder:
    """An order, and its state from bar to bar.

    Attributes:
        order: The order.
        submitted: Time of arrival, UTC; only bars that start then or later can fill the order.
        leaves: Quantity still to be filled.
        filled: Quantity filled so far.
        value: Quantity times price of all fills so far, on which fees may depend.
        step: Fills are multiples of it: one share for an order of whole shares, 0.1 for a quantity
            with one decimal.
        stop: Trigger price, moving for a trailing stop; ``None`` without one, or before the first
            price that it trails.
        best: The most favourable price that a trailing stop has seen.
        is_triggered: Whether a stop order has been triggered, by this bar or an earlier one.
        is_announced: Whether the order has been reported as new; an order that arrives while its
            exchange is closed is reported when it opens.
        session: The session of the order; ``None`` for any, and before it is known.
        opening: Quantity that would open rather than close a position, as of arrival.
        expected_price: Expected fill price, as of arrival.
        number: Sequence number among all orders; 0 for a protective order.
    """

    order: Order
    submitted: datetime
    leaves: Decimal = field(init=False)
    filled: Decimal = field(init=False, default=ZERO)
    value: Decimal = field(init=False, default=ZERO)
    step: Decimal = field(init=False)
    stop: Decimal | None = field(init=False)
    best: Decimal | None = field(init=False, default=None)
    is_triggered: bool = field(init=False, default=False)
    is_announced: bool = field(init=False, default=True)
    session: Session | None = field(init=False, default=None)
    opening: Decimal = field(init=False, default=ZERO)
    expected_price: Decimal = field(init=False, default=ZERO)
    number: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.leaves = self.order.quantity
        self.stop = self.order.stop_price
        self.step = _ONE
        if str(self.order.quantity).isdigit():
            return  # the common case
        exponent = self.order.quantity.normalize(EXACT).as_tuple().exponent
        self.step = Decimal(1).scaleb(min(exponent, 0) if isinstance(exponent, int) else 0)

    def rounded(self, quantity: Decimal) -> Decimal:
        """Return a quantity rounded down to whole steps."""
        return EXACT.multiply(EXACT.divide_int(quantity, self.step), self.step)
