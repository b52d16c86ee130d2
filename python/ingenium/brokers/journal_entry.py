"""One order in the journal of an executor at a broker, and the states that it goes through."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from ingenium.events import TradeUpdate
from ingenium.trading import Order
from ingenium.trading.money import EXACT, ZERO

__all__ = ["ENDS", "HALT", "CallKind", "Call", "JournalEntry", "OrderState"]

HALT = "halt"
"""Source of a cancel request when trading is halted."""


class OrderState(StrEnum):
    """Status of an order, as far as the executor knows."""

    NEW = "new"
    """Accepted, and not sent."""
    SUBMITTING = "submitting"
    """Recorded before the broker is called; no answer yet."""
    UNKNOWN = "unknown"
    """The call had no answer: the order is at the broker, or not."""
    SUBMITTED = "submitted"
    """At the broker, nothing filled."""
    PARTIAL = "partial"
    """At the broker, a part filled."""
    FILLED = "filled"
    CANCELED = "canceled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    REPLACED = "replaced"


ENDS = {
    TradeUpdate.CANCELED: OrderState.CANCELED,
    TradeUpdate.REJECTED: OrderState.REJECTED,
    TradeUpdate.EXPIRED: OrderState.EXPIRED,
    TradeUpdate.REPLACED: OrderState.REPLACED,
}
"""The broker's final updates, other than filled, and the states that they lead to."""

_ENDED = {OrderState.FILLED, *ENDS.values()}
_AT_BROKER = {OrderState.SUBMITTED, OrderState.PARTIAL}


class CallKind(StrEnum):
    """Kinds of calls of a broker for an order."""

    SUBMIT = "submit"
    REPLACE = "replace"
    CANCEL = "cancel"
    FIND = "find"


class Call(msgspec.Struct, frozen=True):
    """A call of the broker that is due."""

    act: CallKind
    order_id: str


class JournalEntry(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An order and all known facts about it.

    Attributes:
        order: The order as requested.
        state: Its status.
        number: Its place among all orders that were ever entered.
        entered: Start of its age, UTC, by the stream's clock: when its cause was known, or when it
            arrived where that is unknown.
        filled: Sum of the booked fills.
        told: The filled quantity that the broker reports.
        fills: The broker's ids of the booked fills.
        contents: The booked content of each of them, as text; older journals have none.
        clashes: Fills that came under one of these ids with another content.
        excused: How much more the broker counts as filled than it lists, negative for the
            contrary, where an operator has accepted that.
        reported: Ids of the reports on it that were in the stream before this journal began.
        said: The reported updates.
        end: The broker's final update, which waits for the fills that it counts.
        reason: Why it ended.
        is_end_ours: Whether the executor ended it without an update of the broker.
        replaces: Id of the order that it replaces.
        successor: Id of the order that is to replace it.
        cancel: Source of the cancel request: its id, or `HALT`; empty for none.
        is_cancel_sent: Whether the broker has accepted the request.
        unknown_since: When its outcome became unknown.
        misses: How often the broker did not know it since then.
        refusal: Why the broker refused it, when an earlier attempt may have arrived anyway.
        is_known_there: Whether the broker reported that it has the id already.
        needs_human: Whether only an operator can determine its outcome.
    """

    order: Order
    state: OrderState = OrderState.NEW
    number: int = 0
    entered: datetime
    filled: Decimal = ZERO
    told: Decimal = ZERO
    fills: list[str] = msgspec.field(default_factory=list)
    contents: dict[str, str] = msgspec.field(default_factory=dict)
    clashes: list[str] = msgspec.field(default_factory=list)
    excused: Decimal = ZERO
    reported: list[str] = msgspec.field(default_factory=list)
    said: list[str] = msgspec.field(default_factory=list)
    end: TradeUpdate | None = None
    reason: str = ""
    is_end_ours: bool = False
    replaces: str = ""
    successor: str = ""
    cancel: str = ""
    is_cancel_sent: bool = False
    unknown_since: datetime | None = None
    misses: int = 0
    refusal: str = ""
    is_known_there: bool = False
    needs_human: bool = False

    @property
    def counted(self) -> Decimal:
        """The quantity that the broker should count as filled."""
        return EXACT.add(self.filled, self.excused)

    @property
    def has_ended(self) -> bool:
        """Whether no more updates are expected."""
        return self.state in _ENDED

    @property
    def is_at_broker(self) -> bool:
        """Whether the broker has it, and it may still be filled."""
        return self.state in _AT_BROKER

    @property
    def is_in_doubt(self) -> bool:
        """Whether the broker may have it."""
        return self.state in {OrderState.SUBMITTING, OrderState.UNKNOWN}
