"""The simulated exchange: takes orders and bars, returns reports. No I/O, no clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, KeysView, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal

from ingenium.events import OrderType, TradeUpdate
from ingenium.exchange.bracket import Bracket
from ingenium.exchange.calendars import Calendar
from ingenium.exchange.exchange_books import ExchangeBooks
from ingenium.exchange.fees import FeeModel, NoFees
from ingenium.exchange.fill_booker import FillBooker
from ingenium.exchange.fill_counters import FillCounters
from ingenium.exchange.fill_policy import FillPolicy
from ingenium.exchange.ledger import Ledger
from ingenium.exchange.matching import trail
from ingenium.exchange.matching_engine import MatchingEngine
from ingenium.exchange.protective_orders import ProtectiveOrders
from ingenium.exchange.replace import replaced_leg, replaced_order
from ingenium.exchange.resting_order import RestingOrder
from ingenium.exchange.slippage import NoSlippage, SlippageModel
from ingenium.exchange.snapshot import ExchangeSnapshot
from ingenium.exchange.trading_hours import TradingHours
from ingenium.exchange.validation import expected_price, last_price, objection
from ingenium.state.rows import LogRow
from ingenium.trading import Bar, Order
from ingenium.trading.execution_report import ExecutionReport
from ingenium.trading.money import ZERO, Number

__all__ = ["PaperExchange"]

_TRAILING_STOP = OrderType.TRAILING_STOP
_NEW, _ACCEPTED = TradeUpdate.NEW, TradeUpdate.ACCEPTED


class PaperExchange:
    """Fills orders from bars, by the rules of ``docs/exchange.md``.

    An order that arrives at a time t can be filled by bars of its symbol that start at t or later,
    so never by the bar whose end caused it. Orders of one symbol are matched in order of arrival.
    Every report that an order causes is returned by the call that causes it.

    Args:
        policy: The fill policy.
        fees: The fee model; no fees when omitted.
        slippage: The slippage model of market fills; no slippage when omitted.
        calendar: Trading calendar, for all symbols or by symbol. A symbol without one is traded
            whenever it has a bar, and its sessions are days in UTC.
        cash: Cash that the account may spend; ``None`` for no limit.
        allow_short: Whether the account may sell more than it holds.
        on_insufficient_cash: Treatment of an order that the account cannot pay for in full at the
            price of its fill, or that sells more than is held where that is not allowed:
            ``"reduce"`` fills the part it can pay for, in whole shares for an order of whole
            shares, and cancels the rest; ``"reject"`` rejects the order.

    Raises:
        ConfigError: The cash is negative or not a finite number; ``on_insufficient_cash`` is
            invalid.
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
        self._books = ExchangeBooks(ledger)
        self._book = self._books.working
        # Cached, since they are read for each bar.
        self._orders, self._brackets = self._book.orders, self._book.brackets
        self._hours = TradingHours(calendar)
        self._booker = FillBooker(
            self._books, policy or FillPolicy(), fees or NoFees(), slippage or NoSlippage()
        )
        self._protection = ProtectiveOrders(self._books, self._booker)
        self._engine = MatchingEngine(self._books, self._booker, self._protection, self._hours)
        self._snapshot = ExchangeSnapshot(self._books)

    @property
    def policy(self) -> FillPolicy:
        """The fill policy; a new one takes effect from the next bar on."""
        return self._booker.policy

    @policy.setter
    def policy(self, policy: FillPolicy) -> None:
        self._booker.policy = policy

    @property
    def fees(self) -> FeeModel:
        """The fee model."""
        return self._booker.fees

    @fees.setter
    def fees(self, fees: FeeModel) -> None:
        self._booker.fees = fees

    @property
    def slippage(self) -> SlippageModel:
        """The slippage model of market fills."""
        return self._booker.slippage

    @slippage.setter
    def slippage(self, slippage: SlippageModel) -> None:
        self._booker.slippage = slippage

    @property
    def notes(self) -> FillCounters:
        """Counts of events that flatter the result or make it doubtful."""
        return self._books.notes

    @property
    def working(self) -> Sequence[Order]:
        """The working orders, by symbol and in order of arrival."""
        book = self._book
        return [resting.order for resting in (*book.working(), *book.protective())]

    def order(self, order_id: str) -> Order | None:
        """Return a working or held order; ``None`` for an unknown id."""
        found = self._book.get(order_id) or (self._book.leg(order_id) or (None, None))[1]
        return None if found is None else found.order

    def left_of(self, order_id: str) -> Decimal:
        """Return the leaves quantity of a working or held order; 0 for others."""
        found = self._book.get(order_id) or (self._book.leg(order_id) or (None, None))[1]
        return ZERO if found is None else found.leaves

    def why_unknown(self, order_id: str) -> str:
        """Return why `order` does not know an id."""
        return (
            f"order {order_id!r} {'has ended' if self._book.has_seen(order_id) else 'is unknown'}"
        )

    # Bars.

    @property
    def is_holding(self) -> bool:
        """Whether orders are waiting for `end_instant`."""
        return self._engine.is_holding

    def waiting_symbols(self) -> list[KeysView[str]]:
        """Return live, read-only views of the symbols for whose bars an order waits.

        A backtest uses them to check `is_waiting` without a call.
        """
        return [self._orders.keys(), self._brackets.keys()]

    def is_waiting(self, symbol: str, close: str | Bar = "") -> bool:
        """Set a symbol's last price, and return whether an order waits for its bars.

        If none does, the bar need not be parsed and `on_bar` need not be called.

        Args:
            symbol: The symbol of the bar.
            close: The close in the wire format, or the bar with it.
        """
        self._books.set_close(symbol, close)
        return symbol in self._orders or symbol in self._brackets

    def set_closes(self, closes: Mapping[str, str | Bar]) -> None:
        """Set the last closes of several symbols, as `is_waiting` does for one.

        Args:
            closes: By symbol, the close in the wire format, or the bar with it.
        """
        self._books.set_closes(closes)

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
        return self._engine.on_bar(bar, knows_instants=knows_instants)

    def end_instant(self) -> list[ExecutionReport]:
        """Process the orders that waited for the other fills of their instant.

        Returns:
            Fills, as far as cash and shares allow them now, and rejections.
        """
        return self._engine.end_instant()

    # Requests.

    def submit(self, order: Order, now: datetime) -> list[ExecutionReport]:
        """Submit an order.

        An order with a known id is ignored: it was sent again.

        Args:
            order: The order, with an id.
            now: Time of arrival, UTC.

        Returns:
            A report that the order works, waits for its exchange to open, or is rejected and why.
        """
        if not self._book.is_new(order.id):
            self._books.notes.repeated_orders += 1
            return []
        last = self._books.close(order.symbol)
        reason = objection(order, last)
        resting = RestingOrder(order, now)
        reason = reason or self._unaffordable(resting, last)
        if reason:
            self._books.notes.rejected_orders += 1
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
        """Submit an order that arrives after bars that may fill it.

        Args:
            order: The order, with an id.
            time: Effective time of arrival, UTC.
            bars: The retained bars of its symbol, in time order.

        Returns:
            The reports of `submit` at that time, and those caused by the bars since then.
        """
        symbol = order.symbol
        last = self._books.closes.get(symbol)
        before = [bar for bar in bars if bar.end <= time]
        if before:
            self._books.set_close(symbol, before[-1])
        try:
            reports = self.submit(order, time)
            after = (bar for bar in bars if bar.start >= time)
            return reports + self._engine.catch_up(order.id, after)
        finally:
            if last is not None:
                self._books.set_close(symbol, last)

    def cancel(
        self, order_id: str, now: datetime, reason: str = "canceled on request"
    ) -> list[ExecutionReport]:
        """Cancel an order.

        Args:
            order_id: Id of the order.
            now: The current time, UTC.
            reason: Reason in the report.

        Returns:
            A report that the order is canceled; nothing when no such order works.
        """
        resting = self._book.get(order_id)
        if resting is not None:
            return [*self._engine.end(resting, TradeUpdate.CANCELED, now, reason)]
        found = self._book.leg(order_id)
        if found is None:
            return []
        bracket, leg = found
        self._book.remove_leg(bracket, leg)
        report = ExecutionReport(leg.order, TradeUpdate.CANCELED, now, reason=reason)
        return [report, *self._protection.tidy(bracket, now)]

    def replace(self, order_id: str, order: Order, now: datetime) -> list[ExecutionReport]:
        """Replace a working order, as if the new one had arrived now.

        The new order keeps the filled quantity, and the best price of a trailing stop. Its quantity
        is the total, including the filled part. A protective order may only change its prices.

        Args:
            order_id: Id of the order to replace.
            order: The replacement, with its own id.
            now: The current time, UTC.

        Returns:
            Reports that the old order is replaced and the new one works, or that the new one is
            rejected and why; the old one then keeps working.
        """
        if not self._book.is_new(order.id):
            self._books.notes.repeated_orders += 1
            return []
        last = self._books.close(order.symbol)
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

    def postpone(self, order_id: str, time: datetime) -> bool:
        """Move an order's effective time of arrival to a later time; return whether it works."""
        resting = self._book.get(order_id)
        if resting is not None:
            resting.submitted = max(resting.submitted, time)
        return resting is not None

    # Persistence; `ExchangeSnapshot` documents the rows.

    def state_rows(self) -> dict[str, bytes]:
        """Return the complete state of the exchange, as small JSON rows by key."""
        return self._snapshot.state_rows()

    def changed_rows(self) -> dict[str, bytes | None]:
        """Return the rows that have changed since the last call; all of them the first time.

        The cost is proportional to the symbols that had a bar or a request since.

        Returns:
            Rows by key; ``None`` for a row to delete.
        """
        return self._snapshot.changed_rows()

    def restore_rows(self, rows: Mapping[str, bytes]) -> None:
        """Restore the result of `state_rows` into an exchange that has handled nothing.

        Raises:
            ComponentError: A row is unknown or unreadable; the exchange is not new, or has other
                limits on cash and shorts.
        """
        self._snapshot.restore_rows(rows)

    def take_log(self) -> list[LogRow]:
        """Return the order ids first seen since the last call, as rows of kind ``seen``."""
        return self._snapshot.take_log()

    def restore_log(self, rows: Iterable[LogRow]) -> None:
        """Restore rows of `take_log`; all, or the newest.

        Older orders count as unknown from then on.

        Raises:
            ComponentError: A row is of another kind.
        """
        self._snapshot.restore_log(rows)

    def _unaffordable(
        self,
        resting: RestingOrder,
        last: str | None,
        working: Iterator[RestingOrder] | None = None,
    ) -> str:
        """Return why the account may not send an order; empty when it may."""
        if self._books.ledger.forbids_nothing:
            return ""
        price = expected_price(resting.order, last_price(last))
        fee = self._booker.fee(resting, resting.leaves, price)
        others = working or self._book.working()
        return self._books.ledger.admit(resting, price, fee, others, self._books.last_price)

    def _welcome(self, resting: RestingOrder, now: datetime) -> ExecutionReport:
        """Report that an order works, or that it waits for its exchange to open."""
        order = resting.order
        resting.is_announced = self._hours.is_open(order, now)
        update = _NEW if resting.is_announced else _ACCEPTED
        return ExecutionReport(order, update, now, resting.leaves)
