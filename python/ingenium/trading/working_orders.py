"""The orders that are still working, and how far each has come."""

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
    """An order and how far it has come.

    Attributes:
        order: The order.
        filled: Quantity filled so far, in shares or units.
        number: Place among all that were sent; 0 for a protective order.
    """

    order: Order
    filled: Decimal = ZERO
    number: int = 0

    @property
    def leaves(self) -> Decimal:
        """Quantity still to be filled, never negative."""
        return max(EXACT.subtract(self.order.quantity, self.filled), ZERO)

    def fill(self, quantity: Decimal) -> None:
        """Count a quantity as filled."""
        self.filled = EXACT.add(self.filled, quantity)


class WorkingOrders(Mapping[str, WorkingOrder]):
    """Working orders by id, in the order in which they were sent; `fill` them here only."""

    def __init__(self) -> None:
        self._orders: dict[str, WorkingOrder] = {}
        self._of_symbol: dict[str, set[str]] = {}
        # Kept as sums: a burst of orders works thousands at once, and each new one asks.
        self._leaves: dict[str, dict[tuple[Side, OrderType], Decimal]] = {}
        self.added = 0
        """How many have ever been taken in."""

    def __getitem__(self, order_id: str) -> WorkingOrder:
        return self._orders[order_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._orders)

    def __len__(self) -> int:
        return len(self._orders)

    def add(self, order: Order) -> WorkingOrder:
        """Take in an order; one with a known id stays as it is."""
        known = self._orders.get(order.id)
        if known is not None:
            return known
        self.added += 1
        working = WorkingOrder(order, number=self.added)
        self.put(working)
        return working

    def put(self, working: WorkingOrder) -> None:
        """Take in an order as it is, behind the others."""
        order = working.order
        self.remove(order.id)
        self._orders[order.id] = working
        self._of_symbol.setdefault(order.symbol, set()).add(order.id)
        self._count(order, working.leaves)

    def fill(self, order_id: str, quantity: Decimal) -> None:
        """Count a quantity of a working order as filled."""
        working = self._orders[order_id]
        before = working.leaves
        working.fill(quantity)
        self._count(working.order, EXACT.subtract(working.leaves, before))

    def remove(self, order_id: str) -> WorkingOrder | None:
        """Take an order out, and return it if it was there."""
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
        """Return what the working orders in a symbol would still add to its position."""
        return EXACT.subtract(self.leaves(symbol, _BUY), self.leaves(symbol, _SELL))

    def leaves(
        self, symbol: str, side: Side, types: Collection[OrderType] | None = None
    ) -> Decimal:
        """Return what the working orders of one side in a symbol may still fill.

        Args:
            symbol: Name of the instrument.
            side: Which side.
            types: Only orders of these types; all when left out.
        """
        total = ZERO
        for (of_side, of_type), leaves in self._leaves.get(symbol, {}).items():
            if of_side is side and (types is None or of_type in types):
                total = EXACT.add(total, leaves)
        return total
