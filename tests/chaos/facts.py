"""What the stream says of signals, orders and executions, and whether that is as it must be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal

from chaos.app import PORTFOLIO, quantity_of

from ingenium.bus.envelope import unpack
from ingenium.bus.stream import Record
from ingenium.events import (
    ControlEvent,
    DeadLetterEvent,
    DenialEvent,
    ExecutionEvent,
    OrderEvent,
    SignalEvent,
    TradeUpdate,
)
from ingenium.ids import make_id
from ingenium.subjects.names import DEAD_LETTER, DENIAL, EXECUTION, ORDER, SIGNAL, TRADING

__all__ = ["Facts"]

_ENDS = {
    TradeUpdate.FILLED,
    TradeUpdate.CANCELED,
    TradeUpdate.REJECTED,
    TradeUpdate.EXPIRED,
}
_MAY_DENY = "late"
_MAY_END = {TradeUpdate.FILLED, TradeUpdate.EXPIRED}


class Facts:
    """Counts the messages of the stream.

    Attributes:
        messages: How many there are.
        newest: Sequence of the last message on each subject.
        signals: How often each signal is there, by id.
        orders: The orders, by id; `copies` says how often.
        denials: Reason and text of each denial, by id.
        ends: The last word on each order, by order id.
        reasons: Why an order was not filled, by order id.
        positions: What the fills come to, by symbol.
        fills: How many executions report a fill.
        copies: How often each id of an order, a denial or an execution is there.
        letters: Dead letters, and halts, in words.
    """

    def __init__(self) -> None:
        self.messages = 0
        self.newest: dict[str, int] = {}
        self.signals: Counter[str] = Counter()
        self.orders: dict[str, OrderEvent] = {}
        self.denials: dict[str, tuple[str, str]] = {}
        self.ends: dict[str, str] = {}
        self.reasons: dict[str, str] = {}
        self.positions: dict[str, Decimal] = {}
        self.fills = 0
        self.copies: Counter[str] = Counter()
        self.letters: list[str] = []

    def take(self, record: Record) -> None:
        """Take in a message."""
        self.messages += 1
        message = record.message
        self.newest[message.subject] = record.sequence
        if message.subject == SIGNAL:
            self.signals[unpack(SignalEvent, message).id or ""] += 1
        elif message.subject == ORDER:
            order = unpack(OrderEvent, message)
            self.orders[order.id] = order
            self.copies[order.id] += 1
        elif message.subject == DENIAL:
            denial = unpack(DenialEvent, message)
            self.denials[denial.id] = denial.reason, denial.detail
            self.copies[denial.id] += 1
        elif message.subject == EXECUTION:
            self._execution(unpack(ExecutionEvent, message))
        elif message.subject.startswith(DEAD_LETTER):
            letter = unpack(DeadLetterEvent, message)
            self.letters.append(f"dead letter of {letter.component}: {letter.error}")
        elif message.subject == TRADING:
            control = unpack(ControlEvent, message)
            self.letters.append(f"trading is {control.state}: {control.reason}")

    def _execution(self, event: ExecutionEvent) -> None:
        self.copies[event.id] += 1
        if event.quantity != "0" and self.copies[event.id] == 1:
            signed = Decimal(event.quantity) * (1 if event.side == "buy" else -1)
            self.positions[event.symbol] = self.positions.get(event.symbol, Decimal(0)) + signed
            self.fills += 1
        if event.update in _ENDS:
            self.ends[event.order_id] = event.update
            self.reasons[event.order_id] = event.reason or ""

    def is_settled(self, signal_id: str) -> bool:
        """Whether nothing more will follow from a signal."""
        return order_id(signal_id) in self.ends or denial_id(signal_id) in self.denials

    def is_filled(self, signal_id: str) -> bool:
        """Whether a signal's order is filled."""
        return self.ends.get(order_id(signal_id)) == TradeUpdate.FILLED

    def violations(self, acknowledged: Mapping[str, int]) -> Iterator[str]:
        """Say what is not as it must be.

        Args:
            acknowledged: How many copies of each signal the stream has acknowledged, by id.
        """
        for signal_id, copies in acknowledged.items():
            if self.signals[signal_id] != copies:
                yield (
                    f"signal {signal_id} was acknowledged, and is in the stream "
                    f"{self.signals[signal_id]} times, not {copies}"
                )
            yield from self._outcome(signal_id)
        for unknown in self.signals.keys() - acknowledged.keys():
            yield f"signal {unknown} is in the stream, and nobody was told so"
        wanted = {order_id(each) for each in self.signals}
        for unknown in self.orders.keys() - wanted:
            yield f"order {unknown} follows from no signal"
        for identifier, copies in self.copies.items():
            if copies > 1:
                yield f"{identifier} is in the stream {copies} times"
        for unknown in self.ends.keys() - self.orders.keys():
            yield f"an execution names order {unknown}, which is not in the stream"
        yield from self.letters

    def _outcome(self, signal_id: str) -> Iterator[str]:
        """Say what is wrong with what came of a signal."""
        order = self.orders.get(order_id(signal_id))
        denial = self.denials.get(denial_id(signal_id))
        if (order is None) == (denial is None):
            yield f"signal {signal_id} has {'both an' if order else 'neither'} order and denial"
        if denial is not None and denial[0] != _MAY_DENY:
            yield f"signal {signal_id} was denied: {denial}"
        if order is None:
            return
        if Decimal(order.quantity) != quantity_of(signal_id):
            yield f"order {order.id} is of {order.quantity}, not {quantity_of(signal_id)}"
        end = self.ends.get(order.id, "")
        if end not in _MAY_END:
            yield (
                f"order {order.id} of {signal_id} ended as {end or 'nothing'}: "
                f"{self.reasons.get(order.id, '')}"
            )

    def refusals(self) -> list[str]:
        """Say why signals and orders were not acted upon."""
        late = [f"{reason}: {detail}" for reason, detail in self.denials.values()]
        ended = [
            f"order {each} is {end}: {self.reasons[each]}"
            for each, end in self.ends.items()
            if end != TradeUpdate.FILLED
        ]
        return late + ended


def order_id(signal_id: str) -> str:
    """Return the id of the order that follows from a signal."""
    return make_id("order", PORTFOLIO, signal_id, "0")


def denial_id(signal_id: str) -> str:
    """Return the id of the denial that follows from a signal that is not acted upon."""
    return make_id("denial", PORTFOLIO, signal_id, "0")
