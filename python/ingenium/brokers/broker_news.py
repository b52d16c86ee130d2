"""What a broker tells of orders, and what is reported to the app because of it.

Pure, as the journal that is built on it. Everything may be told twice, late and in any order: fills
are known by the broker's id of the execution, and an order ends when the fills are booked that the
broker's last word counts.
"""

from __future__ import annotations

from decimal import Decimal

from ingenium.brokers.broker import BrokerFill, BrokerOrder
from ingenium.brokers.journal_rows import JournalRows, signed
from ingenium.brokers.order_entry import ENDS, HALT, Entry, OrderState
from ingenium.events import ExecutionEvent, TradeUpdate
from ingenium.ids import make_id
from ingenium.trading import Order
from ingenium.trading.money import EXACT, ZERO
from ingenium.trading.numbers import format_decimal

__all__ = ["BrokerNews"]


class BrokerNews(JournalRows):
    """The orders of one account, as far as the broker tells of them.

    Args:
        account: Its name; part of the ids of what is reported.
    """

    def __init__(self, account: str) -> None:
        super().__init__(account)
        self._events: list[ExecutionEvent] = []
        self._problems: list[str] = []
        # What is to be asked again, and sent again; after a restart all is asked anyway.
        self._to_check: set[str] = set()
        # Orders that the broker would not cancel: to be looked at before it is asked again.
        self._not_canceled: set[str] = set()
        self._to_resend: set[str] = set()

    def take_events(self) -> list[ExecutionEvent]:
        """Return the reports that follow from what happened since the last call."""
        events, self._events = self._events, []
        return events

    def take_problems(self) -> list[str]:
        """Return what a person should know of what happened since the last call."""
        problems, self._problems = self._problems, []
        return problems

    def is_news(self, told: BrokerOrder) -> bool:
        """Whether `told` would change anything."""
        entry = self.entries.get(told.client_id)
        if entry is None:
            return False
        self._to_check.discard(told.client_id)
        is_same = entry.is_at_broker and told.is_open and told.filled <= entry.told
        is_said = told.update in entry.said or told.update is TradeUpdate.PARTIAL_FILL
        return not (is_same and is_said)

    def told(self, told: BrokerOrder) -> None:
        """The broker says how an order stands; of orders of others, nothing follows."""
        entry = self.entries.get(told.client_id)
        if entry is None:
            return
        self._to_check.discard(told.client_id)
        self._adopt(entry, told)
        if told.filled > entry.told:
            entry.told = told.filled
            self.touch(told.client_id)
        if told.update in {TradeUpdate.ACCEPTED, TradeUpdate.HELD}:
            self._say(entry, told.update)
        elif told.update not in ENDS:
            pass  # What is filled, the fills themselves say.
        elif entry.end is None and not (entry.has_ended and not entry.is_end_ours):
            entry.end = told.update
            entry.reason = told.reason
            self.touch(told.client_id)
        self._settle(entry)

    def fill(self, fill: BrokerFill) -> bool:
        """The broker tells a fill.

        Returns:
            Whether it is new, and changes a position.
        """
        entry = self.entries.get(fill.client_id) if fill.client_id else None
        if entry is None:
            return self._book_stranger(fill)
        if fill.id in entry.fills:
            return False
        entry.fills.append(fill.id)
        self.touch(fill.client_id)
        problem = _what_is_wrong(entry.order, fill)
        if not problem:
            if entry.is_in_doubt or entry.state is OrderState.NEW or entry.is_end_ours:
                self._arrive(entry)
            entry.filled = EXACT.add(entry.filled, fill.quantity)
            self.move(fill.symbol, signed(fill.side, fill.quantity))
            if self.leaves(entry) < 0:
                problem = f"more is filled than the {entry.order.quantity:f} of its order"
        is_open = entry.end is None and not entry.has_ended
        leaves = max(self.leaves(entry), ZERO)
        update = TradeUpdate.PARTIAL_FILL if leaves else TradeUpdate.FILLED
        self._report_fill(entry.order.id, fill, update, leaves if is_open else ZERO, problem)
        if problem:
            self.block(entry.order.symbol, f"fill {fill.id} of order {fill.client_id}: {problem}")
            self._problems.append(f"fill {fill.id} of order {fill.client_id}: {problem}")
        self._settle(entry)
        return not problem

    def leaves(self, entry: Entry) -> Decimal:
        """Return what is left of an order, less than nothing when it is over-filled.

        What was filled of an order whose place it took counts as its own.
        """
        left = EXACT.subtract(entry.order.quantity, entry.filled)
        seen = {entry.order.id}
        before = self.entries.get(entry.replaces)
        while before is not None and before.order.id not in seen:
            seen.add(before.order.id)
            left = EXACT.subtract(left, before.filled)
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
        self._events.append(
            ExecutionEvent(
                id=make_id("exec", self.account, "adopted", symbol, cause),
                order_id="adopted",
                symbol=symbol,
                side="buy" if difference > 0 else "sell",
                quantity=format_decimal(abs(difference)),
                price=None if price is None else format_decimal(price),
                reason="it is at the broker, and no order of this app explains it",
            )
        )

    def _adopt(self, entry: Entry, told: BrokerOrder) -> None:
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
                self._problems.append(problem)
            self.block(order.symbol, problem)
        if entry.is_in_doubt or entry.state is OrderState.NEW:
            if told.update is TradeUpdate.REJECTED:
                entry.state = OrderState.SUBMITTED
                self._clear_doubt(entry)
            else:
                self._arrive(entry)
        elif entry.is_end_ours and told.is_open:
            self._arrive(entry)

    def _arrive(self, entry: Entry) -> None:
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
            self.touch(old.order.id)
            self._settle(old)

    def _clear_doubt(self, entry: Entry) -> None:
        entry.unknown_since, entry.misses, entry.refusal = None, 0, ""
        entry.is_known_there = entry.needs_human = False
        self._to_resend.discard(entry.order.id)
        self.touch(entry.order.id)

    def _settle(self, entry: Entry) -> None:
        """Let the state follow from what is filled and the broker's last word."""
        if entry.has_ended or not (entry.is_at_broker or entry.end is not None):
            return
        before = entry.state
        if self.leaves(entry) <= 0:
            entry.state = OrderState.FILLED
        elif entry.end is not None and entry.filled >= entry.told:
            entry.state = ENDS[entry.end]
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

    def _end(self, entry: Entry, update: TradeUpdate, reason: str) -> None:
        """End an order without a word of the broker."""
        entry.state, entry.reason, entry.is_end_ours = ENDS[update], reason, True
        entry.needs_human = False
        self._to_resend.discard(entry.order.id)
        self.touch(entry.order.id)
        self._say(entry, update, reason)
        self.prune()

    def _forget_successor(self, entry: Entry) -> None:
        """An order that was to take another's place does not; the other may get a new one."""
        old = self.entries.get(entry.replaces)
        if old is not None and old.successor == entry.order.id and not old.has_ended:
            old.successor = ""
            self.touch(old.order.id)

    def _say(self, entry: Entry, update: TradeUpdate, reason: str = "") -> None:
        if update in entry.said:
            return
        entry.said.append(update.value)
        self.touch(entry.order.id)
        order = entry.order
        leaves = ZERO if update in ENDS else max(self.leaves(entry), ZERO)
        self._events.append(
            ExecutionEvent(
                id=make_id("exec", self.account, order.id, update.value),
                order_id=order.id,
                symbol=order.symbol,
                side=order.side.value,
                quantity="0",
                update=update.value,
                leaves_quantity=format_decimal(leaves),
                reason=reason or None,
            )
        )

    def _book_stranger(self, fill: BrokerFill) -> bool:
        if fill.id in self.strangers:
            return False
        self.add_stranger(fill)
        self._problems.append(
            f"fill {fill.id} ({fill.side} {fill.quantity:f} {fill.symbol} at {fill.price:f}) is of "
            "an order that this app did not send"
        )
        return True

    def _report_fill(
        self, order_id: str, fill: BrokerFill, update: TradeUpdate, leaves: Decimal, reason: str
    ) -> None:
        self._events.append(
            ExecutionEvent(
                id=make_id("exec", self.account, fill.id),
                order_id=order_id,
                symbol=fill.symbol,
                side=fill.side.value,
                update=update.value,
                execution_timestamp=fill.time,
                quantity=_text(fill.quantity),
                price=_text(fill.price),
                commission=_text(fill.commission),
                leaves_quantity=format_decimal(leaves),
                reason=reason or None,
            )
        )


def _what_is_wrong(order: Order, fill: BrokerFill) -> str:
    for name, value in (("quantity", fill.quantity), ("price", fill.price)):
        if not value.is_finite() or value <= 0:
            return f"its {name} is {value}"
    if not fill.commission.is_finite():
        return f"its commission is {fill.commission}"
    if (fill.symbol, fill.side) != (order.symbol, order.side):
        return f"it is {fill.side} {fill.symbol}, the order {order.side} {order.symbol}"
    return ""


def _text(number: Decimal) -> str:
    return format_decimal(number) if number.is_finite() else ""
