"""Execution reports of an exchange, and their conversion to events."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import msgspec

from ingenium.events import ExecutionEvent, TradeUpdate
from ingenium.ids import make_id
from ingenium.trading.bar import Bar
from ingenium.trading.fill import Fill
from ingenium.trading.money import ZERO
from ingenium.trading.numbers import as_written, format_decimal
from ingenium.trading.order import Order

__all__ = ["ExecutionReport", "LazyExecution"]

_FILLING = (TradeUpdate.FILLED, TradeUpdate.PARTIAL_FILL)


class ExecutionReport(msgspec.Struct, frozen=True, gc=False):
    """A report on an order; one with a quantity is a fill.

    Attributes:
        order: The order.
        update: The change in the order's state.
        time: Time of the report at the exchange, UTC.
        leaves: Quantity still working after this report.
        quantity: Quantity that this report fills; zero when it fills nothing.
        price: Price of the fill, after slippage.
        commission: Fee for the fill.
        reason: Why it was rejected, canceled or expired; empty otherwise.
        is_ambiguous: Whether the bar allowed several outcomes, so that the worst one for the owner
            was taken.
    """

    order: Order
    update: TradeUpdate
    time: datetime
    leaves: Decimal = ZERO
    quantity: Decimal = ZERO
    price: Decimal | None = None
    commission: Decimal = ZERO
    reason: str = ""
    is_ambiguous: bool = False

    def to_event(self) -> ExecutionEvent:
        """Return the report as an event with empty id and timestamp."""
        event = ExecutionEvent(
            order_id=self.order.id,
            # A Go reader parses this field before any other.
            quantity="0",
            symbol=self.order.symbol,
            side=self.order.side._value_,
            update=self.update._value_,
            execution_timestamp=self.time,
            leaves_quantity=format_decimal(self.leaves),
            reason=self.reason or None,
        )
        if self.price is not None:
            event.quantity = format_decimal(self.quantity)
            event.price = format_decimal(self.price)
            event.commission = format_decimal(self.commission)
        return event

    def fill(self) -> Fill | None:
        """Return the fill as parsed from the event; ``None`` when nothing is filled.

        Raises:
            DecodeError: The event would hold a number that cannot be parsed.
        """
        if self.update not in _FILLING or self.price is None:
            return None
        order = self.order
        return Fill(
            symbol=order.symbol,
            side=order.side,
            quantity=as_written(self.quantity),
            price=as_written(self.price),
            commission=as_written(self.commission),
            time=self.time,
            order_id=order.id,
        )


class LazyExecution(msgspec.Struct):
    """A report sent to a portfolio in the same process.

    The event is created on demand, as for a bar: most reports are booked without it.

    Attributes:
        report: The report.
        fill: The fill, or ``None``. It has no id, since reports never repeat within a process.
        sender: Name of the executor.
        cause: The event that the executor was handling: its id, or an object with one.
        number: Number of events that the cause had produced before this one.
        time: When it was sent, UTC.
    """

    report: ExecutionReport
    fill: Fill | None
    sender: str
    cause: str | Bar | LazyExecution
    number: int
    time: datetime
    _event: ExecutionEvent | None = None

    @property
    def event(self) -> ExecutionEvent:
        """The event, with id and timestamp."""
        event = self._event
        if event is None:
            event = self._event = self.report.to_event()
            cause = self.cause if isinstance(self.cause, str) else self.cause.id
            event.id = make_id("exec", self.sender, cause, str(self.number))
            event.timestamp = self.time
        return event

    @property
    def id(self) -> str:
        """The id of the event."""
        return self.event.id
