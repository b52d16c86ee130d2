"""A portfolio that holds a fixed quantity."""

from __future__ import annotations

from decimal import Decimal

from ingenium.events import SignalEvent
from ingenium.portfolios.target import TargetPortfolio, positive
from ingenium.trading.money import Number

__all__ = ["FixedQuantity"]


class FixedQuantity(TargetPortfolio):
    """Holds a fixed quantity of each symbol: long, short or none, as set by the last signal.

    Args:
        quantity: In shares or units, positive.
        cash: Starting cash.
        allow_short: Whether a short signal opens a short; otherwise it closes the long.
        name: See `Component`.

    Raises:
        ConfigError: The quantity is not positive.
        ComponentError: The name is invalid.
    """

    def __init__(
        self,
        quantity: Number,
        *,
        cash: Number = Decimal(100_000),
        allow_short: bool = True,
        name: str | None = None,
    ) -> None:
        super().__init__(cash=cash, allow_short=allow_short, name=name)
        self.quantity = positive(quantity, "quantity")

    def target(self, event: SignalEvent, direction: int) -> Decimal:
        """Return the quantity, or its negative for a short."""
        return self.quantity if direction > 0 else self.quantity.copy_negate()
