"""Applies a broker's order updates and fills to the journal, and collects the reports.

Pure, like the journal. Updates may come twice, late and in any order: fills are identified by
symbol, order and the broker's id of the execution, and an order ends when the fills counted by the
broker's final update are booked.

A contradiction blocks its symbol and sets `JournalUpdates.is_doubted`: all fills are read again,
and positions are compared.
"""

from __future__ import annotations

from decimal import Decimal

from ingenium.brokers.answers import BadFill
from ingenium.brokers.broker import BrokerFill, BrokerOrder
from ingenium.brokers.journal_entry import ENDS, HALT, JournalEntry, OrderState
from ingenium.brokers.journal_reports import (
    adoption_event,
    fill_content,
    fill_event,
    why_impossible,
)
from ingenium.brokers.journal_store import JournalStore, fill_key, signed
from ingenium.brokers.open_questions import OpenQuestions
from ingenium.brokers.order_reporter import OrderReporter
from ingenium.events import TradeUpdate
from ingenium.trading.money import EXACT, ZERO

__all__ = ["JournalUpdates"]

_FILLED_BEFORE = "the order that it replaced has filled the rest"


class JournalUpdates:
    """Applies a broker's updates of orders.

    Args:
        store: Written with the results.
        questions: Open questions to the broker.
        reporter: Collects the resulting reports.

    Attributes:
        is_doubted: Whether all fills are to be read again, and positions compared; reset by the
            caller that does that.
        gaps: Orders of which the broker counts more than was booked.
        low: The broker's count of orders of which more was booked or counted before.
    """

    def __init__(
        self, store: JournalStore, questions: OpenQuestions, reporter: OrderReporter
    ) -> None:
        self._store = store
        self._questions = questions
        self._reporter = reporter
        self.is_doubted = False
        self.gaps: dict[str, None] = {}
        self.low: dict[str, Decimal] = {}

    def find_gaps(self) -> None:
        """Find the orders with gaps among the restored ones."""
        for entry in self._store.entries.values():
            self._note_gap(entry)

    def is_news(self, told: BrokerOrder) -> bool:
        """Whether `told` would change anything."""
        entry = self._store.entries.get(told.client_order_id)
        if entry is None:
            return False
        self._questions.answered(told.client_order_id)
        is_same = entry.is_at_broker and told.is_open and entry.counted <= told.filled <= entry.told
        is_said = told.update in entry.said or told.update is TradeUpdate.PARTIAL_FILL
        return not (is_same and is_said)

    def told(self, told: BrokerOrder) -> None:
        """Apply the broker's update of an order; orders of other clients are ignored."""
        entry = self._store.entries.get(told.client_order_id)
        if entry is None:
            return
        self._questions.answered(told.client_order_id)
        self._adopt(entry, told)
        self._count(entry, told.filled)
        if told.update in {TradeUpdate.ACCEPTED, TradeUpdate.HELD}:
            self._reporter.say(entry, told.update)
        elif told.update not in ENDS:
            pass  # The filled quantity follows from the fills themselves.
        elif entry.end is None and not (entry.has_ended and not entry.is_end_ours):
            entry.end = told.update
            entry.reason = told.reason
            self._store.touch(told.client_order_id)
        self._settle(entry)

    def fill(self, fill: BrokerFill) -> bool:
        """Apply a fill from the broker.

        Returns:
            Whether the fill is new, and changes a position.
        """
        entry = self._store.entries.get(fill.client_order_id) if fill.client_order_id else None
        if entry is None:
            return self._book_stranger(fill)
        if fill.id in entry.fills:
            return self._compare(entry, fill)
        entry.fills.append(fill.id)
        entry.contents[fill.id] = fill_content(fill)
        self._store.touch(fill.client_order_id)
        problem = why_impossible(entry.order, fill)
        if not problem:
            if entry.is_in_doubt or entry.state is OrderState.NEW or entry.is_end_ours:
                self._arrive(entry)
            if entry.excused >= fill.quantity:
                return self._book_excused(entry, fill)
            entry.filled = EXACT.add(entry.filled, fill.quantity)
            self._note_gap(entry)
            self._store.move(fill.symbol, signed(fill.side, fill.quantity))
            if self._reporter.leaves(entry) < 0:
                problem = f"more is filled than the {entry.order.quantity:f} of its order"
        is_open = entry.end is None and not entry.has_ended
        leaves = max(self._reporter.leaves(entry), ZERO)
        update = TradeUpdate.PARTIAL_FILL if leaves else TradeUpdate.FILLED
        self._reporter.report(
            fill_event(
                self._store.account, entry, fill, update, leaves if is_open else ZERO, problem
            )
        )
        if problem:
            self.doubt(
                entry.order.symbol, f"fill {fill.id} of order {fill.client_order_id}: {problem}"
            )
        self._settle(entry, is_told=update is TradeUpdate.FILLED)
        self._settle_successors(entry)
        return not problem

    def _book_excused(self, entry: JournalEntry, fill: BrokerFill) -> bool:
        """Record a late fill whose quantity was already adopted with the positions."""
        entry.filled = EXACT.add(entry.filled, fill.quantity)
        entry.excused = EXACT.subtract(entry.excused, fill.quantity)
        self._reporter.warn(
            f"fill {fill.id} of order {entry.order.id} ({fill_content(fill)}) is listed late: "
            "the adopted positions already contain it, so it is not booked again"
        )
        return False

    def refuse_fill(self, bad: BadFill) -> bool:
        """Record a fill of the broker's adapter that cannot be booked.

        Returns:
            Whether the fill is new, and names no symbol that could be blocked.
        """
        if bad.key in self._store.unbookable:
            return False
        self._store.add_unbookable(bad.key, bad.text)
        entry = self._store.entries.get(bad.order_id)
        symbol = bad.symbol if entry is None else entry.order.symbol
        order = f" (order {bad.order_id})" if bad.order_id else ""
        self.doubt(symbol, f"{bad.text}{order}")
        return not symbol

    def doubt(self, symbol: str, problem: str) -> None:
        """Block a symbol, if it is known, and request a full check."""
        self._reporter.warn(problem)
        self.is_doubted = True
        if symbol:
            self._store.block(symbol, problem)

    def excuse(self, order_id: str, found: BrokerOrder) -> None:
        """Accept the broker's count as filled, by an operator's decision, whatever its fills."""
        entry = self._store.entries[order_id]
        if found.filled == entry.counted and entry.told <= found.filled:
            return
        entry.excused = EXACT.subtract(found.filled, entry.filled)
        entry.told = found.filled
        self.low.pop(order_id, None)
        self._note_gap(entry)
        self._store.touch(order_id)
        if not found.is_open and not entry.has_ended:
            # No report of a fill will end it.
            entry.end = entry.end or TradeUpdate.CANCELED
            entry.reason = entry.reason or (
                f"the broker counts {found.filled:f} as filled and lists {entry.filled:f}: the "
                "operator has taken its positions"
            )
            entry.state = ENDS[entry.end]
            self._reporter.say(entry, entry.end, entry.reason)
            self._reporter.forget_successor(entry)
            self._store.prune()

    def tell_adopted(
        self, symbol: str, difference: Decimal, cause: str, price: Decimal | None
    ) -> None:
        """Report the part of a position that no order of this app explains.

        Args:
            symbol: Name of the instrument.
            difference: How much more the broker has than the journal.
            cause: Distinguishes this adoption from others.
            price: Its price, if known.
        """
        event = adoption_event(self._store.account, symbol, difference, cause, price)
        self._reporter.report(event)

    def _count(self, entry: JournalEntry, filled: Decimal) -> None:
        """Record the quantity of an order that the broker counts as filled."""
        order_id = entry.order.id
        if filled < entry.told or filled < entry.counted:
            # An old update may come late, so the order is looked up before this is a problem.
            self.low[order_id] = filled
        else:
            self.low.pop(order_id, None)
        if filled > entry.told:
            entry.told = filled
            self._store.touch(order_id)
            most = EXACT.add(self._reporter.leaves(entry), entry.counted)
            if filled > most:
                self.doubt(
                    entry.order.symbol,
                    f"the broker counts {filled:f} of order {order_id} as filled, of at most "
                    f"{most:f}",
                )
        self._note_gap(entry)

    def _note_gap(self, entry: JournalEntry) -> None:
        if entry.told > entry.counted:
            self.gaps[entry.order.id] = None
        else:
            self.gaps.pop(entry.order.id, None)

    def _compare(self, entry: JournalEntry, fill: BrokerFill) -> bool:
        """Compare a fill with the booked content under its id.

        Returns:
            Whether the fill is a different one, and new.
        """
        content = fill_content(fill)
        booked = entry.contents.get(fill.id, content)
        clash = f"{fill.id}: {content}"
        if content == booked or clash in entry.clashes:
            return False
        entry.clashes.append(clash)
        self._store.touch(entry.order.id)
        self.doubt(
            entry.order.symbol,
            f"fill {fill.id} of order {entry.order.id} is {content}, and {booked} was booked under "
            "that id: the second one is not booked",
        )
        return True

    def _adopt(self, entry: JournalEntry, told: BrokerOrder) -> None:
        """Record that the broker has an order, which may have been in doubt."""
        order = entry.order
        if (told.symbol, told.side) != (order.symbol, order.side) or (
            told.quantity != order.quantity and not entry.replaces
        ):
            problem = (
                f"order {order.id} is {order.side} {order.quantity:f} {order.symbol}, and the "
                f"broker has {told.side} {told.quantity:f} {told.symbol} under that id"
            )
            if order.symbol not in self._store.blocked:
                self.doubt(order.symbol, problem)
        if entry.is_in_doubt or entry.state is OrderState.NEW:
            if told.update is TradeUpdate.REJECTED:
                entry.state = OrderState.SUBMITTED
                self._clear_doubt(entry)
            else:
                self._arrive(entry)
        elif entry.is_end_ours and told.is_open:
            self._arrive(entry)

    def _arrive(self, entry: JournalEntry) -> None:
        """Mark an order as at the broker, whatever its state was."""
        order_id = entry.order.id
        if entry.is_end_ours:
            self._reporter.warn(
                f"order {order_id} was ended as {entry.state}, but is working at the broker: it "
                "will be canceled"
            )
            entry.end, entry.is_end_ours = None, False
            entry.cancel, entry.is_cancel_sent = entry.cancel or HALT, False
        entry.state = OrderState.SUBMITTED
        self._clear_doubt(entry)
        self._reporter.say(entry, TradeUpdate.NEW)
        old = self._store.entries.get(entry.replaces)
        if old is not None and not old.has_ended and old.end is None:
            old.end = TradeUpdate.REPLACED
            self._questions.uncounted[old.order.id] = None
            self._store.touch(old.order.id)
            self._settle(old)

    def _clear_doubt(self, entry: JournalEntry) -> None:
        entry.unknown_since, entry.misses, entry.refusal = None, 0, ""
        entry.is_known_there = entry.needs_human = False
        self._questions.to_resend.discard(entry.order.id)
        self._store.touch(entry.order.id)

    def _settle_successors(self, entry: JournalEntry) -> None:
        """End the orders that replaced one, where its late fill has left nothing of them."""
        seen = {entry.order.id}
        after = self._store.entries.get(entry.successor)
        while after is not None and after.order.id not in seen:
            seen.add(after.order.id)
            self._settle(after)
            after = self._store.entries.get(after.successor)

    def _settle(self, entry: JournalEntry, *, is_told: bool = False) -> None:
        """Derive the state from the filled quantity and the broker's final update.

        Args:
            entry: The order.
            is_told: Whether the report of a fill of its own has ended it.
        """
        if entry.has_ended or not (entry.is_at_broker or entry.end is not None):
            return
        before = entry.state
        if self._reporter.leaves(entry) <= 0:
            entry.state = OrderState.FILLED
            if not is_told:
                self._reporter.say(entry, TradeUpdate.CANCELED, _FILLED_BEFORE)
        elif entry.end is not None and entry.counted >= entry.told:
            entry.state = ENDS[entry.end]
            self._reporter.note_end(entry)
            self._reporter.say(entry, entry.end, entry.reason)
            self._reporter.forget_successor(entry)
        elif entry.filled:
            entry.state = OrderState.PARTIAL
        if entry.state is not before:
            self._store.touch(entry.order.id)
        if entry.order.id not in self._store.open:
            self._questions.ended(entry.order.id)
            self._store.prune()

    def _book_stranger(self, fill: BrokerFill) -> bool:
        known = self._store.strangers.get(fill_key(fill))
        if known is not None and fill_content(known) == fill_content(fill):
            return False
        self._store.add_stranger(fill)
        if known is not None:
            self.doubt(
                fill.symbol,
                f"fill {fill.id} of order {fill.client_order_id!r}, which is not ours, is "
                f"{fill_content(fill)}, and was {fill_content(known)} before",
            )
            return True
        self._reporter.warn(
            f"fill {fill.id} ({fill.side} {fill.quantity:f} {fill.symbol} at {fill.price:f}) is of "
            "an order that this app did not send"
        )
        return True
