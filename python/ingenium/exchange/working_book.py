"""Working orders and brackets of the exchange, with lookup by id."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ingenium.exchange.bracket import Bracket
from ingenium.exchange.resting_order import RestingOrder
from ingenium.trading import Order

__all__ = ["WorkingBook"]


class WorkingBook:
    """Working orders and brackets by symbol, each in order of arrival.

    Attributes:
        orders: Working orders by symbol and id, without protective ones.
        brackets: Brackets by symbol and the id of their entry.
    """

    def __init__(self) -> None:
        self.orders: dict[str, dict[str, RestingOrder]] = {}
        self.brackets: dict[str, dict[str, Bracket]] = {}
        self._symbols: dict[str, str] = {}
        self._bracket_of_leg: dict[str, Bracket] = {}
        self._known: set[str] = set()
        self.added = 0
        """Number of orders and brackets ever added."""
        # Tracked only when the book is saved, which a backtest never does.
        self.touched: set[str] | None = None
        self._log: list[str] | None = None

    def is_new(self, order_id: str) -> bool:
        """Record an order id, and return whether it is new."""
        if order_id and order_id in self._known:
            return False
        self._know(order_id)
        return True

    def has_seen(self, order_id: str) -> bool:
        """Return whether an order with this id was ever received."""
        return order_id in self._known

    def working(self) -> Iterator[RestingOrder]:
        """Return the working orders of all symbols, without protective ones."""
        for orders in self.orders.values():
            yield from orders.values()

    def protective(self) -> Iterator[RestingOrder]:
        """Return the protective orders of all symbols that protect shares."""
        for brackets in self.brackets.values():
            for bracket in brackets.values():
                yield from (leg for leg in bracket.legs if leg.leaves)

    def get(self, order_id: str) -> RestingOrder | None:
        """Return a working order, unless it is a protective one."""
        symbol = self._symbols.get(order_id)
        return None if symbol is None else self.orders[symbol][order_id]

    def leg(self, order_id: str) -> tuple[Bracket, RestingOrder] | None:
        """Return a working or held protective order, and its bracket."""
        bracket = self._bracket_of_leg.get(order_id)
        if bracket is None:
            return None
        for leg in bracket.legs:
            if leg.order.id == order_id:
                return bracket, leg
        return None

    def bracket(self, order: Order) -> Bracket | None:
        """Return the bracket of an entry."""
        brackets = self.brackets.get(order.symbol)
        return None if brackets is None else brackets.get(order.id)

    def add(self, resting: RestingOrder) -> None:
        """Append an order to those of its symbol, with a new sequence number."""
        self.added += 1
        resting.number = self.added
        self.put(resting)

    def add_bracket(self, bracket: Bracket) -> None:
        """Append a bracket to those of its symbol, with a new sequence number."""
        self.added += 1
        bracket.number = self.added
        self.put_bracket(bracket)
        for leg in bracket.legs:
            self._know(leg.order.id)

    def put(self, resting: RestingOrder) -> None:
        """Append an order unchanged."""
        order = resting.order
        self.orders.setdefault(order.symbol, {})[order.id] = resting
        self._symbols[order.id] = order.symbol
        self._touch(order.symbol)

    def put_bracket(self, bracket: Bracket) -> None:
        """Append a bracket unchanged."""
        entry = bracket.entry
        self.brackets.setdefault(entry.symbol, {})[entry.id] = bracket
        for leg in bracket.legs:
            self._bracket_of_leg[leg.order.id] = bracket
        self._touch(entry.symbol)

    def remove_leg(self, bracket: Bracket, leg: RestingOrder) -> None:
        """Remove a protective order from its bracket."""
        bracket.legs.remove(leg)
        del self._bracket_of_leg[leg.order.id]
        self._touch(leg.order.symbol)

    def replace_leg(self, bracket: Bracket, leg: RestingOrder, new: RestingOrder) -> None:
        """Replace a protective order."""
        bracket.legs[bracket.legs.index(leg)] = new
        del self._bracket_of_leg[leg.order.id]
        self._know(new.order.id)
        self._bracket_of_leg[new.order.id] = bracket
        self._touch(leg.order.symbol)

    def replace(self, old: RestingOrder, new: RestingOrder) -> None:
        """Replace an order with one behind the others; its bracket moves along."""
        bracket = self.bracket(old.order)
        self.remove(old.order)
        self.add(new)
        if bracket is not None:
            brackets = self.brackets[old.order.symbol]
            del brackets[old.order.id]
            brackets[new.order.id] = bracket
            bracket.entry = new.order
            self.added += 1
            bracket.number = self.added

    def remove(self, order: Order) -> None:
        """Remove an order, if it is there."""
        if self._symbols.pop(order.id, None) is None:
            return
        self._touch(order.symbol)
        orders = self.orders[order.symbol]
        del orders[order.id]
        if not orders:
            del self.orders[order.symbol]

    def remove_bracket(self, bracket: Bracket) -> None:
        """Remove a bracket."""
        entry = bracket.entry
        brackets = self.brackets[entry.symbol]
        del brackets[entry.id]
        if not brackets:
            del self.brackets[entry.symbol]
        for leg in bracket.legs:
            del self._bracket_of_leg[leg.order.id]

    # Persistence.

    def _touch(self, symbol: str) -> None:
        if self.touched is not None:
            self.touched.add(symbol)

    def _know(self, order_id: str) -> None:
        if self._log is not None and order_id not in self._known:
            self._log.append(order_id)
        self._known.add(order_id)

    def take_known(self) -> list[str]:
        """Return the ids first seen since the last call; all of them the first time."""
        known = sorted(self._known) if self._log is None else self._log
        self._log = []
        return known

    def restore_known(self, order_ids: Iterable[str]) -> None:
        """Restore known ids."""
        self._known.update(order_ids)
        self._log = []
