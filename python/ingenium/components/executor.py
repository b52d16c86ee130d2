"""Executors turn orders into executions."""

from __future__ import annotations

from typing import ClassVar

from ingenium.components.base import Component, Handled
from ingenium.errors import SubjectError
from ingenium.events import (
    CancelEvent,
    DataEvent,
    Event,
    ExecutionEvent,
    OrderEvent,
    ReplaceEvent,
    Side,
    TradeUpdate,
)
from ingenium.subjects import check_symbol
from ingenium.trading.bar import Bar

__all__ = ["Executor"]


class Executor(Component):
    """Turns orders into executions, at a broker or on a simulated exchange.

    Within one instant an executor sees the market data first and then the orders.
    """

    role = "executor"
    works_at_broker: ClassVar[bool] = False
    """Whether orders leave for a real market, which no replay may do."""
    max_order_age_seconds: float = 30.0
    """Older orders are not worked in live running: they were meant for another market."""

    def on_data(self, event: DataEvent) -> Handled:
        """Handle an event of market data; parses its bar and calls `on_bar` unless overridden."""
        if event.ohlc is None:
            return None
        return self.on_bar(Bar.from_event(event))

    def on_bar(self, bar: Bar) -> Handled:
        """Handle a bar; executors that ask a broker for prices ignore it."""
        return None

    def look(self, bar: Bar) -> bool:
        """Take note of a bar, and say whether `handle_bar` has anything to do with it."""
        return True

    def handle_bar(self, bar: Bar) -> Handled:
        """Do as `on_data` with the bar's event; for those who run components."""
        if type(self).on_data is Executor.on_data:
            return self.on_bar(bar)
        return self.on_data(bar.event)

    def on_order(self, event: OrderEvent) -> Handled:
        """Handle an order."""
        return None

    def on_cancel(self, event: CancelEvent) -> Handled:
        """Handle a request to cancel an order; rejects it unless overridden."""
        self.reject(event, f"executor {self.name!r} does not cancel orders")
        return None

    def on_replace(self, event: ReplaceEvent) -> Handled:
        """Handle a request to replace an order; rejects it unless overridden."""
        self.reject(event, f"executor {self.name!r} does not replace orders")
        return None

    def send_execution(self, event: ExecutionEvent) -> ExecutionEvent:
        """Send a report on an order.

        Args:
            event: Its empty ``id`` and ``timestamp`` are filled.

        Returns:
            The same event.

        Raises:
            SubjectError: Its symbol cannot be part of a subject; nothing is sent.
        """
        return self._send(event, "exec")

    def handle_request(self, event: OrderEvent | CancelEvent | ReplaceEvent) -> Handled:
        """Call the handler for what a portfolio sent; for those who run components."""
        if isinstance(event, OrderEvent):
            return self.on_order(event)
        if isinstance(event, CancelEvent):
            return self.on_cancel(event)
        return self.on_replace(event)

    def handle_late(self, event: Event, age_seconds: float) -> Handled:
        """Report an order that came too late as expired, and a replacement as rejected.

        Args:
            event: An order that was under way for long, such as while this executor was down.
            age_seconds: How old it is by the server's clock.
        """
        reason = (
            f"it is {age_seconds:.1f} s old, and no order is worked after "
            f"{self.max_order_age_seconds:g} s"
        )
        if isinstance(event, OrderEvent):
            self.reject(event, reason, TradeUpdate.EXPIRED)
        elif isinstance(event, ReplaceEvent):
            self.reject(event, reason)
        elif isinstance(event, CancelEvent):
            return self.on_cancel(event)
        return None

    def reject(
        self,
        event: OrderEvent | CancelEvent | ReplaceEvent,
        reason: str,
        update: TradeUpdate = TradeUpdate.REJECTED,
    ) -> None:
        """Send the report that an order, or a request about one, is rejected.

        Args:
            event: Whose id the report names. Its symbol may be one that no subject can hold.
            reason: Why, in words.
            update: What the report says.
        """
        symbol = event.symbol
        try:
            check_symbol(symbol)
        except SubjectError:
            # An execution cannot carry it either; the order id names it.
            symbol = ""
        side = event.side if isinstance(event, OrderEvent) else None
        self.send_execution(
            ExecutionEvent(
                order_id=event.id,
                symbol=symbol,
                side=side if side in set(Side) else None,
                update=update.value,
                leaves_quantity="0",
                reason=reason,
            )
        )
