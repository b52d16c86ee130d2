"""Trades: closed round trips."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from ingenium.events import Side
from ingenium.trading.money import EXACT

__all__ = ["Trade"]


class Trade(msgspec.Struct, frozen=True, gc=False):
    """A round trip, or the part of one that an exit order has closed.

    A Struct, like `Order`. The fills of one order that reduce one position make one trade, entered
    at the position's average price; each fill without an order id makes its own trade.

    Attributes:
        symbol: Name of the instrument.
        side: ``Side.BUY`` for a long round trip, ``Side.SELL`` for a short one.
        entry_time: When the position was opened from flat, UTC.
        exit_time: When the last of these fills closed it, UTC.
        quantity: Shares or units closed, positive.
        entry_price: Average price paid, to 28 digits.
        exit_price: Average price of these fills, to 28 digits.
        pnl: Profit or loss before commissions, in the account's currency.
        commission: This quantity's share of the entry and exit commissions.
        exit_fills: Number of fills of the exit order that closed it.
    """

    symbol: str
    side: Side
    entry_time: datetime
    exit_time: datetime
    quantity: Decimal
    entry_price: Decimal
    exit_price: Decimal
    pnl: Decimal
    commission: Decimal
    exit_fills: int = 1

    @property
    def net_pnl(self) -> Decimal:
        """Profit or loss after commissions."""
        return EXACT.subtract(self.pnl, self.commission)
