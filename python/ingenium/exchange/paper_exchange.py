"""The simulated exchange: orders in, bars in, reports out. No I/O and no clock of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal

from ingenium.events import OrderType, TradeUpdate
from ingenium.exchange.bracket import Bracket
from ingenium.exchange.calendars import Calendar
from ingenium.exchange.fees import FeeModel
from ingenium.exchange.fill_policy import FillPolicy
from ingenium.exchange.ledger import Ledger
from ingenium.exchange.matching import trail
from ingenium.exchange.matching_engine import MatchingEngine
from ingenium.exchange.replace import replaced_leg, replaced_order
from ingenium.exchange.resting_order import RestingOrder
from ingenium.exchange.slippage import SlippageModel
from ingenium.exchange.validation import expected_price, last_price, objection
from ingenium.trading import Bar, Order
from ingenium.trading.execution_report import ExecutionReport
from ingenium.trading.money import ZERO, Number

__all__ = ["PaperExchange"]

_TRAILING_STOP = OrderType.TRAILING_STOP
_NEW, _ACCEPTED = TradeUpdate.NEW, TradeUpdate.ACCEPTED


class PaperExchange(MatchingEngine):
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
        on_insufficient_cash: What becomes of an order that the account cannot pay for in full at
            the price of its fill, or that sells more than is held where that is not allowed:
            ``"reduce"`` fills what it can pay for, in whole shares for an order of whole shares,
            and cancels the rest; ``"reject"`` rejects it.

    Raises:
        ConfigError: The cash is negative or no finite number; ``on_insufficient_cash`` is another
            word.
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
        on_insufficient_cash: Literal["reduce", "reject"] = "reduce",
    ) -> None:
        ledger = Ledger(cash, allow_short=allow_short, on_insufficient_cash=on_insufficient_cash)
        super().__init__(policy, fees, slippage, calendar, ledger)

    @property
    def working(self) -> Sequence[Order]:
        """The orders that work now, by symbol and in the order in which they came."""
        book = self._book
        return [resting.order for resting in (*book.working(), *book.protective())]

    def order(self, order_id: str) -> Order | None:
        """Return an order that works or is held; ``None`` when there is none of that id."""
        found = self._book.get(order_id) or (self._book.leg(order_id) or (None, None))[1]
        return None if found is None else found.order

    def left_of(self, order_id: str) -> Decimal:
        """Return what is left of an order that works or is held; 0 for others."""
        found = self._book.get(order_id) or (self._book.leg(order_id) or (None, None))[1]
        return ZERO if found is None else found.leaves

    def why_unknown(self, order_id: str) -> str:
        """Say why `order` does not know an id."""
        return (
            f"order {order_id!r} {'has ended' if self._book.has_seen(order_id) else 'is unknown'}"
        )

    def submit(self, order: Order, now: datetime) -> list[ExecutionReport]:
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
            self.notes.rejected_orders += 1
            return [ExecutionReport(order, TradeUpdate.REJECTED, now, reason=reason)]
        if order.type is _TRAILING_STOP and (price := last_price(last)) is not None:
            trail(resting, price)
        self._book.add(resting)
        reports = [self._welcome(resting, now)]
        if order.is_bracket:
            bracket = Bracket(order, now)
            self._book.add_bracket(bracket)
            reports += [ExecutionReport(leg.order, TradeUpdate.HELD, now) for leg in bracket.legs]
        return reports

    def submit_late(
        self, order: Order, time: datetime, bars: Sequence[Bar]
    ) -> list[ExecutionReport]:
        """Take an order that comes after bars which may fill it.

        Args:
            order: The order; it has an id.
            time: When it counts as come, UTC.
            bars: Those of its symbol that are kept, in the order of time.

        Returns:
            What `submit` returns at that time, and what the bars since then do to the order.
        """
        symbol = order.symbol
        last = self._closes.get(symbol)
        before = [bar for bar in bars if bar.end <= time]
        if before:
            self.set_closes({symbol: before[-1]})
        try:
            reports = self.submit(order, time)
            after = (bar for bar in bars if bar.start >= time)
            return reports + self._catch_up(order.id, after)
        finally:
            if last is not None:
                self.set_closes({symbol: last})

    def cancel(
        self, order_id: str, now: datetime, reason: str = "canceled by its owner"
    ) -> list[ExecutionReport]:
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
        report = ExecutionReport(leg.order, TradeUpdate.CANCELED, now, reason=reason)
        return [report, *self._tidy(bracket, now)]

    def replace(self, order_id: str, order: Order, now: datetime) -> list[ExecutionReport]:
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
                beside = (other for other in self._book.working() if other is not resting)
                reason = self._unaffordable(new, last, beside)
            if not reason:
                self._book.replace(resting, new)
                return [
                    ExecutionReport(resting.order, TradeUpdate.REPLACED, now),
                    self._welcome(new, now),
                ]
        elif (found := self._book.leg(order_id)) is not None:
            bracket, leg = found
            others = (other for other in bracket.legs if other is not leg)
            new, reason = replaced_leg(
                leg, order, now, last, is_live=bracket.is_entered, others=others
            )
            if not reason:
                self._book.replace_leg(bracket, leg, new)
                update = TradeUpdate.NEW if bracket.is_entered else TradeUpdate.HELD
                return [
                    ExecutionReport(leg.order, TradeUpdate.REPLACED, now),
                    ExecutionReport(order, update, now, new.leaves),
                ]
        else:
            reason = self.why_unknown(order_id)
        return [ExecutionReport(order, TradeUpdate.REJECTED, now, reason=reason)]

    def _close(self, symbol: str) -> str | None:
        """Return the last close of a symbol as a text; ``None`` when it has had no data."""
        close = self._closes.get(symbol)
        return close.close_text if isinstance(close, Bar) else close

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
        fee = self._fee(resting, resting.leaves, price)
        others = working or self._book.working()
        return self._ledger.admit(resting, price, fee, others, self._last_price)

    def _last_price(self, symbol: str) -> Decimal | None:
        return last_price(self._close(symbol))

    def _welcome(self, resting: RestingOrder, now: datetime) -> ExecutionReport:
        """Report that an order works, or that it waits for its exchange to open."""
        order = resting.order
        resting.is_announced = self._hours.is_open(order, now)
        update = _NEW if resting.is_announced else _ACCEPTED
        return ExecutionReport(order, update, now, resting.leaves)
