"""Journal of an executor's orders at a broker, and the calls that are due for them.

Pure: each method applies an event, changes entries, and collects the resulting reports. The caller
writes the changed rows and the reports in one transaction, and calls the broker only after the row
that announces the call is on the disk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from ingenium.brokers.broker import BrokerFill, BrokerOrder
from ingenium.brokers.journal_entry import Call, CallKind, JournalEntry, OrderState
from ingenium.brokers.journal_store import JournalStore
from ingenium.brokers.journal_updates import JournalUpdates
from ingenium.brokers.open_questions import OpenQuestions
from ingenium.brokers.order_reporter import OrderReporter
from ingenium.events import ExecutionEvent, TradeUpdate
from ingenium.trading import Order

__all__ = ["GRACE_SECONDS", "OrderJournal"]

GRACE_SECONDS = 5.0
"""Seconds in which an order unknown to the broker may still appear there."""

_MISSES = 3


class OrderJournal:
    """The orders of one account.

    Args:
        account: Its name; part of the ids of reports.

    Attributes:
        store: The saved state.
        questions: Open questions to the broker.
        updates: Applies the broker's updates of orders.
        entries: Orders by id, of the store, as are the next four.
        open: Orders that have not ended.
        positions: Shares or units by symbol that follow from the fills.
        prices: Price of the last fill read, by symbol.
        blocked: Symbols in which no order may be sent, and why.
        held: Symbols in which no order may be sent until the broker can be asked, and why.
    """

    def __init__(self, account: str) -> None:
        self.store = JournalStore(account)
        self.questions = OpenQuestions()
        self._reporter = OrderReporter(self.store, self.questions)
        self.updates = JournalUpdates(self.store, self.questions, self._reporter)
        self.entries, self.open = self.store.entries, self.store.open
        self.positions, self.prices = self.store.positions, self.store.prices
        self.blocked = self.store.blocked
        self.held: dict[str, str] = {}

    def rows(self) -> dict[str, bytes]:
        """Return all rows, by key."""
        return self.store.rows()

    def changed_rows(self) -> dict[str, bytes | None]:
        """Return the rows changed since the last call; ``None`` for a deleted one."""
        return self.store.changed_rows()

    def restore(self, rows: Mapping[str, bytes]) -> None:
        """Restore the rows of `rows`; raises as `JournalStore.restore` does."""
        self.store.restore(rows)
        self.updates.find_gaps()

    def move(self, symbol: str, quantity: Decimal) -> None:
        """Change a position by a signed quantity that no fill explains."""
        self.store.move(symbol, quantity)

    def take_events(self) -> list[ExecutionEvent]:
        """Return the reports collected since the last call."""
        return self._reporter.take_events()

    def take_problems(self) -> list[str]:
        """Return the problems for an operator collected since the last call."""
        return self._reporter.take_problems()

    def leaves(self, entry: JournalEntry) -> Decimal:
        """Return the remaining quantity of an order, negative when it is over-filled."""
        return self._reporter.leaves(entry)

    # Updates of the broker.

    def told(self, told: BrokerOrder) -> None:
        """Apply the broker's update of an order; orders of other clients are ignored."""
        self.updates.told(told)

    def fill(self, fill: BrokerFill) -> bool:
        """Apply a fill from the broker; return whether it is new, and changes a position."""
        return self.updates.fill(fill)

    def why_blocked(self, symbol: str) -> str:
        """Return why no order in a symbol may be sent; empty when one may."""
        if symbol in self.blocked:
            return f"{symbol} is blocked: {self.blocked[symbol]}"
        if symbol in self.held:
            return f"orders in {symbol} wait: {self.held[symbol]}"
        for entry in self.open.values():
            if entry.needs_human and entry.order.symbol == symbol:
                return f"{symbol} is blocked: it is not known what became of {entry.order.id}"
        return ""

    # Requests of the portfolio.

    def enter(self, order: Order, now: datetime, *, replaces: str = "") -> None:
        """Enter an order; a known one stays as it is.

        Args:
            order: The order to submit.
            now: Start of its age, UTC.
            replaces: Id of the order of this journal that it is to replace.
        """
        if order.id in self.entries:
            return
        self.store.add(JournalEntry(order=order, entered=now, replaces=replaces))
        if replaces:
            self.entries[replaces].successor = order.id
            self.store.touch(replaces)

    def ask_cancel(self, order_id: str, who: str) -> str:
        """Record a request to cancel an order.

        Args:
            order_id: The order.
            who: Id of the request, or `HALT`.

        Returns:
            Why it cannot be canceled; empty when it can.
        """
        entry = self.entries.get(order_id)
        if entry is None:
            return f"order {order_id!r} is unknown here"
        if entry.has_ended or entry.end is not None:
            return f"order {order_id!r} has ended: it is {entry.end or entry.state}"
        if not entry.cancel:
            entry.cancel = who
            self.store.touch(order_id)
        if entry.state is OrderState.NEW:
            self._reporter.end(entry, TradeUpdate.CANCELED, "it was canceled before it was sent")
        return ""

    # Due calls.

    def symbols(self) -> list[str]:
        """Return the symbols for which calls may be due."""
        entries = [*self.open.values(), *self._uncounted_entries()]
        return list(dict.fromkeys(entry.order.symbol for entry in entries))

    def calls(self, symbol: str) -> list[Call]:
        """Return the calls that are due for a symbol, the most urgent first.

        A new order waits until the outcome of earlier ones is known.
        """
        finds: list[Call] = []
        cancels: list[Call] = []
        first_new: JournalEntry | None = None
        has_doubt = False
        for entry in list(self.open.values()):
            order_id = entry.order.id
            if entry.order.symbol != symbol:
                continue
            if entry.is_in_doubt:
                has_doubt = True
                if order_id in self.questions.to_resend:
                    finds.append(_sending(entry))
                elif entry.state is OrderState.UNKNOWN:
                    finds.append(Call(CallKind.FIND, order_id))
            elif entry.state is OrderState.NEW:
                first_new = first_new or entry
            elif order_id in self.questions.to_check and order_id in self.questions.not_canceled:
                # It may have ended without an update: repeated requests would not show that.
                finds.append(Call(CallKind.FIND, order_id))
            elif entry.cancel and not entry.is_cancel_sent and entry.end is None:
                cancels.append(Call(CallKind.CANCEL, order_id))
            elif entry.is_cancel_sent or order_id in self.questions.to_check:
                finds.append(Call(CallKind.FIND, order_id))
        finds += [
            Call(CallKind.FIND, entry.order.id)
            for entry in self._uncounted_entries()
            if entry.order.symbol == symbol
        ]
        sends = [] if first_new is None or has_doubt else [_sending(first_new)]
        return [*cancels, *finds, *sends]

    def _uncounted_entries(self) -> list[JournalEntry]:
        # The oldest orders that have ended are forgotten.
        return [self.entries[i] for i in self.questions.uncounted if i in self.entries]

    def check_all(self) -> None:
        """Look up all orders at the broker again, since an update may have been lost."""
        self.questions.to_check |= {i for i, entry in self.open.items() if entry.is_at_broker}

    # Outcomes of calls.

    def submitting(self, order_id: str) -> None:
        """Record that an order is about to be sent; the call follows once this is on the disk."""
        entry = self.entries[order_id]
        if entry.state in {OrderState.NEW, OrderState.UNKNOWN}:
            entry.state = OrderState.SUBMITTING
            self.questions.to_resend.discard(order_id)
            self.store.touch(order_id)

    def withhold(self, order_id: str, update: TradeUpdate, reason: str) -> None:
        """End an order that has not been sent.

        Args:
            order_id: An order that is new, or that was to be sent for the first time.
            update: ``REJECTED`` or ``EXPIRED``.
            reason: The reason, in words.
        """
        entry = self.entries[order_id]
        if entry.state is OrderState.NEW or (
            entry.state is OrderState.SUBMITTING and entry.unknown_since is None
        ):
            self._reporter.end(entry, update, reason)
            self._reporter.forget_successor(entry)
        elif entry.state is OrderState.SUBMITTING:
            entry.state = OrderState.UNKNOWN
            self.store.touch(order_id)

    def refused(self, order_id: str, reason: str) -> None:
        """Record that the broker refused an order."""
        entry = self.entries[order_id]
        if entry.state is OrderState.SUBMITTING and entry.unknown_since is None:
            self._reporter.reject(entry, reason)
        elif entry.state is OrderState.SUBMITTING:
            # Possibly only because the earlier attempt has used up the cash.
            entry.state, entry.refusal = OrderState.UNKNOWN, reason
            self.store.touch(order_id)
        elif entry.is_at_broker:
            self.questions.to_check.add(order_id)

    def not_sent(self, order_id: str) -> None:
        """Record that the broker could not be reached; this attempt certainly had no effect."""
        entry = self.entries[order_id]
        if entry.state is OrderState.SUBMITTING:
            # An earlier attempt may have arrived.
            is_first = entry.unknown_since is None
            entry.state = OrderState.NEW if is_first else OrderState.UNKNOWN
            self.store.touch(order_id)

    def unanswered(self, order_id: str, now: datetime, *, is_known_there: bool = False) -> None:
        """Record a call without an answer, or with the answer that the id is known already."""
        entry = self.entries[order_id]
        if entry.state is OrderState.SUBMITTING:
            entry.state = OrderState.UNKNOWN
            entry.is_known_there = entry.is_known_there or is_known_there
            entry.unknown_since = entry.unknown_since or now
            entry.misses = 0
            self.store.touch(order_id)

    def seen_elsewhere(self, order_id: str, now: datetime, reports: Sequence[str] = ()) -> None:
        """Mark a new order as sent by an executor whose journal is lost: it is looked up only.

        Args:
            order_id: The order.
            now: The present time, UTC.
            reports: Ids of the reports on it: a fill reported there is reported under its id.
        """
        self.entries[order_id].reported = list(reports)
        self.submitting(order_id)
        self.unanswered(order_id, now, is_known_there=True)

    def all_unanswered(self, now: datetime) -> None:
        """Mark all calls under way when the process ended as unanswered."""
        for entry in list(self.open.values()):
            self.unanswered(entry.order.id, now)

    def missing(self, order_id: str, now: datetime, *, idempotent: bool, may_send: bool) -> None:
        """Record that the broker does not know an order.

        Args:
            order_id: The order.
            now: The present time, UTC.
            idempotent: Whether the broker accepts an id only once.
            may_send: Whether the order is still wanted, and not too old.
        """
        entry = self.entries[order_id]
        self.questions.to_check.discard(order_id)
        if order_id in self.questions.uncounted:
            self._miss_uncounted(order_id, now)
        if entry.is_at_broker and entry.end is None:
            self._miss_known(entry, now)
        if entry.state is not OrderState.UNKNOWN:
            return
        entry.misses += 1
        self.store.touch(order_id)
        since = entry.unknown_since or now
        is_late = entry.misses >= _MISSES and now - since >= timedelta(seconds=GRACE_SECONDS)
        can_send = idempotent and not entry.is_known_there
        if can_send and may_send and not entry.cancel and not entry.refusal:
            self.questions.to_resend.add(order_id)
        elif can_send and is_late:
            self._give_up(entry)
        elif is_late and not entry.needs_human:
            entry.needs_human = True
            self._reporter.warn(
                f"order {order_id} ({entry.order.side} {entry.order.quantity:f} "
                f"{entry.order.symbol}) had no answer, and the broker does not know it: check "
                "the order at the broker, then start with --adopt to accept the broker's state"
            )

    def _miss_uncounted(self, order_id: str, now: datetime) -> None:
        since = self.questions.uncounted[order_id] or now
        self.questions.uncounted[order_id] = since
        if now - since >= timedelta(seconds=GRACE_SECONDS):
            # A broker that keeps no replaced orders: positions are compared anyway.
            del self.questions.uncounted[order_id]

    def _miss_known(self, entry: JournalEntry, now: datetime) -> None:
        """Look up an order again that the broker had and does not know, and block its symbol."""
        order = entry.order
        if order.id in self.questions.forgotten:
            return
        misses, since = self.questions.missed.get(order.id, (0, now))
        self.questions.missed[order.id] = (misses + 1, since)
        if not misses:
            self._reporter.warn(
                f"the broker no longer knows order {order.id}: check the order at the broker"
            )
        if misses + 1 < _MISSES or now - since < timedelta(seconds=GRACE_SECONDS):
            # Lists of orders may lag behind.
            self.questions.to_check.add(order.id)
            return
        self.questions.forgotten.add(order.id)
        self.updates.doubt(
            order.symbol,
            f"the broker no longer knows order {order.id} ({order.side} {order.quantity:f} "
            f"{order.symbol}, {entry.filled:f} filled): look there, then start with --adopt",
        )

    def _give_up(self, entry: JournalEntry) -> None:
        if entry.refusal:
            self._reporter.reject(entry, entry.refusal)
        elif entry.cancel:
            self._reporter.end(
                entry, TradeUpdate.CANCELED, "it was canceled before it reached the broker"
            )
        else:
            reason = "it did not reach the broker, and is too old to be sent again"
            self._reporter.end(entry, TradeUpdate.EXPIRED, reason)
        self._reporter.forget_successor(entry)

    def keep_asking(self, order_id: str) -> None:
        """Postpone sending an order again."""
        self.questions.to_resend.discard(order_id)

    def settle_by_hand(self, order_id: str) -> None:
        """Record an operator's statement that an order is not at the broker."""
        entry = self.entries[order_id]
        if entry.state is OrderState.UNKNOWN:
            self._reporter.end(
                entry,
                TradeUpdate.REJECTED,
                "the broker does not know it, as the operator confirmed",
            )
            self._reporter.forget_successor(entry)
        elif entry.is_at_broker:
            self._reporter.end(
                entry,
                TradeUpdate.CANCELED,
                "the broker no longer knows it, as the operator confirmed",
            )
            self._reporter.forget_successor(entry)

    def cancel_sent(self, order_id: str) -> None:
        """Record that the broker has accepted a request to cancel."""
        entry = self.entries[order_id]
        entry.is_cancel_sent = True
        self.store.touch(order_id)

    def cancel_refused(self, order_id: str, reason: str) -> str:
        """Record that the broker refused to cancel an order.

        Returns:
            Id of the request to reject; empty when no answer is expected.
        """
        entry = self.entries[order_id]
        self.questions.to_check.add(order_id)
        self.questions.not_canceled.add(order_id)
        if entry.has_ended:
            return ""
        who, entry.cancel = entry.cancel, ""
        self.store.touch(order_id)
        self._reporter.warn(f"the broker does not cancel order {order_id}: {reason}")
        return who


def _sending(entry: JournalEntry) -> Call:
    return Call(CallKind.REPLACE if entry.replaces else CallKind.SUBMIT, entry.order.id)
