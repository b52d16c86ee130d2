"""Positions: what is held of one symbol."""

from __future__ import annotations

from decimal import Decimal

import msgspec

from ingenium.trading.money import EXACT, QUOTIENT, ZERO

__all__ = ["Position"]


class Position(msgspec.Struct, frozen=True, gc=False):
    """What an account holds of one symbol, at one moment.

    Attributes:
        symbol: Name of the instrument.
        quantity: Shares or units; negative when short, zero when flat.
        cost: What was paid for it, commissions apart; negative when short.
        last_price: Last price that the account knows; ``None`` before the first one.
        realized_pnl: Profit and loss of what was closed so far, commissions apart.
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
        """Market value less cost, commissions apart."""
        return EXACT.subtract(self.market_value, self.cost)
