"""What a broker tells of orders, and what is reported to the app because of it.

Pure, as the journal that is built on it. Everything may be told twice, late and in any order: fills
are known by their symbol, their order and the broker's id of the execution, and an order ends when
the fills are booked that the broker's last word counts.

What contradicts itself blocks its symbol and sets `JournalUpdates.is_doubted`: all fills are read
again, and positions are compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from ingenium.brokers.answers import BadFill
from ingenium.brokers.broker import BrokerFill, BrokerOrder
from ingenium.brokers.journal_entry import ENDS, HALT, JournalEntry, OrderState
from ingenium.brokers.journal_reports import (
    adoption_event,
    fill_content,
    fill_event,
    update_event,
    why_impossible,
)
from ingenium.brokers.journal_rows import JournalRows, fill_key, signed
from ingenium.events import ExecutionEvent, TradeUpdate
from ingenium.trading.money import EXACT, ZERO

__all__ = ["JournalUpdates"]

_NO_REASON = "the broker gave no reason"


class JournalUpdates(JournalRows):
    """The orders of one account, as far as the broker tells of them.

    Args:
        account: Its name; part of the ids of what is reported.

    Attributes:
        is_doubted: Whether all fills are to be read again, and positions compared; reset by who
            does that.
        gaps: Orders of which the broker counts more than was booked.
        low: What the broker counts of orders of which more was booked or counted before.
        uncounted: Orders that were replaced, and of which the broker has not said how much of them
            it had filled by then; since when it does not know them.
    """

    def __init__(self, account: str) -> None:
        super().__init__(account)
        self.is_doubted = False
        self.gaps: dict[str, None] = {}
        self.low: dict[str, Decimal] = {}
        self.uncounted: dict[str, datetime | None] = {}
        self._events: list[ExecutionEvent] = []
        self._problems: list[str] = []
        # What is to be asked again, and sent again; after a restart all is asked anyway.
        self._to_check: set[str] = set()
        # Orders that the broker would not cancel: to be looked at before it is asked again.
        self._not_canceled: set[str] = set()
        self._to_resend: set[str] = set()
        # How often, and since when, the broker did not know orders that it had; and which of them
        # that was often enough to say that it has forgotten them.
        self._missed: dict[str, tuple[int, datetime]] = {}
        self._forgotten: set[str] = set()

    def take_events(self) -> list[ExecutionEvent]:
        """Return the reports that follow from what happened since the last call."""
        events, self._events = self._events, []
        return events

    def take_problems(self) -> list[str]:
        """Return what a person should know of what happened since the last call."""
        problems, self._problems = self._problems, []
        return problems

    def restore(self, rows: Mapping[str, bytes]) -> None:
        """Take back what `rows` returned; raises as `JournalRows.restore` does."""
        super().restore(rows)
        for entry in self.entries.values():
            self._note_gap(entry)

    def is_news(self, told: BrokerOrder) -> bool:
        """Whether `told` would change anything."""
        entry = self.entries.get(told.client_order_id)
        if entry is None:
            return False
        self._note_known(told.client_order_id)
        is_same = entry.is_at_broker and told.is_open and entry.counted <= told.filled <= entry.told
        is_said = told.update in entry.said or told.update is TradeUpdate.PARTIAL_FILL
        return not (is_same and is_said)

    def told(self, told: BrokerOrder) -> None:
        """The broker says how an order stands; of orders of others, nothing follows."""
        entry = self.entries.get(told.client_order_id)
        if entry is None:
            return
        self._note_known(told.client_order_id)
        self._adopt(entry, told)
        self._count(entry, told.filled)
        if told.update in {TradeUpdate.ACCEPTED, TradeUpdate.HELD}:
            self._say(entry, told.update)
        elif told.update not in ENDS:
            pass  # What is filled, the fills themselves say.
        elif entry.end is None and not (entry.has_ended and not entry.is_end_ours):
            entry.end = told.update
            entry.reason = told.reason
            self.touch(told.client_order_id)
        self._settle(entry)

    def fill(self, fill: BrokerFill) -> bool:
        """The broker tells a fill.

        Returns:
            Whether it is new, and changes a position.
        """
        entry = self.entries.get(fill.client_order_id) if fill.client_order_id else None
        if entry is None:
            return self._book_stranger(fill)
        if fill.id in entry.fills:
            return self._compare(entry, fill)
        entry.fills.append(fill.id)
        entry.contents[fill.id] = fill_content(fill)
        self.touch(fill.client_order_id)
        problem = why_impossible(entry.order, fill)
        if not problem:
            if entry.is_in_doubt or entry.state is OrderState.NEW or entry.is_end_ours:
                self._arrive(entry)
            if entry.excused >= fill.quantity:
                return self._book_excused(entry, fill)
            entry.filled = EXACT.add(entry.filled, fill.quantity)
            self._note_gap(entry)
            self.move(fill.symbol, signed(fill.side, fill.quantity))
            if self.leaves(entry) < 0:
                problem = f"more is filled than the {entry.order.quantity:f} of its order"
        is_open = entry.end is None and not entry.has_ended
        leaves = max(self.leaves(entry), ZERO)
        update = TradeUpdate.PARTIAL_FILL if leaves else TradeUpdate.FILLED
        self._events.append(
            fill_event(self.account, entry, fill, update, leaves if is_open else ZERO, problem)
        )
        if problem:
            self.doubt(
                entry.order.symbol, f"fill {fill.id} of order {fill.client_order_id}: {problem}"
            )
        self._settle(entry)
        return not problem

    def _book_excused(self, entry: JournalEntry, fill: BrokerFill) -> bool:
        """A fill is listed after all whose quantity was taken over with the positions."""
        entry.filled = EXACT.add(entry.filled, fill.quantity)
        entry.excused = EXACT.subtract(entry.excused, fill.quantity)
        self._problems.append(
            f"fill {fill.id} of order {entry.order.id} ({fill_content(fill)}) is listed now: it is "
            "in the positions that the operator has taken over, and not booked again"
        )
        return False

    def refuse_fill(self, bad: BadFill) -> bool:
        """The broker's adapter returned a fill that cannot be booked.

        Returns:
            Whether it is new, and names no symbol that could be blocked.
        """
        if bad.key in self.unbookable:
            return False
        self.add_unbookable(bad.key, bad.text)
        entry = self.entries.get(bad.order_id)
        symbol = bad.symbol if entry is None else entry.order.symbol
        order = f" (order {bad.order_id})" if bad.order_id else ""
        self.doubt(symbol, f"{bad.text}{order}")
        return not symbol

    def doubt(self, symbol: str, problem: str) -> None:
        """Block a symbol, if it is known, and ask for a look at everything."""
        self._problems.append(problem)
        self.is_doubted = True
        if symbol:
            self.block(symbol, problem)

    def excuse(self, order_id: str, found: BrokerOrder) -> None:
        """A person takes what the broker counts as filled as it is, whatever its fills come to."""
        entry = self.entries[order_id]
        if found.filled == entry.counted and entry.told <= found.filled:
            return
        entry.excused = EXACT.subtract(found.filled, entry.filled)
        entry.told = found.filled
        self.low.pop(order_id, None)
        self._note_gap(entry)
        self.touch(order_id)
        if not found.is_open and not entry.has_ended:
            # No report of a fill will end it.
            entry.end = entry.end or TradeUpdate.CANCELED
            entry.reason = entry.reason or (
                f"the broker counts {found.filled:f} as filled and lists {entry.filled:f}: the "
                "operator has taken its positions"
            )
            entry.state = ENDS[entry.end]
            self._say(entry, entry.end, entry.reason)
            self._forget_successor(entry)
            self.prune()

    def leaves(self, entry: JournalEntry) -> Decimal:
        """Return what is left of an order, less than nothing when it is over-filled.

        What was filled of an order whose place it took counts as its own.
        """
        left = EXACT.subtract(entry.order.quantity, entry.counted)
        seen = {entry.order.id}
        before = self.entries.get(entry.replaces)
        while before is not None and before.order.id not in seen:
            seen.add(before.order.id)
            left = EXACT.subtract(left, before.counted)
            before = self.entries.get(before.replaces)
        return left

    def tell_adopted(
        self, symbol: str, difference: Decimal, cause: str, price: Decimal | None
    ) -> None:
        """Report a part of a position that no order of ours explains.

        Args:
            symbol: Name of the instrument.
            difference: How much more the broker has than the journal.
            cause: Tells this time from others.
            price: What it is worth, as far as that is known.
        """
        event = adoption_event(self.account, symbol, difference, cause, price)
        self._events.append(event)

    def _note_known(self, order_id: str) -> None:
        self._to_check.discard(order_id)
        self._missed.pop(order_id, None)
        self._forgotten.discard(order_id)
        self.uncounted.pop(order_id, None)

    def _count(self, entry: JournalEntry, filled: Decimal) -> None:
        """Take note of how much of an order the broker counts as filled."""
        order_id = entry.order.id
        if filled < entry.told or filled < entry.counted:
            # Old news may come late, so that the order is asked for before this is a problem.
            self.low[order_id] = filled
        else:
            self.low.pop(order_id, None)
        if filled > entry.told:
            entry.told = filled
            self.touch(order_id)
            most = EXACT.add(self.leaves(entry), entry.counted)
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
        """Compare a fill with what was booked under its id.

        Returns:
            Whether it is another one, and new.
        """
        content = fill_content(fill)
        booked = entry.contents.get(fill.id, content)
        clash = f"{fill.id}: {content}"
        if content == booked or clash in entry.clashes:
            return False
        entry.clashes.append(clash)
        self.touch(entry.order.id)
        self.doubt(
            entry.order.symbol,
            f"fill {fill.id} of order {entry.order.id} is {content}, and {booked} was booked under "
            "that id: the second one is not booked",
        )
        return True

    def _adopt(self, entry: JournalEntry, told: BrokerOrder) -> None:
        """Take note that the broker has an order, which may have been in doubt."""
        order = entry.order
        if (told.symbol, told.side) != (order.symbol, order.side) or (
            told.quantity != order.quantity and not entry.replaces
        ):
            problem = (
                f"order {order.id} is {order.side} {order.quantity:f} {order.symbol}, and the "
                f"broker has {told.side} {told.quantity:f} {told.symbol} under that id"
            )
            if order.symbol not in self.blocked:
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
        """An order is at the broker, whatever was thought of it."""
        order_id = entry.order.id
        if entry.is_end_ours:
            self._problems.append(
                f"order {order_id} was given up as {entry.state}, and is at the broker after all: "
                "it will be canceled"
            )
            entry.end, entry.is_end_ours = None, False
            entry.cancel, entry.is_cancel_sent = entry.cancel or HALT, False
        entry.state = OrderState.SUBMITTED
        self._clear_doubt(entry)
        self._say(entry, TradeUpdate.NEW)
        old = self.entries.get(entry.replaces)
        if old is not None and not old.has_ended and old.end is None:
            old.end = TradeUpdate.REPLACED
            self.uncounted[old.order.id] = None
            self.touch(old.order.id)
            self._settle(old)

    def _clear_doubt(self, entry: JournalEntry) -> None:
        entry.unknown_since, entry.misses, entry.refusal = None, 0, ""
        entry.is_known_there = entry.needs_human = False
        self._to_resend.discard(entry.order.id)
        self.touch(entry.order.id)

    def _settle(self, entry: JournalEntry) -> None:
        """Let the state follow from what is filled and the broker's last word."""
        if entry.has_ended or not (entry.is_at_broker or entry.end is not None):
            return
        before = entry.state
        if self.leaves(entry) <= 0:
            entry.state = OrderState.FILLED
        elif entry.end is not None and entry.counted >= entry.told:
            entry.state = ENDS[entry.end]
            self._note_end(entry)
            self._say(entry, entry.end, entry.reason)
            self._forget_successor(entry)
        elif entry.filled:
            entry.state = OrderState.PARTIAL
        if entry.state is not before:
            self.touch(entry.order.id)
        if entry.order.id not in self.open:
            self._to_check.discard(entry.order.id)
            self._not_canceled.discard(entry.order.id)
            self.prune()

    def _note_end(self, entry: JournalEntry) -> None:
        """Tell people of an order that the broker has ended, when nobody here asked for that."""
        order = entry.order
        what = f"order {order.id} ({order.side} {order.quantity:f} {order.symbol})"
        if entry.end is TradeUpdate.REJECTED:
            entry.reason = entry.reason or _NO_REASON
            self._problems.append(f"{what} was rejected by the broker: {entry.reason}")
        elif entry.reason and not entry.cancel:
            self._problems.append(f"{what} was {entry.end} by the broker: {entry.reason}")

    def _end(self, entry: JournalEntry, update: TradeUpdate, reason: str) -> None:
        """End an order without a word of the broker."""
        entry.state, entry.reason, entry.is_end_ours = ENDS[update], reason, True
        entry.needs_human = False
        self._to_resend.discard(entry.order.id)
        self.touch(entry.order.id)
        self._say(entry, update, reason)
        self.prune()

    def _forget_successor(self, entry: JournalEntry) -> None:
        """An order that was to take another's place does not; the other may get a new one."""
        old = self.entries.get(entry.replaces)
        if old is not None and old.successor == entry.order.id and not old.has_ended:
            old.successor = ""
            self.touch(old.order.id)

    def _say(self, entry: JournalEntry, update: TradeUpdate, reason: str = "") -> None:
        if update in entry.said:
            return
        entry.said.append(update.value)
        self.touch(entry.order.id)
        event = update_event(self.account, entry.order, update, self.leaves(entry), reason)
        self._events.append(event)

    def _book_stranger(self, fill: BrokerFill) -> bool:
        known = self.strangers.get(fill_key(fill))
        if known is not None and fill_content(known) == fill_content(fill):
            return False
        self.add_stranger(fill)
        if known is not None:
            self.doubt(
                fill.symbol,
                f"fill {fill.id} of order {fill.client_order_id!r}, which is not ours, is "
                f"{fill_content(fill)}, and was {fill_content(known)} before",
            )
            return True
        self._problems.append(
            f"fill {fill.id} ({fill.side} {fill.quantity:f} {fill.symbol} at {fill.price:f}) is of "
            "an order that this app did not send"
        )
        return True
