"""What an executor knows of its orders at a broker, and what is to be done about them.

Pure: it takes what happened, changes its entries, and collects the reports that follow. Whoever
uses it writes the changed rows and the reports in one transaction, and calls the broker only after
the row that says so is on the disk.
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
"""How long an order that the broker does not know may still turn up there."""

_MISSES = 3


class OrderJournal:
    """The orders of one account.

    Args:
        account: Its name; part of the ids of what is reported.

    Attributes:
        store: All that is saved.
        questions: What the broker is to be asked.
        updates: Applies what the broker says of orders.
        entries: Orders by id: those of the store, as the next four are.
        open: Those that have not ended.
        positions: Shares or units by symbol that follow from the fills.
        prices: Of the last fill that was read, by symbol.
        blocked: Symbols in which no order may leave, and why.
        held: Symbols in which no order may leave until the broker can be asked, and why.
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
        """Return the rows that have changed since the last call; ``None`` for one that is gone."""
        return self.store.changed_rows()

    def restore(self, rows: Mapping[str, bytes]) -> None:
        """Take back what `rows` returned; raises as `JournalStore.restore` does."""
        self.store.restore(rows)
        self.updates.find_gaps()

    def move(self, symbol: str, quantity: Decimal) -> None:
        """Change a position by a quantity with its sign that no fill explains."""
        self.store.move(symbol, quantity)

    def take_events(self) -> list[ExecutionEvent]:
        """Return the reports that follow from what happened since the last call."""
        return self._reporter.take_events()

    def take_problems(self) -> list[str]:
        """Return what a person should know of what happened since the last call."""
        return self._reporter.take_problems()

    def leaves(self, entry: JournalEntry) -> Decimal:
        """Return what is left of an order, less than nothing when it is over-filled."""
        return self._reporter.leaves(entry)

    # What the broker says.

    def told(self, told: BrokerOrder) -> None:
        """The broker says how an order stands; of orders of others, nothing follows."""
        self.updates.told(told)

    def fill(self, fill: BrokerFill) -> bool:
        """The broker tells a fill; return whether it is new, and changes a position."""
        return self.updates.fill(fill)

    def why_blocked(self, symbol: str) -> str:
        """Say why no order in a symbol may leave; empty when one may."""
        if symbol in self.blocked:
            return f"{symbol} is blocked: {self.blocked[symbol]}"
        if symbol in self.held:
            return f"{symbol} has to wait: {self.held[symbol]}"
        for entry in self.open.values():
            if entry.needs_human and entry.order.symbol == symbol:
                return f"{symbol} is blocked: it is not known what became of {entry.order.id}"
        return ""

    # What the portfolio asks for.

    def enter(self, order: Order, now: datetime, *, replaces: str = "") -> None:
        """Take an order; one that is known already stays as it is.

        Args:
            order: What to submit.
            now: Since when its age counts, UTC.
            replaces: Id of the order, one of ours, whose place it is to take.
        """
        if order.id in self.entries:
            return
        self.store.add(JournalEntry(order=order, entered=now, replaces=replaces))
        if replaces:
            self.entries[replaces].successor = order.id
            self.store.touch(replaces)

    def ask_cancel(self, order_id: str, who: str) -> str:
        """Take note that an order is to be canceled.

        Args:
            order_id: Which.
            who: Id of the request, or `HALT`.

        Returns:
            Why that cannot be; empty when it can.
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
            self._reporter.end(entry, TradeUpdate.CANCELED, "it was canceled before it left")
        return ""

    # What is to be done.

    def symbols(self) -> list[str]:
        """Return the symbols for which `calls` may have something."""
        entries = [*self.open.values(), *self._uncounted_entries()]
        return list(dict.fromkeys(entry.order.symbol for entry in entries))

    def calls(self, symbol: str) -> list[Call]:
        """Return the calls that are due for a symbol, the most urgent first.

        A new order waits until it is known what became of the ones before it.
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
                # It may have ended without a word: to ask again and again would not tell.
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
        """Ask again for all that is at the broker, since an update may have been lost."""
        self.questions.to_check |= {i for i, entry in self.open.items() if entry.is_at_broker}

    # What becomes of calls.

    def submitting(self, order_id: str) -> None:
        """An order is about to be sent; the broker is called when this is on the disk."""
        entry = self.entries[order_id]
        if entry.state in {OrderState.NEW, OrderState.UNKNOWN}:
            entry.state = OrderState.SUBMITTING
            self.questions.to_resend.discard(order_id)
            self.store.touch(order_id)

    def withhold(self, order_id: str, update: TradeUpdate, reason: str) -> None:
        """End an order that has not left.

        Args:
            order_id: One that is new, or that was to be sent for the first time.
            update: ``REJECTED`` or ``EXPIRED``.
            reason: Why, in words.
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
        """The broker refuses an order."""
        entry = self.entries[order_id]
        if entry.state is OrderState.SUBMITTING and entry.unknown_since is None:
            self._reporter.reject(entry, reason)
        elif entry.state is OrderState.SUBMITTING:
            # Perhaps just because the earlier attempt has taken the money.
            entry.state, entry.refusal = OrderState.UNKNOWN, reason
            self.store.touch(order_id)
        elif entry.is_at_broker:
            self.questions.to_check.add(order_id)

    def not_sent(self, order_id: str) -> None:
        """The broker could not be reached; it has certainly not got the order this time."""
        entry = self.entries[order_id]
        if entry.state is OrderState.SUBMITTING:
            # An earlier attempt may have arrived.
            is_first = entry.unknown_since is None
            entry.state = OrderState.NEW if is_first else OrderState.UNKNOWN
            self.store.touch(order_id)

    def unanswered(self, order_id: str, now: datetime, *, is_known_there: bool = False) -> None:
        """There was no answer, or one that says that the id is known already."""
        entry = self.entries[order_id]
        if entry.state is OrderState.SUBMITTING:
            entry.state = OrderState.UNKNOWN
            entry.is_known_there = entry.is_known_there or is_known_there
            entry.unknown_since = entry.unknown_since or now
            entry.misses = 0
            self.store.touch(order_id)

    def seen_elsewhere(self, order_id: str, now: datetime, reports: Sequence[str] = ()) -> None:
        """A new order was sent by an executor whose journal is not here: it is looked up only.

        Args:
            order_id: Which.
            now: The present time, UTC.
            reports: Ids of the reports on it: a fill that they tell is reported under its id.
        """
        self.entries[order_id].reported = list(reports)
        self.submitting(order_id)
        self.unanswered(order_id, now, is_known_there=True)

    def all_unanswered(self, now: datetime) -> None:
        """The process was ended during its calls: none of them has an answer."""
        for entry in list(self.open.values()):
            self.unanswered(entry.order.id, now)

    def missing(self, order_id: str, now: datetime, *, idempotent: bool, may_send: bool) -> None:
        """The broker does not know an order.

        Args:
            order_id: Which.
            now: The present time, UTC.
            idempotent: Whether the broker takes an id only once.
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
                f"{entry.order.symbol}) had no answer, and the broker does not know it: look "
                "there, then start with --adopt to take what the broker says as the truth"
            )

    def _miss_uncounted(self, order_id: str, now: datetime) -> None:
        since = self.questions.uncounted[order_id] or now
        self.questions.uncounted[order_id] = since
        if now - since >= timedelta(seconds=GRACE_SECONDS):
            # A broker that keeps no replaced orders: positions are compared all the same.
            del self.questions.uncounted[order_id]

    def _miss_known(self, entry: JournalEntry, now: datetime) -> None:
        """The broker does not know an order that it had: ask again, and block its symbol."""
        order = entry.order
        if order.id in self.questions.forgotten:
            return
        misses, since = self.questions.missed.get(order.id, (0, now))
        self.questions.missed[order.id] = (misses + 1, since)
        if not misses:
            self._reporter.warn(f"the broker does not know order {order.id} any more: look there")
        if misses + 1 < _MISSES or now - since < timedelta(seconds=GRACE_SECONDS):
            # Lists of orders may lag behind.
            self.questions.to_check.add(order.id)
            return
        self.questions.forgotten.add(order.id)
        self.updates.doubt(
            order.symbol,
            f"the broker has forgotten order {order.id} ({order.side} {order.quantity:f} "
            f"{order.symbol}, {entry.filled:f} filled): look there, then start with --adopt",
        )

    def _give_up(self, entry: JournalEntry) -> None:
        if entry.refusal:
            self._reporter.reject(entry, entry.refusal)
        elif entry.cancel:
            self._reporter.end(
                entry, TradeUpdate.CANCELED, "it was canceled before the broker got it"
            )
        else:
            reason = "the broker never got it, and it is too late to send it again"
            self._reporter.end(entry, TradeUpdate.EXPIRED, reason)
        self._reporter.forget_successor(entry)

    def keep_asking(self, order_id: str) -> None:
        """Do not send an order again for now."""
        self.questions.to_resend.discard(order_id)

    def settle_by_hand(self, order_id: str) -> None:
        """A person says that an order is not at the broker."""
        entry = self.entries[order_id]
        if entry.state is OrderState.UNKNOWN:
            self._reporter.end(
                entry, TradeUpdate.REJECTED, "the broker does not know it, says the operator"
            )
            self._reporter.forget_successor(entry)
        elif entry.is_at_broker:
            self._reporter.end(
                entry, TradeUpdate.CANCELED, "the broker has forgotten it, says the operator"
            )
            self._reporter.forget_successor(entry)

    def cancel_sent(self, order_id: str) -> None:
        """The broker has taken a request to cancel."""
        entry = self.entries[order_id]
        entry.is_cancel_sent = True
        self.store.touch(order_id)

    def cancel_refused(self, order_id: str, reason: str) -> str:
        """The broker will not cancel an order.

        Returns:
            Id of the request, to be rejected; empty when nobody waits for an answer.
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
