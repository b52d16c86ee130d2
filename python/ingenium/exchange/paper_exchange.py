"""The simulated exchange: orders in, bars in, reports out. No I/O and no clock of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from msgspec.structs import replace

from ingenium.events import OrderType, Side, TimeInForce, TradeUpdate
from ingenium.exchange.admission import expected_price, last_price, objection
from ingenium.exchange.bar import ExactBar
from ingenium.exchange.bracket import Bracket
from ingenium.exchange.calendars import Calendar
from ingenium.exchange.fees import FeeModel, NoFees
from ingenium.exchange.hours import BarHours, TradingHours, Turn, expiry, why_expired
from ingenium.exchange.ledger import Ledger
from ingenium.exchange.matching import AUCTIONS, MATCHERS, Match, trail
from ingenium.exchange.policy import FillPolicy
from ingenium.exchange.replacing import replaced_leg, replaced_order
from ingenium.exchange.resting import RestingOrder
from ingenium.exchange.saving import ExchangeBooks
from ingenium.exchange.slippage import NoSlippage, SlippageModel, slipped
from ingenium.exchange.volume import fillable
from ingenium.trading import Bar, Order
from ingenium.trading.money import EXACT, ZERO, Number
from ingenium.trading.report import Report

__all__ = ["PaperExchange"]

# A tuple, as the hash of a member is slow.
_AT_ONCE = (TimeInForce.IOC, TimeInForce.FOK)
# A member of an enumeration is looked up slowly.
_SLEEP, _WORK, _OVER = Turn.SLEEP, Turn.WORK, Turn.OVER
_FOK = TimeInForce.FOK
_BUY = Side.BUY
_TRAILING_STOP = OrderType.TRAILING_STOP
_NEW, _ACCEPTED = TradeUpdate.NEW, TradeUpdate.ACCEPTED
_FILLED, _PARTIAL_FILL = TradeUpdate.FILLED, TradeUpdate.PARTIAL_FILL


class PaperExchange(ExchangeBooks):
    """Fills orders from bars, by the rules of ``docs/exchange.md``.

    An order that comes at a time t can be filled by bars of its symbol that start at t or later,
    so never by the bar whose end caused it. Orders of one symbol are matched in the order in
    which they came. Every report that an order causes is returned by the call that causes it.

    Args:
        policy: The rules that can be chosen.
        fees: What a fill costs; nothing when left out.
        slippage: How far market fills slip; not at all when left out.
        calendar: When there is trading, for all symbols or by symbol. A symbol without one is
            traded whenever it has a bar, and its sessions are days in UTC.
        cash: What the account may spend; ``None`` for no limit.
        allow_short: Whether the account may sell what it does not hold.

    Raises:
        ConfigError: The cash is negative or no finite number.
    """

    def __init__(
        self,
        policy: FillPolicy | None = None,
        *,
        fees: FeeModel | None = None,
        slippage: SlippageModel | None = None,
        calendar: Calendar | Mapping[str, Calendar] | None = None,
        cash: Number | None = None,
        allow_short: bool = True,
    ) -> None:
        super().__init__(Ledger(cash, allow_short=allow_short))
        self.policy = policy or FillPolicy()
        self.fees = fees or NoFees()
        self.slippage = slippage or NoSlippage()
        self._hours = TradingHours(calendar)
        # Looked up for each bar.
        self._orders, self._brackets = self._book.orders, self._book.brackets

    @property
    def working(self) -> Sequence[Order]:
        """The orders that work now, by symbol and in the order in which they came."""
        book = self._book
        return [resting.order for resting in (*book.working(), *book.protective())]

    def order(self, order_id: str) -> Order | None:
        """Return an order that works or is held; ``None`` when there is none of that id."""
        found = self._book.get(order_id) or (self._book.leg(order_id) or (None, None))[1]
        return None if found is None else found.order

    def why_unknown(self, order_id: str) -> str:
        """Say why `order` does not know an id."""
        return (
            f"order {order_id!r} {'has ended' if self._book.has_seen(order_id) else 'is unknown'}"
        )

    def is_waiting(self, symbol: str, close: str | Bar = "") -> bool:
        """Take note of a symbol's last price, and say whether an order waits for its bars.

        Where none does, the bar need not be parsed and `on_bar` need not be called.

        Args:
            symbol: The symbol that has a bar.
            close: Its close as the event writes it, or the bar that holds it.
        """
        self._closes[symbol] = close
        return symbol in self._orders or symbol in self._brackets

    def submit(self, order: Order, now: datetime) -> list[Report]:
        """Take an order.

        An order whose id has been here before is passed over: it was sent again.

        Args:
            order: The order; it has an id.
            now: When it comes, UTC.

        Returns:
            That it works, waits for its exchange to open, or is rejected and why.
        """
        if not self._book.is_new(order.id):
            self.notes.repeated_orders += 1
            return []
        last = self._close(order.symbol)
        reason = objection(order, last)
        resting = RestingOrder(order, now)
        reason = reason or self._unaffordable(resting, last)
        if reason:
            return [Report(order, TradeUpdate.REJECTED, now, reason=reason)]
        if order.type is _TRAILING_STOP and (price := last_price(last)) is not None:
            trail(resting, price)
        self._book.add(resting)
        reports = [self._welcome(resting, now)]
        if order.is_bracket:
            bracket = Bracket(order, now)
            self._book.add_bracket(bracket)
            reports += [Report(leg.order, TradeUpdate.HELD, now) for leg in bracket.legs]
        return reports

    def cancel(
        self, order_id: str, now: datetime, reason: str = "canceled by its owner"
    ) -> list[Report]:
        """Cancel an order.

        Args:
            order_id: Its id.
            now: The present time, UTC.
            reason: What the report says.

        Returns:
            That it is canceled; nothing when no such order works.
        """
        resting = self._book.get(order_id)
        if resting is not None:
            return [*self._ended(resting, TradeUpdate.CANCELED, now, reason)]
        found = self._book.leg(order_id)
        if found is None:
            return []
        bracket, leg = found
        self._book.remove_leg(bracket, leg)
        report = Report(leg.order, TradeUpdate.CANCELED, now, reason=reason)
        return [report, *self._tidy(bracket, now)]

    def replace(self, order_id: str, order: Order, now: datetime) -> list[Report]:
        """Put an order in the place of one that works, as if it had come now.

        It keeps what was filled, and what a trailing stop has seen. Its quantity is the one in
        all. A protective order may only change its prices.

        Args:
            order_id: Id of the order to replace.
            order: The one that takes its place; it has an id of its own.
            now: The present time, UTC.

        Returns:
            That the one is replaced and the other works, or that the other is rejected and why:
            the one works on then.
        """
        if not self._book.is_new(order.id):
            self.notes.repeated_orders += 1
            return []
        last = self._close(order.symbol)
        if (resting := self._book.get(order_id)) is not None:
            new, reason = replaced_order(resting, order, now, last)
            if not reason:
                others = (other for other in self._book.working() if other is not resting)
                reason = self._unaffordable(new, last, others)
            if not reason:
                self._book.replace(resting, new)
                return [Report(resting.order, TradeUpdate.REPLACED, now), self._welcome(new, now)]
        elif (found := self._book.leg(order_id)) is not None:
            bracket, leg = found
            new, reason = replaced_leg(leg, order, now, last, is_live=bracket.is_entered)
            if not reason:
                self._book.replace_leg(bracket, leg, new)
                update = TradeUpdate.NEW if bracket.is_entered else TradeUpdate.HELD
                return [
                    Report(leg.order, TradeUpdate.REPLACED, now),
                    Report(order, update, now, new.leaves),
                ]
        else:
            reason = self.why_unknown(order_id)
        return [Report(order, TradeUpdate.REJECTED, now, reason=reason)]

    def on_bar(self, bar: Bar) -> list[Report]:
        """Match the working orders of a symbol against a bar of it.

        Returns:
            Fills, and what ended without being filled, in the order in which the orders came.

        Raises:
            DecodeError: A number of the bar cannot be read exactly; no order has been touched.
        """
        symbol = bar.symbol
        if not self.is_waiting(symbol, bar):
            return []
        exact = ExactBar(bar)
        if not exact.is_consistent:
            self.notes.inconsistent_bars += 1
        hours = self._hours.of(bar)
        reports: list[Report] = []
        for resting in list(self._orders.get(symbol, {}).values()):
            if exact.start < resting.submitted:
                continue
            turn = self._hours.turn(resting, hours)
            if turn is _SLEEP:
                continue
            if turn is not _OVER:
                reports += self._match(resting, exact)
            if turn is not _WORK and self._book.get(resting.order.id) is resting:
                reports += self._expired(resting, exact)
        if symbol in self._brackets:
            reports += self._protect(symbol, exact, hours)
        return reports

    def _match(self, resting: RestingOrder, bar: ExactBar) -> Iterator[Report]:
        order = resting.order
        time_in_force = order.time_in_force
        if not resting.is_announced:
            resting.is_announced = True
            yield Report(order, TradeUpdate.NEW, bar.start, resting.leaves)
        matcher = AUCTIONS.get(time_in_force) or MATCHERS[order.type]
        match = matcher(resting, bar, self.policy)
        quantity = ZERO if match is None else fillable(resting, bar, self.policy, self.notes)
        if time_in_force is _FOK and quantity < resting.leaves:
            quantity = ZERO
        if match is not None and quantity:
            price, fee = self._cost(resting, bar, match, quantity)
            reason = self._ledger.admit_fill(order, quantity, price, fee)
            if reason:
                update = TradeUpdate.CANCELED if resting.filled else TradeUpdate.REJECTED
                yield from self._ended(resting, update, bar.end, reason)
                return
            report = self._filled(resting, bar, match, quantity, price, fee)
            if not resting.leaves:
                self._book.remove(order)
            yield report
            yield from self._enter(order, quantity, bar, report.time)
        if resting.leaves and time_in_force in _AT_ONCE:
            reason = f"{time_in_force.value}: not filled by the first bar"
            yield from self._ended(resting, TradeUpdate.CANCELED, bar.end, reason)

    # Brackets.

    def _enter(
        self, order: Order, quantity: Decimal, bar: ExactBar, now: datetime
    ) -> Iterator[Report]:
        """Let the protective orders of an order go live for what it has filled."""
        bracket = self._book.bracket(order)
        if bracket is None:
            return
        bracket.is_entry_working = self._book.get(order.id) is not None
        if bracket.enter(quantity, bar):
            for leg in bracket.legs:
                yield Report(leg.order, TradeUpdate.NEW, now, leg.leaves)

    def _protect(self, symbol: str, bar: ExactBar, hours: BarHours) -> Iterator[Report]:
        """Match the protective orders of a symbol, and end those that have nothing to protect."""
        position = self._positions.get(symbol, ZERO)
        for bracket in list(self._brackets[symbol].values()):
            position = bracket.limit_to(position)
            if bracket.is_entered and not bracket.exposure:
                yield from self._tidy(bracket, bar.start, "the position is closed")
                continue
            found = bracket.match(bar, self.policy) if hours.admits(bracket.entry) else None
            if found is None:
                continue
            leg, match, is_ambiguous = found
            quantity = fillable(leg, bar, self.policy, self.notes)
            if quantity:
                self.notes.ambiguous_fills += is_ambiguous
                price, fee = self._cost(leg, bar, match, quantity)
                report = self._filled(
                    leg, bar, match, quantity, price, fee, is_ambiguous=is_ambiguous
                )
                bracket.reduce(quantity, by=leg)
                if bracket.is_entry_working and not leg.leaves:
                    # More of the entry may come, and this order protects it too.
                    report = replace(report, update=TradeUpdate.PARTIAL_FILL)
                yield report
                if not leg.leaves and not bracket.is_entry_working:
                    self._book.remove_leg(bracket, leg)
                yield from self._tidy(bracket, report.time)

    def _tidy(
        self,
        bracket: Bracket,
        now: datetime,
        reason: str = "the other order of its bracket was filled",
    ) -> Iterator[Report]:
        """End the protective orders of a bracket that has nothing left to protect."""
        if bracket.legs and (bracket.is_entry_working or bracket.exposure):
            return
        if not bracket.is_entered:
            reason = "its entry was not filled"
        for leg in bracket.legs:
            yield Report(leg.order, TradeUpdate.CANCELED, now, reason=reason)
        self._book.remove_bracket(bracket)

    def _close(self, symbol: str) -> str | None:
        """Return the last close of a symbol as a text; ``None`` when it has had no data."""
        close = self._closes.get(symbol)
        return close.close_text if isinstance(close, Bar) else close

    # Fills and ends.

    def _cost(
        self, resting: RestingOrder, bar: ExactBar, match: Match, quantity: Decimal
    ) -> tuple[Decimal, Decimal]:
        """Return the price of a fill after slippage, and its commission."""
        price = match.price
        if match.slips and type(self.slippage) is not NoSlippage:
            distance = self.slippage.distance(price, quantity, bar.volume)
            price = slipped(price, resting.order.side, distance)
        return price, self.fees.fee(quantity, price, is_first=not resting.filled)

    def _filled(
        self,
        resting: RestingOrder,
        bar: ExactBar,
        match: Match,
        quantity: Decimal,
        price: Decimal,
        commission: Decimal,
        *,
        is_ambiguous: bool = False,
    ) -> Report:
        order = resting.order
        resting.leaves = EXACT.subtract(resting.leaves, quantity)
        resting.filled = EXACT.add(resting.filled, quantity)
        self.notes.fills += 1
        signed = quantity if order.side is _BUY else quantity.copy_negate()
        self._positions[order.symbol] = EXACT.add(self._positions.get(order.symbol, ZERO), signed)
        self._ledger.book(order, quantity, price, commission)
        return Report(
            order,
            _PARTIAL_FILL if resting.leaves else _FILLED,
            bar.start if match.at_open else bar.end,
            resting.leaves,
            quantity,
            price,
            commission,
            is_ambiguous=is_ambiguous,
        )

    def _unaffordable(
        self,
        resting: RestingOrder,
        last: str | None,
        working: Iterator[RestingOrder] | None = None,
    ) -> str:
        """Say why the account may not send an order; empty when it may."""
        if self._ledger.forbids_nothing:
            return ""
        price = expected_price(resting.order, last_price(last))
        fee = self.fees.fee(resting.leaves, price, is_first=not resting.filled)
        return self._ledger.admit(resting, price, fee, working or self._book.working())

    def _welcome(self, resting: RestingOrder, now: datetime) -> Report:
        """Report that an order works, or that it waits for its exchange to open."""
        order = resting.order
        resting.is_announced = self._hours.is_open(order, now)
        update = _NEW if resting.is_announced else _ACCEPTED
        return Report(order, update, now, resting.leaves)

    def _expired(self, resting: RestingOrder, bar: ExactBar) -> Iterator[Report]:
        end = expiry(resting) or bar.end
        return self._ended(resting, TradeUpdate.EXPIRED, end, why_expired(resting.order))

    def _ended(
        self, resting: RestingOrder, update: TradeUpdate, now: datetime, reason: str
    ) -> Iterator[Report]:
        order = resting.order
        self._book.remove(order)
        yield Report(order, update, now, reason=reason)
        bracket = self._book.bracket(order)
        if bracket is not None:
            bracket.is_entry_working = False
            yield from self._tidy(bracket, now, "its position is closed")
