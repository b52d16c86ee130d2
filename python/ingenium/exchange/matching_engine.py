"""The part of the simulated exchange that bars drive: they fill orders, or end them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from ingenium.events import OrderType, TimeInForce, TradeUpdate
from ingenium.exchange.calendars import Calendar
from ingenium.exchange.exact_bar import ExactBar
from ingenium.exchange.fees import FeeModel
from ingenium.exchange.fill_booking import FillBooking
from ingenium.exchange.fill_counters import FillCounters
from ingenium.exchange.fill_policy import FillPolicy
from ingenium.exchange.ledger import Ledger
from ingenium.exchange.matching import AUCTIONS, MATCHERS, Match
from ingenium.exchange.resting_order import RestingOrder
from ingenium.exchange.slippage import SlippageModel
from ingenium.exchange.snapshot import WorkedBar
from ingenium.exchange.trading_hours import BarHours, Eligibility, expiry, why_expired
from ingenium.exchange.volume_cap import fillable
from ingenium.trading import Bar
from ingenium.trading.execution_report import ExecutionReport
from ingenium.trading.money import ZERO

__all__ = ["MatchingEngine"]

# A tuple, as the hash of a member is slow.
_AT_ONCE = (TimeInForce.IOC, TimeInForce.FOK)
# A member of an enumeration is looked up slowly.
_SLEEP, _WORK, _OVER = Eligibility.SLEEP, Eligibility.WORK, Eligibility.OVER
_FOK = TimeInForce.FOK
_NEVER = datetime.min.replace(tzinfo=UTC)


class _Turn(msgspec.Struct, frozen=True, gc=False):
    """An order whose turn it is, and what a bar is to it."""

    resting: RestingOrder
    bar: ExactBar
    hours: BarHours
    turn: Eligibility
    match: Match | None


class MatchingEngine(FillBooking):
    """Matches working orders against bars; the base of `PaperExchange`, which has the arguments."""

    def __init__(
        self,
        policy: FillPolicy | None,
        fees: FeeModel | None,
        slippage: SlippageModel | None,
        calendar: Calendar | Mapping[str, Calendar] | None,
        ledger: Ledger,
    ) -> None:
        super().__init__(policy, fees, slippage, calendar, ledger)
        self._instant = _NEVER
        self._held: list[_Turn] = []
        """Orders that what else happens at this instant may still pay for."""

    @property
    def is_holding(self) -> bool:
        """Whether orders wait for `end_instant`."""
        return bool(self._held)

    def is_waiting(self, symbol: str, close: str | Bar = "") -> bool:
        """Take note of a symbol's last price, and say whether an order waits for its bars.

        Where none does, the bar need not be parsed and `on_bar` need not be called.

        Args:
            symbol: The symbol that has a bar.
            close: Its close as the event writes it, or the bar that holds it.
        """
        self._closes[symbol] = close
        if (touched := self._book.touched) is not None:
            touched.add(symbol)
        return symbol in self._orders or symbol in self._brackets

    def on_bar(self, bar: Bar, *, knows_instants: bool = False) -> list[ExecutionReport]:
        """Match the working orders of a symbol against a bar of it.

        Args:
            bar: The bar.
            knows_instants: Whether `end_instant` is called once all bars of an instant are here,
                where `is_holding` asks for it.

        Returns:
            Fills, and what ended without being filled: what happens at the open first, and else in
            the order in which the orders came.

        Raises:
            DecodeError: A number of the bar cannot be read exactly; no order has been touched.
        """
        symbol = bar.symbol
        if not self.is_waiting(symbol, bar):
            return []
        exact = ExactBar(bar)
        reports: list[ExecutionReport] = []
        if exact.end != self._instant:
            if self._held:
                reports = self.end_instant()
            self._instant, self._freed_later = exact.end, ZERO
        if self._is_covered(bar):
            self.notes.overlapping_bars += 1
            return reports
        if not exact.is_consistent:
            self.notes.inconsistent_bars += 1
        hours = self._hours.of(bar)
        is_dry = self._is_dry(exact)
        turns = self._turns(symbol, exact, hours, is_dry=is_dry)
        is_protected = any(each.is_entered for each in self._brackets.get(symbol, {}).values())
        self.notes.bars_without_volume += is_dry and bool(turns or is_protected)
        # An order that sleeps, as one for the close does, has been here before a longer bar too.
        if is_protected or any(
            each.submitted <= exact.start for each in self._orders.get(symbol, {}).values()
        ):
            self._worked[symbol] = WorkedBar(exact.end, bar.period)
        first, later = _in_order(turns)
        for each in first:
            reports += self._take_turn(each, may_hold=True)
        if symbol in self._brackets and not is_dry:
            reports += self._protect_at_open(symbol, exact, hours)
        for each in later:
            reports += self._take_turn_within(each)
        if symbol in self._brackets and (reports or self._is_concerned(symbol, exact)):
            reports += self._protect(symbol, exact, hours)
        if self._held and not knows_instants:
            reports += self._settle(is_over=not self._may_free(exact))
        return reports

    def end_instant(self) -> list[ExecutionReport]:
        """Work the orders that waited for what else happens at their instant.

        Returns:
            Fills, as far as cash and shares allow them now, and rejections.
        """
        return self._settle(is_over=True)

    def _catch_up(self, order_id: str, bars: Iterable[Bar]) -> list[ExecutionReport]:
        """Match one order against bars that were here before it came.

        Args:
            order_id: The order; its bracket is matched too.
            bars: Of its symbol, in the order of time.

        Returns:
            What the bars do to it; the other orders have had their turn.
        """
        resting = self._book.get(order_id)
        if resting is None:
            return []
        symbol, reports = resting.order.symbol, list[ExecutionReport]()
        bracket = self._book.bracket(resting.order)
        orders = self._orders.pop(symbol)
        brackets = self._brackets.pop(symbol, {})
        worked = self._worked.pop(symbol, None)
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
                self._worked[symbol] = worked
        return reports

    def postpone(self, order_id: str, time: datetime) -> bool:
        """Let an order count as come at a time, if that is later; return whether it works."""
        resting = self._book.get(order_id)
        if resting is not None:
            resting.submitted = max(resting.submitted, time)
        return resting is not None

    def _turns(self, symbol: str, bar: ExactBar, hours: BarHours, *, is_dry: bool) -> list[_Turn]:
        """Match each order of a symbol whose turn it is."""
        turns: list[_Turn] = []
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
                match = matcher(resting, bar, self.policy)
            turns.append(_Turn(resting, bar, hours, turn, match))
        return turns

    def _is_covered(self, bar: Bar) -> bool:
        """Whether other bars have covered the time of a bar: longer, shorter, or the same again.

        Each moment fills an order once, and a longer bar has prices from before the shorter ones.
        """
        worked = self._worked.get(bar.symbol)
        if worked is None:
            return False
        return bar.start < worked.end if bar.period != worked.period else bar.end <= worked.end

    def _is_dry(self, bar: ExactBar) -> bool:
        """Whether a bar fills nothing since nothing was traded in it."""
        return self.policy.no_volume == "wait" and bar.volume <= 0

    def _take_turn(self, turn: _Turn, *, may_hold: bool) -> Iterator[ExecutionReport]:
        resting, bar = turn.resting, turn.bar
        order = resting.order
        if turn.turn is not _OVER:
            if not resting.is_announced:
                resting.is_announced = True
                yield ExecutionReport(order, TradeUpdate.NEW, bar.start, resting.leaves)
            if turn.match is not None:
                # An order that was held has been counted.
                notes = self.notes if may_hold else FillCounters()
                quantity = fillable(resting, bar, self.policy, notes)
                if order.time_in_force is _FOK and quantity < resting.leaves:
                    quantity = ZERO
                if quantity:
                    if may_hold and self._must_hold(turn, turn.match, quantity):
                        self._held.append(turn)
                        return
                    yield from self._fill(resting, bar, turn.match, quantity)
            if resting.leaves and order.time_in_force in _AT_ONCE and self._works(resting):
                reason = f"{order.time_in_force.value}: not filled by the first bar"
                yield from self._ended(resting, TradeUpdate.CANCELED, bar.end, reason)
        if turn.turn is not _WORK and self._works(resting):
            yield from self._expired(resting, bar)

    def _take_turn_within(self, turn: _Turn) -> list[ExecutionReport]:
        """Take the turn of an order within a bar, after the protective orders that come before."""
        if turn.match is None or turn.resting.order.symbol not in self._brackets:
            return [*self._take_turn(turn, may_hold=True)]
        match, reports = self._protect_before(turn.resting, turn.match, turn.bar, turn.hours)
        return [*reports, *self._take_turn(replace(turn, match=match), may_hold=True)]

    def _works(self, resting: RestingOrder) -> bool:
        return self._book.get(resting.order.id) is resting

    def _fill(
        self, resting: RestingOrder, bar: ExactBar, match: Match, quantity: Decimal
    ) -> Iterator[ExecutionReport]:
        """Fill an order as far as the account allows, and end it if that is not all."""
        order = resting.order
        price, fee = self._cost(resting, bar, match, quantity)
        later = self._later(match)
        reason = self._ledger.admit_fill(order, quantity, price, fee, later)
        if reason:
            asked = quantity
            quantity = ZERO
            if order.time_in_force is not _FOK:
                quantity = self._ledger.largest_fill(
                    resting, asked, lambda part: self._cost(resting, bar, match, part), later
                )
            if not quantity:
                update = TradeUpdate.CANCELED if resting.filled else TradeUpdate.REJECTED
                yield from self._ended(resting, update, bar.end, reason)
                return
            price, fee = self._cost(resting, bar, match, quantity)
        report = self._filled(resting, bar, match, quantity, price, fee)
        if not resting.leaves:
            self._book.remove(order)
        yield report
        yield from self._enter(order, quantity, bar, match, report.time)
        if reason:
            self.notes.reduced_orders += 1
            yield from self._ended(
                resting, TradeUpdate.CANCELED, bar.end, f"reduced to {quantity:f}: {reason}"
            )

    # What frees cash or shares comes before what needs it.

    def _must_hold(self, turn: _Turn, match: Match, quantity: Decimal) -> bool:
        """Whether an order has to wait for what else happens at its instant."""
        if self._ledger.forbids_nothing:
            return False
        order = turn.resting.order
        price, fee = self._cost(turn.resting, turn.bar, match, quantity)
        if self._ledger.admit_fill(order, quantity, price, fee, self._later(match)):
            return True
        # What comes first is paid first.
        return any(
            not self._ledger.lacks_shares(each.resting.order) for each in self._held
        ) and self._ledger.takes_cash(order, quantity)

    def _settle(self, *, is_over: bool) -> list[ExecutionReport]:
        """Work the orders that are held, in their order, as far as they are paid for now.

        Args:
            is_over: Whether nothing more is freed at their instant, so that none goes on waiting.
        """
        reports: list[ExecutionReport] = []
        while self._held:
            held, self._held = self._held, []
            for each in held:
                if not self._works(each.resting) or each.match is None:
                    continue
                quantity = fillable(each.resting, each.bar, self.policy, FillCounters())
                if self._must_hold(each, each.match, quantity):
                    self._held.append(each)
                else:
                    reports += self._take_late_turn(each)
            if len(self._held) == len(held):
                if not is_over:
                    break
                reports += self._take_late_turn(self._held.pop(0))
        return reports

    def _take_late_turn(self, turn: _Turn) -> Iterator[ExecutionReport]:
        yield from self._take_turn(turn, may_hold=False)
        symbol = turn.resting.order.symbol
        if symbol in self._brackets:
            yield from self._protect(symbol, turn.bar, turn.hours)

    def _may_free(self, bar: ExactBar) -> bool:
        """Whether an order at the market in another symbol, whose bar is still to come, may pay."""
        symbols = {each.resting.order.symbol for each in self._held}
        return any(
            resting.order.symbol not in symbols
            and (resting.order.type is OrderType.MARKET or resting.is_triggered)
            and resting.submitted <= bar.start
            and self._ledger.frees(resting.order)
            for resting in self._book.working()
        )

    def _later(self, match: Match) -> Decimal:
        """Return how much of the cash was not there yet when a fill happens."""
        return self._freed_later if match.at_open else ZERO

    def _expired(self, resting: RestingOrder, bar: ExactBar) -> Iterator[ExecutionReport]:
        end = expiry(resting) or bar.end
        return self._ended(resting, TradeUpdate.EXPIRED, end, why_expired(resting.order))


def _in_order(turns: list[_Turn]) -> tuple[list[_Turn], list[_Turn]]:
    """Return the orders up to the last that is filled at the open, and those that come later.

    What is filled within the bar comes later: the nearer price first where the price falls or rises
    to both. Else the orders stay as they came.
    """
    if len(turns) < 2:
        is_within = any(each.match is not None and not each.match.at_open for each in turns)
        return ([], turns) if is_within else (turns, [])
    last = -1
    for place, each in enumerate(turns):
        if each.match is not None and each.match.at_open:
            last = place
    first: list[_Turn] = []
    within: list[_Turn] = []
    for each in turns[: last + 1]:
        (first if each.match is None or each.match.at_open else within).append(each)
    within += turns[last + 1 :]
    within.sort(key=lambda each: each.match is not None and each.match.at_close)
    for is_rising in (True, False):
        places = [place for place, each in enumerate(within) if _is_on_way(each, is_rising)]
        if len(places) > 1:
            nearest = sorted((within[place] for place in places), key=_price, reverse=not is_rising)
            for place, each in zip(places, nearest, strict=True):
                within[place] = each
    return first, within


def _is_on_way(turn: _Turn, is_rising: bool) -> bool:
    match = turn.match
    if match is None or match.high_ahead == match.low_ahead:
        return False
    return match.high_ahead is is_rising


def _price(turn: _Turn) -> Decimal:
    return ZERO if turn.match is None else turn.match.price
