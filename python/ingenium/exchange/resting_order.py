"""An order on the exchange while it works."""

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
    """An order and what the exchange remembers of it from bar to bar.

    Attributes:
        order: The order.
        submitted: When it came, UTC; only bars that start then or later can fill it.
        leaves: Quantity still to be filled.
        filled: Quantity filled so far.
        value: Quantity times price of what is filled, which fees may depend on.
        step: The smallest quantity that it is filled in: one share for an order of whole shares,
            0.1 for one with a decimal.
        stop: The price that triggers it, moving for a trailing stop; ``None`` where it has none,
            or has not seen the price that it trails.
        best: The most favourable price that a trailing stop has seen.
        is_triggered: Whether a stop order has been triggered, by this bar or an earlier one.
        is_announced: Whether it has been reported as new; one that came while its exchange was
            closed is not until that opens.
        session: The session that it is for; ``None`` for any, and before that is known.
        opening: How much of it was not there to close a position when it came.
        expected_price: At which it was expected to be filled when it came.
        number: Place among all that came; 0 for a protective order.
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
            return  # as most are
        exponent = self.order.quantity.normalize(EXACT).as_tuple().exponent
        self.step = Decimal(1).scaleb(min(exponent, 0) if isinstance(exponent, int) else 0)

    def rounded(self, quantity: Decimal) -> Decimal:
        """Return a quantity rounded down to whole steps."""
        return EXACT.multiply(EXACT.divide_int(quantity, self.step), self.step)
