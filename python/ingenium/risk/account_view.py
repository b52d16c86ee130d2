"""The input of a risk gate: positions, working orders and prices."""

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
    """Read-only view of an account for a risk gate."""

    @property
    def equity(self) -> Decimal:
        """Cash and the market value of all positions; only its changes count."""
        ...

    @property
    def open_orders(self) -> int:
        """Number of working orders, without protective ones."""
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
        """Return the quantity that the working orders of one side may still fill, never negative.

        Args:
            symbol: Name of the instrument.
            side: Side of the orders.
            types: Only orders of these types; all when left out.
        """
        ...

    def price(self, symbol: str) -> Decimal | None:
        """Return the last price; ``None`` before the first one."""
        ...


class TrackedView:
    """The view of a component that tracks its orders and books their fills.

    Args:
        account: The account in which the fills are booked.
        orders: The tracker of the orders.
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
        """Number of working orders, without protective ones."""
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
        """Return the quantity that the working orders of one side may still fill, never negative.

        A requested replacement with a larger quantity counts as accepted.
        """
        working = self._orders.working.leaves(symbol, side, types)
        return EXACT.add(working, self._orders.growth(symbol, side, types))

    def price(self, symbol: str) -> Decimal | None:
        """Return the last price; ``None`` before the first one."""
        return self._account.price(symbol)
