"""What became of the orders that were sent: working, protective, replaced and ended ones."""

from __future__ import annotations

from ingenium.events import ExecutionEvent, TradeUpdate
from ingenium.trading.fill import Fill
from ingenium.trading.order import Order
from ingenium.trading.working import WorkingOrder, WorkingOrders

__all__ = ["OrderTracker"]

_ENDED = frozenset(
    {
        TradeUpdate.FILLED.value,
        TradeUpdate.CANCELED.value,
        TradeUpdate.REJECTED.value,
        TradeUpdate.EXPIRED.value,
        TradeUpdate.REPLACED.value,
    }
)
_REMEMBERED = 10_000


class OrderTracker:
    """Follows orders by the executions that report on them.

    Attributes:
        working: The orders that work, without protective ones.
    """

    def __init__(self) -> None:
        self.working = WorkingOrders()
        # Protective orders: they only ever reduce what their order has filled, so they count as
        # pending for nobody.
        self._legs: dict[str, WorkingOrder] = {}
        # Orders that are to take the place of others, by their own ids and by those of the others.
        self._asked: dict[str, tuple[str, Order]] = {}
        self._successors: dict[str, str] = {}
        # Executions may come after the end of their order, and name it only.
        self._ended: dict[str, WorkingOrder] = {}

    def add(self, order: Order) -> None:
        """Take in an order that is sent, and the protective ones that come with it."""
        self.working.add(order)
        for leg in order.protective_orders():
            self._legs[leg.id] = WorkingOrder(leg)

    def active(self, order_id: str) -> Order | None:
        """Return an order that works, protects, or is asked to take the place of another."""
        working = self.working.get(order_id) or self._legs.get(order_id)
        if working is not None:
            return working.order
        asked = self._asked.get(order_id)
        return None if asked is None else asked[1]

    def has_ended(self, order_id: str) -> bool:
        """Whether an order has ended, as far as that is remembered."""
        return order_id in self._ended

    def ask(self, order_id: str, order: Order) -> None:
        """Take note that an order is asked to take the place of another."""
        self._asked[order.id] = (order_id, order)
        self._successors[order_id] = order.id

    def find(self, event: ExecutionEvent) -> WorkingOrder | None:
        """Return the order that an execution is about; ``None`` for a stranger's.

        One that took another's place is followed from then on.
        """
        order_id = event.order_id
        if event.update == TradeUpdate.REPLACED:
            self._promote(self._successors.get(order_id, ""))
        elif order_id in self._asked:
            if event.update == TradeUpdate.REJECTED:
                old, order = self._asked.pop(order_id)
                self._successors.pop(old, None)
                return self._remember(WorkingOrder(order))
            self._promote(order_id)
        return self.working.get(order_id) or self._legs.get(order_id) or self._ended.get(order_id)

    def follow(self, working: WorkingOrder, event: ExecutionEvent, fill: Fill | None) -> None:
        """Count what an execution fills, and end the order where it says so."""
        if fill is not None:
            working.fill(fill.quantity)
        if (event.update or "") in _ENDED or not working.leaves:
            order_id = working.order.id
            ended = self.working.remove(order_id) or self._legs.pop(order_id, None)
            if ended is not None:
                self._remember(ended)

    def _promote(self, order_id: str) -> None:
        """Let an order that was asked for work in the place of the other one."""
        if order_id not in self._asked:
            return
        old_id, order = self._asked.pop(order_id)
        self._successors.pop(old_id, None)
        leg = self._legs.get(old_id)
        old = leg or self.working.get(old_id) or self._ended.get(old_id)
        if leg is not None:
            new = self._legs[order_id] = WorkingOrder(order)
        else:
            new = self.working.add(order)
        if old is not None:
            new.fill(old.filled)

    def _remember(self, working: WorkingOrder) -> WorkingOrder:
        self._ended[working.order.id] = working
        if len(self._ended) > _REMEMBERED:
            del self._ended[next(iter(self._ended))]
        return working
