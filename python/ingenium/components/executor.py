"""Executors turn orders into executions."""

from __future__ import annotations

from ingenium.components.base import Component, Handled
from ingenium.events import DataEvent, ExecutionEvent, OrderEvent
from ingenium.trading.bar import Bar

__all__ = ["Executor"]


class Executor(Component):
    """Turns orders into executions, at a broker or on a simulated exchange.

    Within one instant an executor sees the market data first and then the orders.
    """

    role = "executor"

    def on_data(self, event: DataEvent) -> Handled:
        """Handle an event of market data; parses its bar and calls `on_bar` unless overridden."""
        if event.ohlc is None:
            return None
        return self.on_bar(Bar.from_event(event))

    def on_bar(self, bar: Bar) -> Handled:
        """Handle a bar; executors that ask a broker for prices ignore it."""
        return None

    def on_order(self, event: OrderEvent) -> Handled:
        """Handle an order."""
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
