"""Executors turn orders into executions."""

from __future__ import annotations

from ingenium.components.component import StatefulComponent
from ingenium.components.executor_handle import ExecutorHandle
from ingenium.components.executor_risk import ExecutorRisk
from ingenium.components.handle import Handled
from ingenium.components.overrides import overrides_of
from ingenium.errors import SubjectError
from ingenium.events import (
    CancelEvent,
    DataEvent,
    ExecutionEvent,
    OrderEvent,
    ReplaceEvent,
    Side,
    TradeUpdate,
    TradingState,
)
from ingenium.subjects.names import check_symbol
from ingenium.trading.bar import Bar

__all__ = ["Executor"]


class Executor(StatefulComponent):
    """Turns orders into executions, at a broker or on a simulated exchange.

    Within one instant an executor sees the market data first and then the orders.

    Args:
        name: See `Component`.

    Raises:
        ComponentError: The name does not fit.
    """

    _handle: ExecutorHandle

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name)
        self.risk: ExecutorRisk = self._handle.risk
        """Checks orders right before the market, halts trading, and has the risk gate's view of
        the account."""

    def _make_handle(self) -> ExecutorHandle:
        own = overrides_of(self, Executor)
        return ExecutorHandle(
            self,
            own_data="on_data" in own,
            own_sends="send_execution" in own,
        )

    def on_data(self, event: DataEvent) -> Handled:
        """Handle an event of market data; parses its bar and calls `on_bar` unless overridden."""
        if event.ohlc is None:
            return None
        return self.on_bar(Bar.from_event(event, self.now))

    def on_bar(self, bar: Bar) -> Handled:
        """Handle a bar; executors that ask a broker for prices ignore it."""
        return None

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

    def on_trading_state(self, state: TradingState) -> Handled:
        """Handle a change of the trading state to active, reducing or halted."""
        return None

    def send_execution(self, event: ExecutionEvent) -> ExecutionEvent:
        """Send a report on an order.

        Args:
            event: Its empty ``id`` and ``timestamp`` are filled; an empty ``quantity`` becomes
                ``"0"``, since readers in other languages parse it before they look at ``update``.

        Returns:
            The same event.

        Raises:
            SubjectError: Its symbol cannot be part of a subject; nothing is sent.
        """
        if not event.quantity:
            event.quantity = "0"
        event = self._handle.send(event, "exec")
        if self.risk.gate is not None:
            self.risk.follow(event)
        return event

    def reject(
        self,
        event: OrderEvent | CancelEvent | ReplaceEvent,
        reason: str,
        update: TradeUpdate = TradeUpdate.REJECTED,
    ) -> None:
        """Send a report that rejects an order, or a request about one.

        Args:
            event: The event whose id the report names. Its symbol may be invalid in a subject.
            reason: The reason, in words.
            update: The trade update of the report.
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
