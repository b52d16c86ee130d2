"""The simulated exchange: orders in, bars in, reports out. No I/O and no clock of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from ingenium.events import OrderType, Side, TimeInForce, TradeUpdate
from ingenium.exchange.admission import last_price, objection
from ingenium.exchange.bar import ExactBar, session_of
from ingenium.exchange.bracket import Bracket
from ingenium.exchange.fees import FeeModel, NoFees
from ingenium.exchange.matching import MATCHERS, Match, trail
from ingenium.exchange.notes import ExchangeNotes
from ingenium.exchange.policy import FillPolicy
from ingenium.exchange.report import Report
from ingenium.exchange.resting import RestingOrder
from ingenium.exchange.slippage import NoSlippage, SlippageModel, slipped
from ingenium.trading import Bar, Order
from ingenium.trading.money import EXACT, ZERO

__all__ = ["PaperExchange"]


class PaperExchange:
    """Fills orders from bars, by the rules of ``docs/exchange.md``.

    An order that comes at a time t can be filled by bars of its symbol that start at t or later,
    so never by the bar whose end caused it. Orders of one symbol are matched in the order in
    which they came. Every report that an order causes is returned by the call that causes it.

    Args:
        policy: The rules that can be chosen.
        fees: What a fill costs; nothing when left out.
        slippage: How far market fills slip; not at all when left out.
    """

    def __init__(
        self,
        policy: FillPolicy | None = None,
        *,
        fees: FeeModel | None = None,
        slippage: SlippageModel | None = None,
    ) -> None:
        self.policy = policy or FillPolicy()
        self.fees = fees or NoFees()
        self.slippage = slippage or NoSlippage()
        self.notes = ExchangeNotes()
        """Counts of what flatters the result, or casts doubt on it."""
        self._resting: dict[str, dict[str, RestingOrder]] = {}
        self._symbol_of: dict[str, str] = {}
        self._known_ids: set[str] = set()
        self._brackets: dict[str, dict[str, Bracket]] = {}
        self._positions: dict[str, Decimal] = {}
        self._closes: dict[str, str] = {}

    @property
    def working(self) -> Sequence[Order]:
        """The orders that work now, by symbol and in the order in which they came."""
        own = [r.order for orders in self._resting.values() for r in orders.values()]
        return own + [
            leg.order
            for brackets in self._brackets.values()
            for bracket in brackets.values()
            for leg in bracket.legs
            if leg.leaves
        ]

    def is_waiting(self, symbol: str, close: str = "") -> bool:
        """Take note of a symbol's last price, and say whether an order waits for its bars.

        Where none does, the bar need not be parsed and `on_bar` need not be called.

        Args:
            symbol: The symbol that has a bar.
            close: Its close, as the event writes it.
        """
        self._closes[symbol] = close
        return symbol in self._resting or symbol in self._brackets

    def submit(self, order: Order, now: datetime) -> list[Report]:
        """Take an order.

        An order whose id has been here before is passed over: it was sent again.

        Args:
            order: The order; it has an id.
            now: When it comes, UTC.

        Returns:
            That it works, or that it is rejected and why.
        """
        if order.id and order.id in self._known_ids:
            self.notes.repeated_orders += 1
            return []
        self._known_ids.add(order.id)
        last = self._closes.get(order.symbol)
        reason = objection(order, last)
        if reason:
            return [Report(order, TradeUpdate.REJECTED, now, reason=reason)]
        resting = RestingOrder(order, now)
        price = last_price(last)
        if order.type is OrderType.TRAILING_STOP and price is not None:
            trail(resting, price)
        self._resting.setdefault(order.symbol, {})[order.id] = resting
        self._symbol_of[order.id] = order.symbol
        reports = [Report(order, TradeUpdate.NEW, now, order.quantity)]
        if order.is_bracket:
            bracket = Bracket(order, now)
            self._brackets.setdefault(order.symbol, {})[order.id] = bracket
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
        symbol = self._symbol_of.get(order_id)
        if symbol is not None:
            resting = self._resting[symbol][order_id]
            return [*self._ended(resting, TradeUpdate.CANCELED, now, reason)]
        for brackets in self._brackets.values():
            for bracket in brackets.values():
                for leg in bracket.legs:
                    if leg.order.id == order_id:
                        bracket.legs.remove(leg)
                        report = Report(leg.order, TradeUpdate.CANCELED, now, reason=reason)
                        return [report, *self._tidy(bracket, now)]
        return []

    def on_bar(self, bar: Bar) -> list[Report]:
        """Match the working orders of a symbol against a bar of it.

        Returns:
            Fills, and what ended without being filled, in the order in which the orders came.

        Raises:
            DecodeError: A number of the bar cannot be read exactly; no order has been touched.
        """
        if not self.is_waiting(bar.symbol, bar.event.ohlc.close if bar.event.ohlc else ""):
            return []
        orders = self._resting.get(bar.symbol, {})
        exact = ExactBar.of(bar)
        if not exact.is_consistent:
            self.notes.inconsistent_bars += 1
        session, is_whole = session_of(bar)
        reports: list[Report] = []
        for resting in list(orders.values()):
            if exact.start < resting.submitted:
                continue
            is_day = resting.order.time_in_force is TimeInForce.DAY
            if resting.session is None:
                resting.session = session
            elif is_day and session > resting.session:
                reports += self._expired(resting, exact.start)
                continue
            reports += self._match(resting, exact)
            if is_day and is_whole and resting.leaves:
                reports += self._expired(resting, exact.end)
        if bar.symbol in self._brackets:
            reports += self._protect(bar.symbol, exact)
        return reports

    def _match(self, resting: RestingOrder, bar: ExactBar) -> Iterator[Report]:
        order = resting.order
        match = MATCHERS[order.type](resting, bar, self.policy)
        quantity = ZERO if match is None else self._quantity(resting, bar)
        if order.time_in_force is TimeInForce.FOK and quantity < resting.leaves:
            quantity = ZERO
        if match is not None and quantity:
            yield self._filled(resting, bar, match, quantity)
            yield from self._enter(order, quantity, bar, bar.start if match.at_open else bar.end)
        if resting.leaves and order.time_in_force in {TimeInForce.IOC, TimeInForce.FOK}:
            reason = f"{order.time_in_force.value}: not filled by the first bar"
            yield from self._ended(resting, TradeUpdate.CANCELED, bar.end, reason)

    # Brackets.

    def _enter(
        self, order: Order, quantity: Decimal, bar: ExactBar, now: datetime
    ) -> Iterator[Report]:
        """Let the protective orders of an order go live for what it has filled."""
        bracket = self._brackets.get(order.symbol, {}).get(order.id)
        if bracket is None:
            return
        bracket.is_entry_working = order.id in self._symbol_of
        if bracket.enter(quantity, bar):
            for leg in bracket.legs:
                yield Report(leg.order, TradeUpdate.NEW, now, leg.leaves)

    def _protect(self, symbol: str, bar: ExactBar) -> Iterator[Report]:
        """Match the protective orders of a symbol, and end those that have nothing to protect."""
        position = self._positions.get(symbol, ZERO)
        for bracket in list(self._brackets[symbol].values()):
            position = bracket.limit_to(position)
            if bracket.is_entered and not bracket.exposure:
                yield from self._tidy(bracket, bar.start, "the position is closed")
                continue
            found = bracket.match(bar, self.policy)
            if found is None:
                continue
            leg, match, is_ambiguous = found
            quantity = self._quantity(leg, bar)
            if quantity:
                self.notes.ambiguous_fills += is_ambiguous
                before = leg.leaves
                report = self._filled(leg, bar, match, quantity, is_ambiguous=is_ambiguous)
                leg.leaves = before
                bracket.reduce(quantity)
                if bracket.is_entry_working and not leg.leaves:
                    # More of the entry may come, and this order protects it too.
                    report = replace(report, update=TradeUpdate.PARTIAL_FILL)
                yield report
                if not leg.leaves and not bracket.is_entry_working:
                    bracket.legs.remove(leg)
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
        symbol = bracket.entry.symbol
        del self._brackets[symbol][bracket.entry.id]
        if not self._brackets[symbol]:
            del self._brackets[symbol]

    # Fills and ends.

    def _quantity(self, resting: RestingOrder, bar: ExactBar) -> Decimal:
        """Return how much of an order a bar can fill; at most what the volume cap allows."""
        cap = self.policy.volume_cap
        if cap is None:
            return resting.leaves
        if bar.volume <= 0:
            self.notes.uncapped_fills += 1
            return resting.leaves
        allowed = EXACT.multiply(cap, bar.volume)
        if allowed >= resting.leaves:
            return resting.leaves
        allowed = resting.rounded(allowed)
        if allowed:
            self.notes.capped_fills += 1
        else:
            self.notes.skipped_fills += 1
        return allowed

    def _filled(
        self,
        resting: RestingOrder,
        bar: ExactBar,
        match: Match,
        quantity: Decimal,
        *,
        is_ambiguous: bool = False,
    ) -> Report:
        order = resting.order
        price = match.price
        if match.slips:
            distance = self.slippage.distance(price, quantity, bar.volume)
            price = slipped(price, order.side, distance)
        commission = self.fees.fee(quantity, price, is_first=resting.is_untouched)
        resting.leaves = EXACT.subtract(resting.leaves, quantity)
        self.notes.fills += 1
        signed = quantity if order.side is Side.BUY else quantity.copy_negate()
        self._positions[order.symbol] = EXACT.add(self._positions.get(order.symbol, ZERO), signed)
        if not resting.leaves and order.id in self._symbol_of:
            self._forget(order)
        return Report(
            order,
            TradeUpdate.PARTIAL_FILL if resting.leaves else TradeUpdate.FILLED,
            bar.start if match.at_open else bar.end,
            resting.leaves,
            quantity,
            price,
            commission,
            is_ambiguous=is_ambiguous,
        )

    def _expired(self, resting: RestingOrder, now: datetime) -> Iterator[Report]:
        return self._ended(resting, TradeUpdate.EXPIRED, now, "day: the session is over")

    def _ended(
        self, resting: RestingOrder, update: TradeUpdate, now: datetime, reason: str
    ) -> Iterator[Report]:
        order = resting.order
        self._forget(order)
        yield Report(order, update, now, reason=reason)
        bracket = self._brackets.get(order.symbol, {}).get(order.id)
        if bracket is not None:
            bracket.is_entry_working = False
            yield from self._tidy(bracket, now)

    def _forget(self, order: Order) -> None:
        del self._symbol_of[order.id]
        orders = self._resting[order.symbol]
        del orders[order.id]
        if not orders:
            del self._resting[order.symbol]
