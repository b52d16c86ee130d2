"""An executor at a broker: in any failure, no order is placed twice and no fill is lost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from ingenium.brokers.answers import check_adapter
from ingenium.brokers.broker import Broker
from ingenium.brokers.journal_entry import HALT, JournalEntry, OrderState
from ingenium.brokers.journal_store import PREFIX
from ingenium.brokers.order_journal import GRACE_SECONDS, OrderJournal
from ingenium.brokers.reconciler import Reconciler
from ingenium.brokers.worker import BrokerWorker
from ingenium.bus.lease import Lease
from ingenium.components.executor import Executor
from ingenium.components.executor_handle import (
    MAX_ORDER_AGE_SECONDS,
    ExecutorHandle,
    unseen_reason,
)
from ingenium.components.external_work import UnitOfWork
from ingenium.components.failpoints import Point
from ingenium.errors import InvalidOrderError, LeaseLostError, SubjectError
from ingenium.events import (
    CancelEvent,
    ExecutionEvent,
    OrderEvent,
    ReplaceEvent,
    TradeUpdate,
    TradingState,
)
from ingenium.ids import make_id
from ingenium.risk import OrderBalance
from ingenium.subjects.names import check_symbol
from ingenium.trading import Order
from ingenium.trading.money import ZERO

__all__ = ["BrokerExecutor"]

_log = logging.getLogger("ingenium.brokers")
_LISTED = 1000


class BrokerExecutor(Executor):
    """Works orders at a broker.

    Handlers only write into a journal. Once that is on the disk, the broker is called, and its
    answer is recorded before it is reported. An order whose call had no answer is looked up, and
    sent again only to a broker that accepts an id once. This executor runs live only, on a server
    with JetStream.

    Args:
        broker: The account.
        adopt: Whether the broker's state is adopted at the start where it differs from the
        journal: an operator has checked it, and wants to continue from there.
        name: See `Component`.
        timeout_seconds: Time limit of a call of the broker.
        poll_seconds: Interval at which fills are requested while orders work.
        grace_seconds: How long the broker's fills, counts and orders may contradict each other,
            because some lag behind, before that is a problem.
        compare_seconds: Interval at which positions are compared when nothing happens.

    Attributes:
        adopt: As above; ``ingenium run APP --adopt`` sets it.
        lease: Proves that this is the account's only executor; set by the runner.
        kill_state: Returns the trading state that an outside kill switch, such as a file, allows;
            set by the runner, and called right before each order.
        journal: The orders.
        balance: Orders sent, against orders received.
        problems: Problems for an operator, newest last.

    Raises:
        ComponentError: The name does not fit.
        ConfigError: An attribute of the broker is missing or of another type.
    """

    _handle: BrokerHandle

    max_order_age_seconds: float = MAX_ORDER_AGE_SECONDS
    """Older orders are not sent: they were meant for another market."""

    def __init__(
        self,
        broker: Broker,
        *,
        adopt: bool = False,
        name: str = "broker",
        timeout_seconds: float = 10.0,
        poll_seconds: float = 1.0,
        grace_seconds: float = GRACE_SECONDS,
        compare_seconds: float = 60.0,
    ) -> None:
        check_adapter(broker)
        self.broker = broker
        self.adopt = adopt
        self.lease: Lease | None = None
        self.kill_state: Callable[[], TradingState] = lambda: TradingState.ACTIVE
        self.balance = OrderBalance()
        self.journal = OrderJournal(broker.account)
        self.problems: list[str] = []
        self.timeout_seconds = timeout_seconds
        self.poll_seconds = poll_seconds
        self.grace_seconds = grace_seconds
        self.compare_seconds = compare_seconds
        self.woken = asyncio.Event()
        super().__init__(name)
        self.risk.alarm_log = self._keep_problem

    def _make_handle(self) -> BrokerHandle:
        return BrokerHandle(self, self.journal, self.balance)

    @property
    def lease_key(self) -> str:
        """The key of the lease: only one executor may work at an account."""
        return f"executor.{self.broker.account}"

    # Requests of the portfolio.

    def on_order(self, event: OrderEvent) -> None:
        """Record an order in the journal."""
        try:
            order = Order.from_event(event)
        except InvalidOrderError as error:
            self.reject(event, str(error))
            return
        if order.is_bracket:
            self.reject(
                event, "no brackets are placed at a broker: send protective orders yourself"
            )
        elif reason := self.journal.why_blocked(order.symbol):
            self.risk.alarm_if_exit(order, reason)
            self.reject(event, reason)
        else:
            self.balance.enter(order.id)
            self.journal.enter(order, self._handle.cause_time or self.now)

    def on_cancel(self, event: CancelEvent) -> None:
        """Record a request to cancel an order."""
        if reason := self.journal.ask_cancel(event.order_id, event.id):
            self.reject(event, reason)
        self.send_reports()

    def on_replace(self, event: ReplaceEvent) -> None:
        """Record the replacement of an order."""
        old = self.journal.entries.get(event.order_id)
        if old is None or old.has_ended or old.end is not None:
            what = "is unknown here" if old is None else f"has ended: it is {old.end or old.state}"
            self.reject(event, f"order {event.order_id!r} {what}")
            return
        if old.successor or old.cancel:
            what = "canceled" if old.cancel else f"replaced by {old.successor!r}"
            self.reject(event, f"order {event.order_id!r} is about to be {what}")
            return
        try:
            order = old.order.replaced_by(event)
        except InvalidOrderError as error:
            self.reject(event, str(error))
            return
        if reason := self.journal.why_blocked(order.symbol):
            self.risk.alarm_if_exit(order, reason, old.order)
            self.reject(event, reason)
            return
        self.balance.enter(order.id)
        self.journal.enter(order, self._handle.cause_time or self.now, replaces=old.order.id)

    def send_execution(self, event: ExecutionEvent) -> ExecutionEvent:
        """Send a report; its id follows from the account and its content, not from its cause."""
        if not event.id:
            event.id = make_id("exec", self.broker.account, event.order_id, event.update or "")
        return super().send_execution(event)

    # The following is called by runners.

    def committed(self) -> None:
        """Wake the worker: the changes of handlers are on the disk now."""
        self.woken.set()

    async def prepare(self, unit_of_work: UnitOfWork) -> None:
        """Reconcile the journal with the broker, before the first event.

        Raises:
            BrokerError: The broker cannot be asked.
        """
        unit_of_work.at(Point.LEASED)
        self._show_open_orders()
        await Reconciler(self, unit_of_work).prepare()

    async def work(self, unit_of_work: UnitOfWork) -> None:
        """Make the calls due in the journal, and record the broker's answers, until canceled.

        Raises:
            LeaseLostError: Another process may be this account's executor by now.
            StoreError: The journal cannot be stored.
        """
        await BrokerWorker(self, unit_of_work).run()

    # The following is for the two above; methods that send are called within `UnitOfWork.record`.

    def send_reports(self) -> None:
        """Send the reports that follow from the journal's changes."""
        for event in self.journal.take_events():
            try:
                check_symbol(event.symbol)
            except SubjectError:
                event.symbol = ""  # The order id names it.
            self.send_execution(event)
        for problem in self.journal.take_problems():
            self.report_problem(problem)

    def report_problem(self, text: str) -> None:
        """Log a line and keep it in `problems`; once while no other line comes between."""
        if text not in self.problems[-10:]:
            self._keep_problem(text)
            _log.warning("%s: %s", self.name, text)

    def _keep_problem(self, text: str) -> None:
        self.problems.append(text)
        del self.problems[:-_LISTED]

    def withhold(self, entry: JournalEntry, now: datetime) -> bool:
        """Decide at the last moment whether a new order may be sent, and end it if not.

        Returns:
            Whether it was ended.
        """
        update, reason = TradeUpdate.REJECTED, ""
        age = (now - entry.entered).total_seconds()
        if age > self.max_order_age_seconds:
            update = TradeUpdate.EXPIRED
            limit = self.max_order_age_seconds
            reason = f"it waited for {age:.1f} s, and no order is worked after {limit:g} s"
        else:
            reason = self.why_not_now(entry.order.symbol)
        if reason:
            self.risk.alarm_if_exit(entry.order, reason, self._replaced_by(entry))
        else:
            reason = self._why_not(entry)
        if reason:
            self.journal.withhold(entry.order.id, update, reason)
            self.send_reports()
        return bool(reason)

    def withhold_late(self, now: datetime) -> None:
        """End new orders that have waited too long, such as behind one that is in doubt."""
        for entry in self.late_ones(now):
            self.withhold(entry, now)

    def late_ones(self, now: datetime) -> list[JournalEntry]:
        """Return the orders that have not been sent and are too old to be."""
        return [
            entry
            for entry in self.journal.open.values()
            if entry.state is OrderState.NEW
            and (now - entry.entered).total_seconds() > self.max_order_age_seconds
        ]

    def why_not_now(self, symbol: str) -> str:
        """Return why no order may be sent at this moment; empty when one may.

        Raises:
            LeaseLostError: Another process may be this account's executor by now.
        """
        self.check_lease()
        if self.is_halted:
            return "trading is halted"
        if self.risk.gate is not None and symbol in self.risk.gate.switch.halted_symbols:
            return f"{symbol} is halted: {self.risk.gate.switch.halted_symbols[symbol].reason}"
        return self.journal.why_blocked(symbol)

    def may_send_again(self, entry: JournalEntry, now: datetime) -> bool:
        """Whether an order that may not have arrived is still wanted."""
        age = (now - entry.entered).total_seconds()
        symbol = entry.order.symbol
        return age <= self.max_order_age_seconds and not self.why_not_now(symbol)

    def check_lease(self) -> None:
        """Check that this is the account's only executor.

        Raises:
            LeaseLostError: Another one may have taken its place.
        """
        if self.lease is not None and not self.lease.is_valid:
            raise LeaseLostError(
                f"the lease of account {self.broker.account} has run out, so that another executor "
                "may work there: this one ends"
            )

    @property
    def is_halted(self) -> bool:
        """Whether no order may be sent, and the working ones are to be canceled."""
        if self.risk.gate is not None and self.risk.gate.switch.state is TradingState.HALTED:
            return True
        return self.kill_state() is TradingState.HALTED

    def cancel_all(self) -> None:
        """Request to cancel working orders, and end unsent ones: trading is halted."""
        for order_id, entry in list(self.journal.open.items()):
            if entry.state is OrderState.NEW:
                self.risk.alarm_if_exit(entry.order, "trading is halted", self._replaced_by(entry))
                self.journal.withhold(order_id, TradeUpdate.REJECTED, "trading is halted")
            elif not entry.cancel:
                self.journal.ask_cancel(order_id, HALT)
        self.send_reports()

    def needs_cancel_all(self) -> bool:
        """Whether there is a working order that a halt has not reached yet."""
        return any(
            entry.state is OrderState.NEW or (not entry.cancel and entry.end is None)
            for entry in self.journal.open.values()
        )

    def halt_all(self, reason: str) -> None:
        """Halt all trading: the state at the broker differs from the journal."""
        self.report_problem(reason)
        self.risk.halt(reason)

    def adopt_book(self) -> None:
        """Give the journal's positions to the risk gate."""
        if self.risk.gate is None:
            return
        for symbol in {*self.journal.positions, *self.risk.account.account.positions}:
            price = self.journal.prices.get(symbol) or self.risk.account.account.price(symbol)
            if price is None:
                self.report_problem(
                    f"position in {symbol} has no price yet: risk limits do not count it"
                )
            else:
                self.risk.account.adopt(symbol, self.journal.positions.get(symbol, ZERO), price)

    def reject_cancel(self, entry: JournalEntry, request: str, reason: str) -> None:
        """Report that an order was not canceled."""
        if request and request != HALT:
            order = entry.order
            self.reject(CancelEvent(id=request, order_id=order.id, symbol=order.symbol), reason)

    def _replaced_by(self, entry: JournalEntry) -> Order | None:
        old = self.journal.entries.get(entry.replaces)
        return None if old is None else old.order

    def _show_open_orders(self) -> None:
        """Give the orders sent before a restart to the risk gate."""
        orders = self.risk.account.orders
        for order_id, entry in self.journal.open.items():
            is_new = entry.state is OrderState.NEW
            if self.risk.gate is None or is_new or orders.active(order_id) is not None:
                continue
            self.risk.account.take(entry.order)
            orders.working.fill(order_id, entry.filled)

    def _why_not(self, entry: JournalEntry) -> str:
        """Return why an order may not be sent; empty when it may, and it then counts as sent."""
        old = self.journal.entries.get(entry.replaces)
        if old is not None and (not old.is_at_broker or old.end is not None):
            return f"order {entry.replaces!r} has ended: it is {old.end or old.state}"
        if denial := self.risk.admit(entry.order, replaces=None if old is None else old.order):
            return str(denial)
        if problem := self.balance.submit(entry.order.id):
            self.halt_all(problem)
            return problem
        return ""


