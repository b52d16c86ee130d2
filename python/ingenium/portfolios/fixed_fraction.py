"""A portfolio that puts a fixed fraction of equity into each position."""

from __future__ import annotations

from decimal import Decimal

from ingenium.events import SignalEvent
from ingenium.portfolios.target import TargetPortfolio, part
from ingenium.trading.money import Number

__all__ = ["FixedFraction"]


class FixedFraction(TargetPortfolio):
    """Puts a fixed fraction of equity into a position when it is opened.

    The quantity follows from equity and the last price at the time of the signal. A position in the
    signal's direction is left unchanged; `TargetWeight` re-balances.

    Args:
        fraction: Fraction of equity for one position, above 0 and at most 1.
        cash: Starting cash.
        step: Quantities are whole multiples of it: 1 for whole shares, 0.0001 for a coin.
        cash_buffer: Fraction of equity that is never invested, such as 0.02: room for a gap before
            the fill, slippage and fees, which the sizing does not know. With it, an account without
            credit can put all the rest into one position.
        allow_short: Whether a short signal opens a short; otherwise it closes the long.
        name: See `Component`.

    Raises:
        ConfigError: The fraction is not above 0 and at most 1, the step not positive,
            or the buffer not from 0 to below 1.
        ComponentError: The name is invalid.
    """

    def __init__(
        self,
        fraction: Number,
        *,
        cash: Number = Decimal(100_000),
        step: Number = Decimal(1),
        cash_buffer: Number = Decimal(0),
        allow_short: bool = True,
        name: str | None = None,
    ) -> None:
        super().__init__(
            cash=cash, step=step, cash_buffer=cash_buffer, allow_short=allow_short, name=name
        )
        self.fraction = part(fraction, "fraction")

    def target(self, event: SignalEvent, direction: int) -> Decimal | None:
        """Return the fraction's quantity, unless the position has the direction already."""
        if self.held(event.symbol) * direction > 0:
            return None
        weight = self.fraction if direction > 0 else self.fraction.copy_negate()
        return self.quantity_for(event, weight)
