"""The bar-driven part of the simulated exchange: bars fill orders, or end them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal

from msgspec.structs import replace

from ingenium.events import OrderType, TimeInForce, TradeUpdate
from ingenium.exchange.exact_bar import ExactBar
from ingenium.exchange.exchange_books import ExchangeBooks, WorkedBar
from ingenium.exchange.fill_booker import FillBooker
from ingenium.exchange.matching import AUCTIONS, MATCHERS, Match
from ingenium.exchange.protective_orders import ProtectiveOrders
from ingenium.exchange.resting_order import RestingOrder
from ingenium.exchange.trading_hours import (
    BarHours,
    Eligibility,
    TradingHours,
    expiry,
    why_expired,
)
from ingenium.exchange.turn_order import OrderTurn, in_order
from ingenium.trading import Bar
from ingenium.trading.execution_report import ExecutionReport
from ingenium.trading.money import ZERO

__all__ = ["MatchingEngine"]

# A tuple, since hashing an enum member is slow.
_AT_ONCE = (TimeInForce.IOC, TimeInForce.FOK)
# Enum member lookup is slow.
_SLEEP, _WORK, _OVER = Eligibility.SLEEP, Eligibility.WORK, Eligibility.OVER
_FOK = TimeInForce.FOK
_NEVER = datetime.min.replace(tzinfo=UTC)


class MatchingEngine:
    """Matches working orders against bars.

    Args:
        books: The orders, and the books for fills.
        booker: Books fills.
        protection: Fills protective orders.
        hours: The trading hours.
    """

    def __init__(
        self,
        books: ExchangeBooks,
        booker: FillBooker,
        protection: ProtectiveOrders,
        hours: TradingHours,
    ) -> None:
        self._books = books
        self._booker = booker
        self._protection = protection
        self._hours = hours
        self._ledger = books.ledger
        self._book = books.working
        # Cached, since they are read for each bar.
        self._orders, self._brackets = books.working.orders, books.working.brackets
        self._instant = _NEVER
        self._held: list[OrderTurn] = []
        """Orders for which other fills of this instant may still free cash or shares."""

    @property
    def is_holding(self) -> bool:
        """Whether orders are waiting for `end_instant`."""
        return bool(self._held)

    def on_bar(self, bar: Bar, *, knows_instants: bool = False) -> list[ExecutionReport]:
        """Match the working orders of a symbol against a bar of it.

        Args:
            bar: The bar.
            knows_instants: Whether the caller calls `end_instant` after all bars of an instant if
                `is_holding` is set.

        Returns:
            Fills, and orders ended without a fill: those at the open first, the others in order of
            arrival.

        Raises:
            DecodeError: A number of the bar cannot be parsed exactly; no order has changed.
        """
        symbol, books, protection = bar.symbol, self._books, self._protection
        books.set_close(symbol, bar)
        if symbol not in self._orders and symbol not in self._brackets:
            return []
        exact = ExactBar(bar)
        reports: list[ExecutionReport] = []
        if exact.end != self._instant:
            if self._held:
                reports = self.end_instant()
            self._instant, self._booker.freed_later = exact.end, ZERO
        if self._is_covered(bar):
            books.notes.overlapping_bars += 1
            return reports
        if not exact.is_consistent:
            books.notes.inconsistent_bars += 1
        hours = self._hours.of(bar)
        is_dry = self._is_dry(exact)
        turns = self._turns(symbol, exact, hours, is_dry=is_dry)
        is_protected = any(each.is_entered for each in self._brackets.get(symbol, {}).values())
        books.notes.bars_without_volume += is_dry and bool(turns or is_protected)
        # Sleeping orders, such as those for the close, count too: a longer bar may follow.
        if is_protected or any(
            each.submitted <= exact.start for each in self._orders.get(symbol, {}).values()
        ):
            books.worked[symbol] = WorkedBar(exact.end, bar.period)
        first, later = in_order(turns)
        for each in first:
            reports += self._take_turn(each, may_hold=True)
        if symbol in self._brackets and not is_dry:
            reports += protection.protect_at_open(symbol, exact, hours)
        for each in later:
            reports += self._take_turn_within(each)
        if symbol in self._brackets and (reports or protection.is_concerned(symbol, exact)):
            reports += protection.protect(symbol, exact, hours)
        if self._held and not knows_instants:
            reports += self._settle(is_over=not self._may_free(exact))
        return reports

    def end_instant(self) -> list[ExecutionReport]:
        """Process the orders that waited for the other fills of their instant.

        Returns:
            Fills, as far as cash and shares allow them now, and rejections.
        """
        return self._settle(is_over=True)

    def catch_up(self, order_id: str, bars: Iterable[Bar]) -> list[ExecutionReport]:
        """Match one order against bars processed before it arrived.

        Args:
            order_id: Id of the order; its bracket is matched too.
            bars: Bars of its symbol, in time order.

        Returns:
            The reports of this order; the other orders have been matched against these bars
            already.
        """
        resting = self._book.get(order_id)
        if resting is None:
            return []
        symbol, reports = resting.order.symbol, list[ExecutionReport]()
        bracket = self._book.bracket(resting.order)
        orders = self._orders.pop(symbol)
        brackets = self._brackets.pop(symbol, {})
        worked = self._books.worked.pop(symbol, None)
        self._orders[symbol] = {order_id: orders.pop(order_id)}
        if bracket is not None:
            self._brackets[symbol] = {order_id: brackets.pop(order_id)}
        try:
            for bar in bars:
                if symbol not in self._orders and symbol not in self._brackets:
                    break
                reports += self.on_bar(bar)
        finally:
            if orders := orders | self._orders.pop(symbol, {}):
                self._orders[symbol] = orders
            if brackets := brackets | self._brackets.pop(symbol, {}):
                self._brackets[symbol] = brackets
            if worked is not None:
                self._books.worked[symbol] = worked
        return reports

    def _turns(
        self, symbol: str, bar: ExactBar, hours: BarHours, *, is_dry: bool
    ) -> list[OrderTurn]:
        """Match each eligible order of a symbol."""
        turns: list[OrderTurn] = []
        for resting in self._orders.get(symbol, {}).values():
            if bar.start < resting.submitted:
                continue
            turn = self._hours.turn(resting, hours)
            if turn is _SLEEP:
                continue
            match: Match | None = None
            if turn is not _OVER and not is_dry:
                order = resting.order
                matcher = AUCTIONS.get(order.time_in_force) or MATCHERS[order.type]
                match = matcher(resting, bar, self._booker.policy)
            turns.append(OrderTurn(resting, bar, hours, turn, match))
        return turns

    def _is_covered(self, bar: Bar) -> bool:
        """Return whether longer, shorter or repeated bars have already covered the time of a bar.

        Each moment fills an order once, and a longer bar contains prices from before the shorter
        ones.
        """
        worked = self._books.worked.get(bar.symbol)
        if worked is None:
            return False
        return bar.start < worked.end if bar.period != worked.period else bar.end <= worked.end

    def _is_dry(self, bar: ExactBar) -> bool:
        """Return whether a bar fills nothing because it has no volume."""
        return self._booker.policy.no_volume == "wait" and bar.volume <= 0

    def _take_turn(self, turn: OrderTurn, *, may_hold: bool) -> Iterator[ExecutionReport]:
        resting, bar = turn.resting, turn.bar
        order = resting.order
        if turn.turn is not _OVER:
            if not resting.is_announced:
                resting.is_announced = True
                yield ExecutionReport(order, TradeUpdate.NEW, bar.start, resting.leaves)
            if turn.match is not None:
                # A held order has been counted already.
                quantity = self._booker.largest(resting, bar, counts=may_hold)
                if order.time_in_force is _FOK and quantity < resting.leaves:
                    quantity = ZERO
                if quantity:
                    if may_hold and self._must_hold(turn, turn.match, quantity):
                        self._held.append(turn)
                        return
                    yield from self._fill(resting, bar, turn.match, quantity)
            if resting.leaves and order.time_in_force in _AT_ONCE and self._works(resting):
                reason = f"{order.time_in_force.value}: not filled by the first bar"
                yield from self.end(resting, TradeUpdate.CANCELED, bar.end, reason)
        if turn.turn is not _WORK and self._works(resting):
            yield from self._expired(resting, bar)

    def _take_turn_within(self, turn: OrderTurn) -> list[ExecutionReport]:
        """Process an order within a bar, after the protective orders that precede it."""
        if turn.match is None or turn.resting.order.symbol not in self._brackets:
            return [*self._take_turn(turn, may_hold=True)]
        match, reports = self._protection.protect_before(
            turn.resting, turn.match, turn.bar, turn.hours
        )
        return [*reports, *self._take_turn(replace(turn, match=match), may_hold=True)]

    def _works(self, resting: RestingOrder) -> bool:
        return self._book.get(resting.order.id) is resting

    def _fill(
        self, resting: RestingOrder, bar: ExactBar, match: Match, quantity: Decimal
    ) -> Iterator[ExecutionReport]:
        """Fill an order as far as the account allows; cancel or reject the rest."""
        order = resting.order
        price, fee = self._booker.cost(resting, bar, match, quantity)
        later = self._later(match)
        reason = self._ledger.admit_fill(order, quantity, price, fee, later)
        if reason:
            asked = quantity
            quantity = ZERO
            if order.time_in_force is not _FOK:
                quantity = self._ledger.largest_fill(
                    resting, asked, lambda part: self._booker.cost(resting, bar, match, part), later
                )
            if not quantity:
                update = TradeUpdate.CANCELED if resting.filled else TradeUpdate.REJECTED
                yield from self.end(resting, update, bar.end, reason)
                return
            price, fee = self._booker.cost(resting, bar, match, quantity)
        report = self._booker.book(resting, bar, match, quantity, price, fee)
        if not resting.leaves:
            self._book.remove(order)
        yield report
        if order.symbol in self._brackets:
            yield from self._protection.enter(order, quantity, bar, match, report.time)
        if reason:
            self._books.notes.reduced_orders += 1
            yield from self.end(
                resting, TradeUpdate.CANCELED, bar.end, f"reduced to {quantity:f}: {reason}"
            )

    # Fills that free cash or shares are processed before fills that need them.

    def _must_hold(self, turn: OrderTurn, match: Match, quantity: Decimal) -> bool:
        """Return whether an order has to wait for the other fills of its instant."""
        if self._ledger.forbids_nothing:
            return False
        order = turn.resting.order
        price, fee = self._booker.cost(turn.resting, turn.bar, match, quantity)
        if self._ledger.admit_fill(order, quantity, price, fee, self._later(match)):
            return True
        # Orders held earlier are paid first.
        return any(
            not self._ledger.lacks_shares(each.resting.order) for each in self._held
        ) and self._ledger.takes_cash(order, quantity)

    def _settle(self, *, is_over: bool) -> list[ExecutionReport]:
        """Process the held orders in order, as far as the account can pay for them now.

        Args:
            is_over: Whether nothing more is freed at this instant, so that no order keeps waiting.
        """
        reports: list[ExecutionReport] = []
        while self._held:
            held, self._held = self._held, []
            for each in held:
                if not self._works(each.resting) or each.match is None:
                    continue
                quantity = self._booker.largest(each.resting, each.bar, counts=False)
                if self._must_hold(each, each.match, quantity):
                    self._held.append(each)
                else:
                    reports += self._take_late_turn(each)
            if len(self._held) == len(held):
                if not is_over:
                    break
                reports += self._take_late_turn(self._held.pop(0))
        return reports

    def _take_late_turn(self, turn: OrderTurn) -> Iterator[ExecutionReport]:
        yield from self._take_turn(turn, may_hold=False)
        symbol = turn.resting.order.symbol
        if symbol in self._brackets:
            yield from self._protection.protect(symbol, turn.bar, turn.hours)

    def _may_free(self, bar: ExactBar) -> bool:
        """Return whether a market order of another symbol, its bar still to come, may free cash."""
        symbols = {each.resting.order.symbol for each in self._held}
        return any(
            resting.order.symbol not in symbols
            and (resting.order.type is OrderType.MARKET or resting.is_triggered)
            and resting.submitted <= bar.start
            and self._ledger.frees(resting.order)
            for resting in self._book.working()
        )

    def _later(self, match: Match) -> Decimal:
        """Return how much of the cash is not yet available at the time of a fill."""
        return self._booker.freed_later if match.at_open else ZERO

    def _expired(self, resting: RestingOrder, bar: ExactBar) -> Iterator[ExecutionReport]:
        end = expiry(resting) or bar.end
        return self.end(resting, TradeUpdate.EXPIRED, end, why_expired(resting.order))

    def end(
        self, resting: RestingOrder, update: TradeUpdate, now: datetime, reason: str
    ) -> Iterator[ExecutionReport]:
        """End a working order, and the protective orders that it leaves without use.

        Args:
            resting: The order.
            update: The order update to report.
            now: The current time, UTC.
            reason: Reason in the report.
        """
        order = resting.order
        self._book.remove(order)
        self._books.notes.rejected_orders += update is TradeUpdate.REJECTED
        yield ExecutionReport(order, update, now, reason=reason)
        if order.symbol in self._brackets:
            yield from self._protection.end_entry(order, now)
