"""Ends orders of the journal, and collects the reports on them."""

from __future__ import annotations

from decimal import Decimal

from ingenium.brokers.journal_entry import ENDS, JournalEntry
from ingenium.brokers.journal_reports import update_event
from ingenium.brokers.journal_store import JournalStore
from ingenium.brokers.open_questions import OpenQuestions
from ingenium.events import ExecutionEvent, TradeUpdate
from ingenium.trading.money import EXACT

__all__ = ["OrderReporter"]

_NO_REASON = "the broker gave no reason"


class OrderReporter:
    """Ends orders, and collects the resulting reports and problems.

    Args:
        store: Has the orders.
        questions: Open questions about them to the broker.
    """

    def __init__(self, store: JournalStore, questions: OpenQuestions) -> None:
        self._store = store
        self._questions = questions
        self._events: list[ExecutionEvent] = []
        self._problems: list[str] = []

    def take_events(self) -> list[ExecutionEvent]:
        """Return the reports collected since the last call."""
        events, self._events = self._events, []
        return events

    def take_problems(self) -> list[str]:
        """Return the problems for an operator collected since the last call."""
        problems, self._problems = self._problems, []
        return problems

    def report(self, event: ExecutionEvent) -> None:
        """Add a report."""
        self._events.append(event)

    def warn(self, problem: str) -> None:
        """Add a problem for an operator."""
        self._problems.append(problem)

    def leaves(self, entry: JournalEntry) -> Decimal:
        """Return the remaining quantity of an order, negative when it is over-filled.

        Filled quantity of an order that it replaced counts as its own.
        """
        left = EXACT.subtract(entry.order.quantity, entry.counted)
        seen = {entry.order.id}
        before = self._store.entries.get(entry.replaces)
        while before is not None and before.order.id not in seen:
            seen.add(before.order.id)
            left = EXACT.subtract(left, before.counted)
            before = self._store.entries.get(before.replaces)
        return left

    def say(self, entry: JournalEntry, update: TradeUpdate, reason: str = "") -> None:
        """Report the status of an order, once for each update."""
        if update in entry.said:
            return
        entry.said.append(update.value)
        self._store.touch(entry.order.id)
        account = self._store.account
        self.report(update_event(account, entry.order, update, self.leaves(entry), reason))

    def note_end(self, entry: JournalEntry) -> None:
        """Warn of an order that the broker has ended without a request."""
        order = entry.order
        what = f"order {order.id} ({order.side} {order.quantity:f} {order.symbol})"
        if entry.end is TradeUpdate.REJECTED:
            entry.reason = entry.reason or _NO_REASON
            self.warn(f"{what} was rejected by the broker: {entry.reason}")
        elif entry.reason and not entry.cancel:
            self.warn(f"{what} was {entry.end} by the broker: {entry.reason}")

    def end(self, entry: JournalEntry, update: TradeUpdate, reason: str) -> None:
        """End an order without an update of the broker."""
        entry.state, entry.reason, entry.is_end_ours = ENDS[update], reason, True
        entry.needs_human = False
        self._questions.to_resend.discard(entry.order.id)
        self._store.touch(entry.order.id)
        self.say(entry, update, reason)
        self._store.prune()

    def reject(self, entry: JournalEntry, reason: str) -> None:
        """End an order that the broker has refused."""
        entry.end, entry.reason = TradeUpdate.REJECTED, reason
        self.note_end(entry)
        entry.end = None
        self.end(entry, TradeUpdate.REJECTED, entry.reason)
        self.forget_successor(entry)

    def forget_successor(self, entry: JournalEntry) -> None:
        """Drop a replacement that failed, so that the other order may get a new one."""
        old = self._store.entries.get(entry.replaces)
        if old is not None and old.successor == entry.order.id and not old.has_ended:
            old.successor = ""
            self._store.touch(old.order.id)
