"""Filling and ending of protective orders on the simulated exchange."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from msgspec.structs import replace

from ingenium.events import Side, TradeUpdate
from ingenium.exchange.bracket import Bracket
from ingenium.exchange.bracket_exits import BracketExit
from ingenium.exchange.exact_bar import ExactBar
from ingenium.exchange.exchange_books import ExchangeBooks
from ingenium.exchange.fill_booker import FillBooker
from ingenium.exchange.matching import Match, is_earlier
from ingenium.exchange.resting_order import RestingOrder
from ingenium.exchange.trading_hours import BarHours
from ingenium.trading import Order
from ingenium.trading.execution_report import ExecutionReport
from ingenium.trading.money import ZERO

__all__ = ["ProtectiveOrders"]

_PARTIAL_FILL = TradeUpdate.PARTIAL_FILL


class ProtectiveOrders:
    """Take-profits and stop-losses: bars fill them, and a closed position ends them.

    Args:
        books: The books with the brackets and the positions that they protect.
        booker: Books their fills.
    """

    def __init__(self, books: ExchangeBooks, booker: FillBooker) -> None:
        self._books = books
        self._booker = booker
        self._book = books.working
        # Cached, since they are read for each bar.
        self._brackets = books.working.brackets

    def enter(
        self, order: Order, quantity: Decimal, bar: ExactBar, match: Match, now: datetime
    ) -> Iterator[ExecutionReport]:
        """Activate the protective orders of an order for the quantity it has filled."""
        bracket = self._book.bracket(order)
        if bracket is None:
            return
        bracket.is_entry_working = self._book.get(order.id) is not None
        if bracket.enter(quantity, bar, match):
            for leg in bracket.legs:
                yield ExecutionReport(leg.order, TradeUpdate.NEW, now, leg.leaves)

    def protect_at_open(
        self, symbol: str, bar: ExactBar, hours: BarHours
    ) -> Iterator[ExecutionReport]:
        """Fill the protective orders reached at the open of a bar, before anything within it."""
        position = self._books.positions.get(symbol, ZERO)
        for bracket in list(self._brackets[symbol].values()):
            if not bracket.exposure:
                continue
            position = bracket.limit_to(position)
            if not hours.admits(bracket.entry):
                continue
            found = bracket.exit_at_open(bar, self._booker.policy)
            if found is not None:
                yield from self._exit(bracket, found[0], bar, found[1])

    def is_concerned(self, symbol: str, bar: ExactBar) -> bool:
        """Return whether a bar may affect protective orders after its open."""
        return any(each.is_concerned(bar) for each in self._brackets[symbol].values())

    def protect(self, symbol: str, bar: ExactBar, hours: BarHours) -> Iterator[ExecutionReport]:
        """Fill the protective orders of a symbol, and end those with nothing to protect."""
        position = self._books.positions.get(symbol, ZERO)
        for bracket in list(self._brackets[symbol].values()):
            position = bracket.limit_to(position)
            if bracket.is_entered and not bracket.exposure:
                yield from self.tidy(bracket, bar.start, "the position is closed")
            elif hours.admits(bracket.entry):
                yield from self._act(bracket, bar)

    def _act(
        self, bracket: Bracket, bar: ExactBar, *, is_ambiguous: bool = False
    ) -> Iterator[ExecutionReport]:
        """Fill the protective orders of a bracket that a bar reaches after its open."""
        exits, is_untaken = bracket.take_exits(bar, self._booker.policy)
        self._books.notes.untaken_targets += is_untaken
        for found, quantity in exits:
            match = replace(found.match, is_ambiguous=found.match.is_ambiguous or is_ambiguous)
            yield from self._exit(bracket, BracketExit(found.leg, match), bar, quantity)

    def protect_before(
        self, resting: RestingOrder, match: Match, bar: ExactBar, hours: BarHours
    ) -> tuple[Match, list[ExecutionReport]]:
        """Fill the protective orders that precede an order that closes the same position.

        If the sequence depends on the price path, they go first if that is worse for the owner.

        Args:
            resting: The order.
            match: Its match within the bar.
            bar: The bar.
            hours: Hours of the bar.

        Returns:
            The match of the order, ambiguous if the protective orders might have come first; and
            the reports of the protective orders.
        """
        order, reports = resting.order, list[ExecutionReport]()
        position = self._books.positions.get(order.symbol, ZERO)
        for bracket in list(self._brackets[order.symbol].values()):
            position = bracket.limit_to(position)
            if bracket.side is not order.side or not hours.admits(bracket.entry):
                continue
            exits = bracket.exits_after_open(bar, self._booker.policy)
            if not exits or not bracket.exposure:
                continue
            other, instead = exits[0][0].match, exits[0][0].instead
            is_first = is_earlier(other, match)
            if is_first is None and other.price == match.price:
                is_first = bracket.number < resting.number
            if is_first is None and instead is not None:
                is_first = is_earlier(instead, match) or None
            if is_first:
                reports += self._act(bracket, bar)
                continue
            if is_first is False:
                # The exit may be the stop of a bar that reaches both legs, with the target first on
                # another path.
                match = replace(match, is_ambiguous=match.is_ambiguous or other.is_ambiguous)
                continue
            # An order that may only close would have nothing left to close; any other opens a
            # position.
            beside = match.price if self._books.ledger.lacks_shares(order) else bar.close
            if other.price < beside if order.side is Side.SELL else other.price > beside:
                reports += self._act(bracket, bar, is_ambiguous=True)
            else:
                match = replace(match, is_ambiguous=True)
        return match, reports

    def _exit(
        self, bracket: Bracket, found: BracketExit, bar: ExactBar, most: Decimal
    ) -> Iterator[ExecutionReport]:
        """Fill a protective order."""
        leg, match = found.leg, found.match
        quantity = min(self._booker.largest(leg, bar), most)
        if not quantity:
            return
        price, fee = self._booker.cost(leg, bar, match, quantity)
        report = self._booker.book(leg, bar, match, quantity, price, fee)
        bracket.reduce(quantity, by=leg)
        if bracket.is_entry_working and not leg.leaves:
            # The entry may fill further, and this order protects those shares too.
            report = replace(report, update=_PARTIAL_FILL)
        yield report
        if not leg.leaves and not bracket.is_entry_working:
            self._book.remove_leg(bracket, leg)
        yield from self.tidy(bracket, report.time)

    def tidy(
        self,
        bracket: Bracket,
        now: datetime,
        reason: str = "the other order of its bracket was filled",
    ) -> Iterator[ExecutionReport]:
        """End the protective orders of a bracket with nothing left to protect."""
        if bracket.legs and (bracket.is_entry_working or bracket.exposure):
            return
        if not bracket.is_entered:
            reason = "its entry was not filled"
        for leg in bracket.legs:
            yield ExecutionReport(leg.order, TradeUpdate.CANCELED, now, reason=reason)
        self._book.remove_bracket(bracket)

    def end_entry(self, entry: Order, now: datetime) -> Iterator[ExecutionReport]:
        """End the protective orders of an entry that has ended, unless they protect shares."""
        bracket = self._book.bracket(entry)
        if bracket is not None:
            bracket.is_entry_working = False
            yield from self.tidy(bracket, now, "its position is closed")
