"""A portfolio that gives each position the weight that its signal states."""

from __future__ import annotations

from decimal import Decimal

from ingenium.errors import ConfigError
from ingenium.events import SignalEvent
from ingenium.portfolios.target import TargetPortfolio, part, strength_of
from ingenium.trading.money import EXACT, QUOTIENT, ZERO, Number, to_decimal

__all__ = ["TargetWeight"]


class TargetWeight(TargetPortfolio):
    """Gives each position the fraction of equity that its signal's strength states.

    Each signal re-balances its symbol, unless the position is within the tolerance of its target.

    Args:
        weight: For signals that state no strength, above 0 and at most 1; for three symbols that
            share the equity, ``Decimal(1) / 3``.
        tolerance: No order while target and current weight are closer than this, such as 0.01 for
            one percent of equity. A target of zero is always reached.
        cash: Starting cash.
        step: Quantities are whole multiples of it: 1 for whole shares, 0.0001 for a coin.
        cash_buffer: Fraction of equity that is never invested, such as 0.02: room for a gap before
            the fill, slippage and fees, which the sizing does not know. With it, an account without
            credit can put all the rest into one position.
        allow_short: Whether a short signal opens a short; otherwise it closes the long.
        name: See `Component`.

    Raises:
        ConfigError: The weight is not above 0 and at most 1, the tolerance not from 0 to below 1,
            the step not positive, or the buffer not from 0 to below 1.
        ComponentError: The name is invalid.
    """

    def __init__(
        self,
        weight: Number,
        *,
        tolerance: Number = Decimal("0.01"),
        cash: Number = Decimal(100_000),
        step: Number = Decimal(1),
        cash_buffer: Number = Decimal(0),
        allow_short: bool = True,
        name: str | None = None,
    ) -> None:
        super().__init__(
            cash=cash, step=step, cash_buffer=cash_buffer, allow_short=allow_short, name=name
        )
        self.weight = part(weight, "weight")
        self.tolerance = to_decimal(tolerance, "tolerance")
        if not 0 <= self.tolerance < 1:
            raise ConfigError(f"tolerance is {tolerance!r}: use a number from 0 to below 1")

    def target(self, event: SignalEvent, direction: int) -> Decimal | None:
        """Return the quantity for the weight, unless the position is near it."""
        strength = strength_of(event, self.weight)
        if not strength:
            return ZERO
        weight = strength if direction > 0 else strength.copy_negate()
        quantity = self.quantity_for(event, weight)
        price = self.price(event.symbol)
        if quantity is None or price is None:
            return None
        value = EXACT.multiply(self.held(event.symbol), price)
        present = QUOTIENT.divide(value, self.account.equity)
        # Compared by weight, since the step rounds the quantity.
        near = EXACT.subtract(self.invested(weight), present).copy_abs() < self.tolerance
        return None if near else quantity
