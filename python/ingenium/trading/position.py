"""Positions: the quantity and cost held in one symbol."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ingenium.trading.money import EXACT, QUOTIENT, ZERO

__all__ = ["Position"]


class Position(msgspec.Struct, frozen=True, gc=False):
    """The position of an account in one symbol, at one moment.

    Attributes:
        symbol: Name of the instrument.
        quantity: Shares or units; negative when short, zero when flat.
        cost: Amount paid, excluding commissions; negative when short.
        last_price: Last known price; ``None`` before the first one.
        realized_pnl: Realized P&L so far, excluding commissions.
    """

    symbol: str
    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    last_price: Decimal | None = None
    realized_pnl: Decimal = ZERO

    @property
    def average_price(self) -> Decimal:
        """Cost per share or unit, to 28 digits; zero when flat."""
        return QUOTIENT.divide(self.cost, self.quantity) if self.quantity else ZERO

    @property
    def market_value(self) -> Decimal:
        """Quantity times last price; negative when short."""
        if self.last_price is None:
            return ZERO
        return EXACT.multiply(self.quantity, self.last_price)

    @property
    def unrealized_pnl(self) -> Decimal:
        """Market value less cost, excluding commissions."""
        return EXACT.subtract(self.market_value, self.cost)
