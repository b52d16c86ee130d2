"""What a risk gate looks at: positions, working orders and prices."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from decimal import Decimal
from typing import Protocol

from ingenium.events import OrderType, Side
from ingenium.trading.account import Account
from ingenium.trading.money import EXACT
from ingenium.trading.order_tracker import OrderTracker

__all__ = ["AccountView", "TrackedView"]


class AccountView(Protocol):
    """An account as a risk gate sees it."""

    @property
    def equity(self) -> Decimal:
        """Cash and the market value of all positions; only its changes count."""
        ...

    @property
    def open_orders(self) -> int:
        """How many orders work, protective ones apart."""
        ...

    def symbols(self) -> Iterable[str]:
        """Return the symbols with a position or a working order."""
        ...

    def position(self, symbol: str) -> Decimal:
        """Return the quantity held, negative when short."""
        ...

    def leaves(
        self, symbol: str, side: Side, types: Collection[OrderType] | None = None
    ) -> Decimal:
        """Return what the working orders of one side may still fill, never negative.

        Args:
            symbol: Name of the instrument.
            side: Which side.
            types: Only orders of these types; all when left out.
        """
        ...

    def price(self, symbol: str) -> Decimal | None:
        """Return the last price; ``None`` before the first one."""
        ...


class TrackedView:
    """The view of those who follow their orders and book the fills.

    Args:
        account: Where the fills are booked.
        orders: What became of the orders.
    """

    __slots__ = ("_account", "_orders")

    def __init__(self, account: Account, orders: OrderTracker) -> None:
        self._account = account
        self._orders = orders

    @property
    def equity(self) -> Decimal:
        """Cash and the market value of all positions."""
        return self._account.equity

    @property
    def open_orders(self) -> int:
        """How many orders work, protective ones apart."""
        return len(self._orders.working)

    def symbols(self) -> set[str]:
        """Return the symbols with a position or a working order."""
        return self._orders.working.symbols().union(self._account.positions)

    def position(self, symbol: str) -> Decimal:
        """Return the quantity held, negative when short."""
        return self._account.position(symbol).quantity

    def leaves(
        self, symbol: str, side: Side, types: Collection[OrderType] | None = None
    ) -> Decimal:
        """Return what the working orders of one side may still fill, never negative.

        An order that is asked to grow counts as grown.
        """
        working = self._orders.working.leaves(symbol, side, types)
        return EXACT.add(working, self._orders.growth(symbol, side, types))

    def price(self, symbol: str) -> Decimal | None:
        """Return the last price; ``None`` before the first one."""
        return self._account.price(symbol)
