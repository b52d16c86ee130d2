"""The orders that work on the exchange, and where to find each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ingenium.exchange.bracket import Bracket
from ingenium.exchange.resting_order import RestingOrder
from ingenium.trading import Order

__all__ = ["WorkingBook"]


class WorkingBook:
    """Working orders and brackets by symbol, each in the order in which they came.

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
        """How many orders and brackets have ever been put in."""
        # For those who save the book; nobody does in a backtest.
        self.touched: set[str] | None = None
        self._log: list[str] | None = None

    def is_new(self, order_id: str) -> bool:
        """Take note of an id, and say whether it has not been here before."""
        if order_id and order_id in self._known:
            return False
        self._know(order_id)
        return True

    def has_seen(self, order_id: str) -> bool:
        """Whether an order of that id has ever been here."""
        return order_id in self._known

    def working(self) -> Iterator[RestingOrder]:
        """Return the working orders of all symbols, without protective ones."""
        for orders in self.orders.values():
            yield from orders.values()

    def protective(self) -> Iterator[RestingOrder]:
        """Return the protective orders of all symbols that have something to protect."""
        for brackets in self.brackets.values():
            for bracket in brackets.values():
                yield from (leg for leg in bracket.legs if leg.leaves)

    def get(self, order_id: str) -> RestingOrder | None:
        """Return a working order that is no protective one."""
        symbol = self._symbols.get(order_id)
        return None if symbol is None else self.orders[symbol][order_id]

    def leg(self, order_id: str) -> tuple[Bracket, RestingOrder] | None:
        """Return a protective order that works or is held, and its bracket."""
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
        """Put an order behind the others of its symbol."""
        self.added += 1
        resting.number = self.added
        self.put(resting)

    def add_bracket(self, bracket: Bracket) -> None:
        """Put a bracket behind the others of its symbol."""
        self.added += 1
        bracket.number = self.added
        self.put_bracket(bracket)
        for leg in bracket.legs:
            self._know(leg.order.id)

    def put(self, resting: RestingOrder) -> None:
        """Put an order behind the others, as it is."""
        order = resting.order
        self.orders.setdefault(order.symbol, {})[order.id] = resting
        self._symbols[order.id] = order.symbol
        self._touch(order.symbol)

    def put_bracket(self, bracket: Bracket) -> None:
        """Put a bracket behind the others, as it is."""
        entry = bracket.entry
        self.brackets.setdefault(entry.symbol, {})[entry.id] = bracket
        for leg in bracket.legs:
            self._bracket_of_leg[leg.order.id] = bracket
        self._touch(entry.symbol)

    def remove_leg(self, bracket: Bracket, leg: RestingOrder) -> None:
        """Take a protective order out of its bracket."""
        bracket.legs.remove(leg)
        del self._bracket_of_leg[leg.order.id]
        self._touch(leg.order.symbol)

    def replace_leg(self, bracket: Bracket, leg: RestingOrder, new: RestingOrder) -> None:
        """Put a protective order in the place of another."""
        bracket.legs[bracket.legs.index(leg)] = new
        del self._bracket_of_leg[leg.order.id]
        self._know(new.order.id)
        self._bracket_of_leg[new.order.id] = bracket
        self._touch(leg.order.symbol)

    def replace(self, old: RestingOrder, new: RestingOrder) -> None:
        """Put an order behind the others, in the place of one; its bracket comes along."""
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
        """Take an order out, if it is there."""
        if self._symbols.pop(order.id, None) is None:
            return
        self._touch(order.symbol)
        orders = self.orders[order.symbol]
        del orders[order.id]
        if not orders:
            del self.orders[order.symbol]

    def remove_bracket(self, bracket: Bracket) -> None:
        """Take a bracket out."""
        entry = bracket.entry
        brackets = self.brackets[entry.symbol]
        del brackets[entry.id]
        if not brackets:
            del self.brackets[entry.symbol]
        for leg in bracket.legs:
            del self._bracket_of_leg[leg.order.id]

    # Saving.

    def _touch(self, symbol: str) -> None:
        if self.touched is not None:
            self.touched.add(symbol)

    def _know(self, order_id: str) -> None:
        if self._log is not None and order_id not in self._known:
            self._log.append(order_id)
        self._known.add(order_id)

    def take_known(self) -> list[str]:
        """Return the ids that have been here first since the last call; all the first time."""
        known = sorted(self._known) if self._log is None else self._log
        self._log = []
        return known

    def restore_known(self, order_ids: Iterable[str]) -> None:
        """Take back ids that have been here."""
        self._known.update(order_ids)
        self._log = []
