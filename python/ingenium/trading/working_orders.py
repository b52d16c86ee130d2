"""The working orders, and how much of each is filled."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from ingenium.events import OrderType, Side
from ingenium.trading.money import EXACT, ZERO
from ingenium.trading.order import Order

__all__ = ["WorkingOrder", "WorkingOrders"]

_BUY = Side.BUY
_SELL = Side.SELL


@dataclass(slots=True)
class WorkingOrder:
    """An order and its filled quantity.

    Attributes:
        order: The order.
        filled: Quantity filled so far, in shares or units.
        number: Sequence number among all orders sent; 0 for a protective order.
    """

    order: Order
    filled: Decimal = ZERO
    number: int = 0

    @property
    def leaves(self) -> Decimal:
        """Quantity still to be filled, never negative."""
        return max(EXACT.subtract(self.order.quantity, self.filled), ZERO)

    def fill(self, quantity: Decimal) -> None:
        """Add a filled quantity."""
        self.filled = EXACT.add(self.filled, quantity)


class WorkingOrders(Mapping[str, WorkingOrder]):
    """Working orders by id, in the order of sending; fill them through `fill` only."""

    def __init__(self) -> None:
        self._orders: dict[str, WorkingOrder] = {}
        self._of_symbol: dict[str, set[str]] = {}
        # Kept as sums: a burst puts thousands of orders to work, and each new one asks for the sum.
        self._leaves: dict[str, dict[tuple[Side, OrderType], Decimal]] = {}
        self.added = 0
        """Number of orders ever added."""

    def __getitem__(self, order_id: str) -> WorkingOrder:
        return self._orders[order_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._orders)

    def __len__(self) -> int:
        return len(self._orders)

    def add(self, order: Order) -> WorkingOrder:
        """Add an order; one with a known id is left unchanged."""
        known = self._orders.get(order.id)
        if known is not None:
            return known
        self.added += 1
        working = WorkingOrder(order, number=self.added)
        self.put(working)
        return working

    def put(self, working: WorkingOrder) -> None:
        """Append an order unchanged."""
        order = working.order
        self.remove(order.id)
        self._orders[order.id] = working
        self._of_symbol.setdefault(order.symbol, set()).add(order.id)
        self._count(order, working.leaves)

    def fill(self, order_id: str, quantity: Decimal) -> None:
        """Add a filled quantity to a working order."""
        working = self._orders[order_id]
        before = working.leaves
        working.fill(quantity)
        self._count(working.order, EXACT.subtract(working.leaves, before))

    def remove(self, order_id: str) -> WorkingOrder | None:
        """Remove an order, and return it if it was there."""
        working = self._orders.pop(order_id, None)
        if working is not None:
            symbol = working.order.symbol
            of_symbol = self._of_symbol[symbol]
            of_symbol.remove(order_id)
            if of_symbol:
                self._count(working.order, working.leaves.copy_negate())
            else:
                del self._of_symbol[symbol]
                del self._leaves[symbol]
        return working

    def symbols(self) -> set[str]:
        """Return the symbols of the working orders."""
        return set(self._of_symbol)

    def _count(self, order: Order, change: Decimal) -> None:
        leaves = self._leaves.setdefault(order.symbol, {})
        kind = order.side, order.type
        leaves[kind] = EXACT.add(leaves.get(kind, ZERO), change)

    def pending(self, symbol: str) -> Decimal:
        """Return the signed quantity that working orders would still add to a symbol's position."""
        return EXACT.subtract(self.leaves(symbol, _BUY), self.leaves(symbol, _SELL))

    def leaves(
        self, symbol: str, side: Side, types: Collection[OrderType] | None = None
    ) -> Decimal:
        """Return the quantity that the working orders of one side in a symbol may still fill.

        Args:
            symbol: Name of the instrument.
            side: Side of the orders.
            types: Only orders of these types; all when left out.
        """
        total = ZERO
        for (of_side, of_type), leaves in self._leaves.get(symbol, {}).items():
            if of_side is side and (types is None or of_type in types):
                total = EXACT.add(total, leaves)
        return total