class BrokerHandle(ExecutorHandle):
    """Handle of an executor at a broker.

    Its rows, beside those of every executor, are those of the journal.

    Args:
        executor: The executor.
        journal: Its orders.
        balance: Orders sent, against orders received.
    """

    works_at_broker: ClassVar[bool] = True

    def __init__(
        self, executor: BrokerExecutor, journal: OrderJournal, balance: OrderBalance
    ) -> None:
        super().__init__(executor)
        self._broker_executor = executor
        self._journal = journal
        self._balance = balance

    def report_problem(self, text: str) -> None:
        """Log a line and keep it in `BrokerExecutor.problems`."""
        self._broker_executor.report_problem(text)

    def left_of(self, order_id: str) -> Decimal:
        """Return the remaining quantity of an order that has not ended; 0 for others."""
        entry = self._journal.open.get(order_id)
        return ZERO if entry is None else max(self._journal.leaves(entry), ZERO)

    def state_rows(self) -> dict[str, bytes]:
        """Return the complete state of this executor."""
        return super().state_rows() | self._journal.rows()

    def changed_rows(self) -> dict[str, bytes | None]:
        """Return the rows that have changed since the last call; all of them the first time."""
        return super().changed_rows() | self._journal.changed_rows()

    def restore_rows(self, rows: Mapping[str, bytes]) -> None:
        """Restore the rows of `state_rows`.

        Raises:
            ConfigError: They are the journal of another account.
            ComponentError: A row cannot be read.
        """
        self._journal.restore({k: v for k, v in rows.items() if k.startswith(PREFIX)})
        for entry in self._journal.open.values():
            self._balance.enter(entry.order.id)
        super().restore_rows({k: v for k, v in rows.items() if not k.startswith(PREFIX)})

    def learn_positions(self, positions: Mapping[str, Decimal]) -> None:
        """Begin the journal with the portfolios' positions, so that they are not adopted twice."""
        for symbol, quantity in positions.items():
            self._journal.move(symbol, quantity)

    def end_unseen(self, order: Order, update: TradeUpdate, reports: Sequence[str]) -> None:
        """Take in an order from before the first start; it is not sent, but the broker may have it.

        An order with reports is looked up. Any other is reported as expired, and canceled if the
        broker has it.
        """
        if update is not TradeUpdate.EXPIRED or order.id in self._journal.entries:
            super().end_unseen(order, update, reports)
            return
        self._balance.enter(order.id)
        self._journal.enter(order, self.now)
        if reports:
            self._journal.seen_elsewhere(order.id, self.now, reports)
        else:
            self._journal.withhold(order.id, update, unseen_reason(was_reported=False))
        self._broker_executor.send_reports()
