"""State of the orders sent: working, protective, pending replacement, replaced and ended."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal

import msgspec

from ingenium.errors import ComponentError
from ingenium.events import ExecutionEvent, OrderType, Side, TradeUpdate
from ingenium.state.rows import LogRow, read_row, write_row
from ingenium.trading.fill import Fill
from ingenium.trading.money import EXACT, ZERO
from ingenium.trading.order import Order
from ingenium.trading.working_orders import WorkingOrder, WorkingOrders

__all__ = ["REMEMBERED", "OrderTracker", "works_on"]

_REJECTED, _REPLACED = TradeUpdate.REJECTED.value, TradeUpdate.REPLACED.value
_ENDED = frozenset(
    {
        TradeUpdate.FILLED.value,
        TradeUpdate.CANCELED.value,
        _REJECTED,
        TradeUpdate.EXPIRED.value,
        _REPLACED,
    }
)
REMEMBERED = 10_000
"""Number of ended orders that are remembered."""


def works_on(event: ExecutionEvent) -> bool:
    """Return whether an order keeps working after a rejection under its id.

    One example is the rejection of a second order with that id: it states what is left of the
    first.
    """
    if event.update != _REJECTED or event.quantity not in {"", "0"}:
        return False
    left = event.leaves_quantity or ""
    return any("1" <= letter <= "9" for letter in left) and not left.startswith("-")


class _Asked(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """The saved state of a requested replacement order."""

    order: Order
    replaces: str
    is_latest: bool
    """Whether this is the latest replacement requested for that order."""


class _Added(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    added: int


class _Heir(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    order_id: str


class OrderTracker:
    """Tracks orders by their executions.

    Attributes:
        working: The working orders, without protective ones.
    """

    def __init__(self) -> None:
        self.working = WorkingOrders()
        # Protective orders only ever reduce what their order has filled, so they never count as
        # pending.
        self._legs: dict[str, WorkingOrder] = {}
        # Requested replacement orders, by their own ids and by those of the orders to be replaced.
        self._asked: dict[str, tuple[str, Order]] = {}
        self._successors: dict[str, str] = {}
        # Replaced orders and their replacements, while these work: a late fill of the old order
        # counts for the new one.
        self._heirs: dict[str, str] = {}
        # Executions may arrive after the end of their order and name only its id. Finding the first
        # key of a plain dict scans past all deleted entries.
        self._ended: OrderedDict[str, WorkingOrder] = OrderedDict()
        # Tracked only when the orders are saved, which a backtest never does.
        self._touched: set[str] | None = None
        self._log: list[WorkingOrder] | None = None

    def add(self, order: Order) -> None:
        """Add an order that is sent, with its protective orders."""
        self.working.add(order)
        self._touch(order.id)
        for leg in order.protective_orders():
            self._legs[leg.id] = WorkingOrder(leg)
            self._touch(leg.id)

    def withdraw(self, order_id: str) -> None:
        """Remove an order that was not sent after all."""
        if order_id in self._asked:
            replaces, _ = self._asked.pop(order_id)
            self._touch(self._successors.pop(replaces, ""))
            self._touch(order_id)
        working = self.working.remove(order_id)
        if working is not None:
            self._touch(order_id)
            for leg in working.order.protective_orders():
                self._legs.pop(leg.id, None)
                self._touch(leg.id)

    def active(self, order_id: str) -> Order | None:
        """Return a working order, a protective order or a requested replacement."""
        working = self.working.get(order_id) or self._legs.get(order_id)
        if working is not None:
            return working.order
        asked = self._asked.get(order_id)
        return None if asked is None else asked[1]

    def ended(self, order_id: str) -> Order | None:
        """Return an ended order, if it is still remembered."""
        working = self._ended.get(order_id)
        return None if working is None else working.order

    def has_ended(self, order_id: str) -> bool:
        """Return whether an order is remembered as ended."""
        return order_id in self._ended

    def protects(self, order_id: str) -> bool:
        """Return whether an order is a protective order of a bracket."""
        return order_id in self._legs

    def growth(
        self, symbol: str, side: Side, types: Collection[OrderType] | None = None
    ) -> Decimal:
        """Return the quantity that requested replacements add to one side's orders in a symbol.

        Args:
            symbol: Name of the instrument.
            side: Side of the orders.
            types: Only orders of these types; all when left out.
        """
        total = ZERO
        for old_id, order in self._asked.values():
            if order.symbol != symbol or order.side is not side:
                continue
            if types is None or order.type in types:
                old = self.active(old_id)
                more = (
                    order.quantity if old is None else EXACT.subtract(order.quantity, old.quantity)
                )
                total = EXACT.add(total, max(more, ZERO))
        return total

    def end(self, order: Order) -> None:
        """Record an order that ended before it worked."""
        self._remember(WorkingOrder(order))

    def ask(self, order_id: str, order: Order) -> None:
        """Record a request to replace an order."""
        self._asked[order.id] = (order_id, order)
        self._touch(order.id)
        self._touch(self._successors.get(order_id, ""))
        self._successors[order_id] = order.id

    def find(self, order_id: str, update: str | None) -> WorkingOrder | None:
        """Return the order that an execution reports on; ``None`` for an unknown order.

        A replacement becomes the working order with the first execution that confirms it.

        Args:
            order_id: The order id of the execution.
            update: The order update of the execution; empty or ``None`` in the documented format.
        """
        if update == _REPLACED:
            self._promote(self._successors.get(order_id, ""))
        elif order_id in self._asked:
            if update == _REJECTED:
                old, order = self._asked.pop(order_id)
                self._touch(order_id)
                self._touch(self._successors.pop(old, ""))
                return self._remember(WorkingOrder(order))
            self._promote(order_id)
        return self.working.get(order_id) or self._legs.get(order_id) or self._ended.get(order_id)

    def follow(self, working: WorkingOrder, update: str | None, fill: Fill | None) -> None:
        """Apply an execution's fill, and end the order if it is complete or the update says so."""
        if fill is not None:
            self._fill(working, fill.quantity)
            order_id = working.order.id
            self._touch(order_id)
            if order_id in self._ended:
                self._remember(working)
            self._inherit(order_id, fill.quantity)
        if update in _ENDED or not working.leaves:
            self._end(working.order.id)

    def _fill(self, working: WorkingOrder, quantity: Decimal) -> None:
        order_id = working.order.id
        if self.working.get(order_id) is working:
            self.working.fill(order_id, quantity)
        else:
            working.fill(quantity)

    def _end(self, order_id: str) -> None:
        self._touch(order_id)
        ended = self.working.remove(order_id) or self._legs.pop(order_id, None)
        if ended is not None:
            self._remember(ended)
            next_id = self._heirs.get(order_id)
            for old_id in [old for old, heir in self._heirs.items() if heir == order_id]:
                if next_id is None:
                    del self._heirs[old_id]
                else:
                    self._heirs[old_id] = next_id
                self._touch(old_id)

    def _inherit(self, order_id: str, quantity: Decimal) -> None:
        """Count a late fill of a replaced order for its replacement, too."""
        complete: list[str] = []
        while (heir_id := self._heirs.get(order_id)) is not None:
            heir = self.working.get(heir_id) or self._legs.get(heir_id)
            if heir is None:
                break
            self._fill(heir, quantity)
            self._touch(heir_id)
            if not heir.leaves:
                complete.append(heir_id)
            order_id = heir_id
        for heir_id in complete:
            self._end(heir_id)

    def _promote(self, order_id: str) -> None:
        """Make a requested replacement the working order."""
        if order_id not in self._asked:
            return
        old_id, order = self._asked.pop(order_id)
        self._touch(order_id)
        self._touch(self._successors.pop(old_id, ""))
        leg = self._legs.get(old_id)
        old = leg or self.working.get(old_id) or self._ended.get(old_id)
        if leg is not None:
            new = self._legs[order_id] = WorkingOrder(order)
        else:
            new = self.working.add(order)
        if old is not None:
            self._fill(new, old.filled)
            self._heirs[old_id] = order_id
            self._touch(old_id)

    def _remember(self, working: WorkingOrder) -> WorkingOrder:
        order_id = working.order.id
        self._ended.pop(order_id, None)
        self._ended[order_id] = working
        if len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)
        if self._log is not None:
            self._log.append(working)
        return working

    # Persistence.

    def _touch(self, order_id: str) -> None:
        if self._touched is not None:
            self._touched.add(order_id)

    def sections(self) -> Iterable[str]:
        """Return the row sections: ids of orders, and ``""``; see `RowWatch`."""
        return ["", *self.working, *self._legs, *self._asked, *self._heirs]

    def rows_of(self, section: str) -> dict[str, bytes]:
        """Return the rows of a section: ``orders``, or those of the order with that id.

        The rows of an order are ``order/``, ``leg/``, ``asked/`` and ``heir/<id>``.
        """
        rows: dict[str, bytes] = {}
        if not section:
            return {"orders": write_row(_Added(self.working.added))}
        if (working := self.working.get(section)) is not None:
            rows[f"order/{section}"] = write_row(working)
        if (leg := self._legs.get(section)) is not None:
            rows[f"leg/{section}"] = write_row(leg)
        if (asked := self._asked.get(section)) is not None:
            replaces, order = asked
            is_latest = self._successors.get(replaces) == section
            rows[f"asked/{section}"] = write_row(_Asked(order, replaces, is_latest))
        if (heir := self._heirs.get(section)) is not None:
            rows[f"heir/{section}"] = write_row(_Heir(heir))
        return rows

    def take_touched(self) -> Iterable[str] | None:
        """Return the sections that may have changed since the last call; see `SectionedRows`."""
        touched, self._touched = self._touched, set()
        return None if touched is None else touched | {""}

    def restore(self, rows: Mapping[str, bytes]) -> None:
        """Restore saved rows into a tracker that has tracked nothing.

        Raises:
            ComponentError: The tracker has tracked an order, or a row cannot be read.
        """
        if self.working.added or self._asked:
            raise ComponentError(
                f"portfolio has already sent {self.working.added} orders: restore into a new "
                "portfolio"
            )
        working: list[WorkingOrder] = []
        for key, data in rows.items():
            kind, _, order_id = key.partition("/")
            if kind == "orders":
                self.working.added = read_row(_Added, data, key).added
            elif kind == "order":
                working.append(read_row(WorkingOrder, data, key))
            elif kind == "leg":
                self._legs[order_id] = read_row(WorkingOrder, data, key)
            elif kind == "heir":
                self._heirs[order_id] = read_row(_Heir, data, key).order_id
            else:
                asked = read_row(_Asked, data, key)
                self._asked[order_id] = (asked.replaces, asked.order)
                if asked.is_latest:
                    self._successors[asked.replaces] = order_id
        for each in sorted(working, key=lambda each: each.number):
            self.working.put(each)

    def take_log(self) -> list[LogRow]:
        """Return the orders that have ended since the last call, or were filled after their end.

        The rows are of kind ``ended``; of several rows with one id the last one counts. The first
        call returns all remembered orders.
        """
        log = list(self._ended.values()) if self._log is None else self._log
        self._log = []
        return [("ended", ended.order.id, write_row(ended)) for ended in log]

    def restore_ended(self, rows: Iterable[LogRow]) -> None:
        """Restore the last ended orders, oldest first."""
        self._log = None
        for kind, order_id, data in rows:
            self._remember(read_row(WorkingOrder, data, f"{kind} {order_id}"))
        self._log = []
