"""The simulated exchange: orders in, bars in, reports out. No I/O and no clock of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from ingenium.events import TimeInForce, TradeUpdate
from ingenium.exchange.bar import ExactBar, session_of
from ingenium.exchange.fees import FeeModel, NoFees
from ingenium.exchange.matching import MATCHERS, Match
from ingenium.exchange.notes import ExchangeNotes
from ingenium.exchange.policy import FillPolicy
from ingenium.exchange.report import Report
from ingenium.exchange.resting import RestingOrder
from ingenium.exchange.slippage import NoSlippage, SlippageModel, slipped
from ingenium.trading import Bar, Order
from ingenium.trading.money import EXACT, ZERO

__all__ = ["PaperExchange"]

_TIMES_IN_FORCE = (TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK)


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
        self._symbols: set[str] = set()

    @property
    def working(self) -> Sequence[Order]:
        """The orders that work now, by symbol and in the order in which they came."""
        return [r.order for orders in self._resting.values() for r in orders.values()]

    def is_waiting(self, symbol: str) -> bool:
        """Take note that a symbol has data, and say whether an order waits for its bars.

        Where none does, the bar need not be parsed and `on_bar` need not be called.
        """
        self._symbols.add(symbol)
        return symbol in self._resting

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
        reason = self._objection(order)
        if reason:
            return [Report(order, TradeUpdate.REJECTED, now, reason=reason)]
        self._resting.setdefault(order.symbol, {})[order.id] = RestingOrder(order, now)
        self._symbol_of[order.id] = order.symbol
        return [Report(order, TradeUpdate.NEW, now, order.quantity)]

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
        if symbol is None:
            return []
        resting = self._resting[symbol][order_id]
        return [self._ended(resting, TradeUpdate.CANCELED, now, reason)]

    def on_bar(self, bar: Bar) -> list[Report]:
        """Match the working orders of a symbol against a bar of it.

        Returns:
            Fills, and what ended without being filled, in the order in which the orders came.

        Raises:
            DecodeError: A number of the bar cannot be read exactly; no order has been touched.
        """
        self._symbols.add(bar.symbol)
        orders = self._resting.get(bar.symbol)
        if not orders:
            return []
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
                reports.append(self._expired(resting, exact.start))
                continue
            reports += self._match(resting, exact)
            if is_day and is_whole and resting.leaves:
                reports.append(self._expired(resting, exact.end))
        return reports

    def _objection(self, order: Order) -> str:
        """Say why an order is not taken; empty when it is."""
        if not order.id:
            return "order Id is missing: executions could not name it"
        if order.type not in MATCHERS:
            known = ", ".join(kind.value for kind in MATCHERS)
            return (
                f"order Type {order.type.value!r} is not worked by the paper exchange: use {known}"
            )
        if order.is_bracket:
            return (
                "order TakeProfit and StopLoss are not worked by the paper exchange: send orders "
                "of their own"
            )
        if order.time_in_force not in _TIMES_IN_FORCE:
            known = ", ".join(time.value for time in _TIMES_IN_FORCE)
            return (
                f"order TimeInForce {order.time_in_force.value!r} is not worked by the paper "
                f"exchange: use {known}"
            )
        if order.symbol not in self._symbols:
            return (
                f"order Symbol {order.symbol!r} has had no data: check the symbol, and that an "
                "ingestor sends it"
            )
        return ""

    def _match(self, resting: RestingOrder, bar: ExactBar) -> Iterator[Report]:
        order = resting.order
        match = MATCHERS[order.type](order, bar, self.policy)
        quantity = ZERO if match is None else self._quantity(resting, bar)
        if order.time_in_force is TimeInForce.FOK and quantity < resting.leaves:
            quantity = ZERO
        if match is not None and quantity:
            yield self._filled(resting, bar, match, quantity)
        if resting.leaves and order.time_in_force in {TimeInForce.IOC, TimeInForce.FOK}:
            reason = f"{order.time_in_force.value}: not filled by the first bar"
            yield self._ended(resting, TradeUpdate.CANCELED, bar.end, reason)

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
        self, resting: RestingOrder, bar: ExactBar, match: Match, quantity: Decimal
    ) -> Report:
        order = resting.order
        price = match.price
        if match.slips:
            distance = self.slippage.distance(price, quantity, bar.volume)
            price = slipped(price, order.side, distance)
        commission = self.fees.fee(quantity, price, is_first=resting.is_untouched)
        resting.leaves = EXACT.subtract(resting.leaves, quantity)
        self.notes.fills += 1
        if not resting.leaves:
            self._forget(order)
        return Report(
            order,
            TradeUpdate.PARTIAL_FILL if resting.leaves else TradeUpdate.FILLED,
            bar.start if match.at_open else bar.end,
            resting.leaves,
            quantity,
            price,
            commission,
        )

    def _expired(self, resting: RestingOrder, now: datetime) -> Report:
        return self._ended(resting, TradeUpdate.EXPIRED, now, "day: the session is over")

    def _ended(
        self, resting: RestingOrder, update: TradeUpdate, now: datetime, reason: str
    ) -> Report:
        self._forget(resting.order)
        return Report(resting.order, update, now, reason=reason)

    def _forget(self, order: Order) -> None:
        del self._symbol_of[order.id]
        orders = self._resting[order.symbol]
        del orders[order.id]
        if not orders:
            del self._resting[order.symbol]
