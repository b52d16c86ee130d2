"""The risk gate of a portfolio: an order that it stops becomes a denial."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec.structs import replace

from ingenium.components.handle import ComponentHandle, Handled
from ingenium.components.portfolio_books import PortfolioBooks
from ingenium.components.risk_control import RiskControl, RiskHandlers
from ingenium.events import CancelEvent, DenialEvent, DenialReason, ExecutionEvent
from ingenium.ids import make_id
from ingenium.risk import TrackedView, oddity
from ingenium.risk.exposure import describe
from ingenium.trading.fill import Fill
from ingenium.trading.order import Order
from ingenium.trading.working_orders import WorkingOrder

__all__ = ["DenialHandlers", "PortfolioRisk"]


class DenialHandlers(RiskHandlers, Protocol):
    """Handlers of a portfolio for decisions of its risk gate."""

    def on_denied(self, event: DenialEvent) -> Handled:
        """Handle a denial: an order was not sent."""
        ...


class PortfolioRisk(RiskControl):
    """The risk gate of a portfolio.

    Args:
        handle: Handle of the portfolio.
        books: Its account and orders.
        report_problem: Reports a problem to an operator.
        handlers: Handlers of the portfolio.
    """

    def __init__(
        self,
        handle: ComponentHandle,
        books: PortfolioBooks,
        report_problem: Callable[[str], None],
        handlers: DenialHandlers,
    ) -> None:
        super().__init__(
            handle, lambda: TrackedView(books.account, books.orders), report_problem, handlers
        )
        self._books = books
        self._on_denied = handlers.on_denied

    def _on_halt(self) -> None:
        # Protective orders stay: they only ever make a position smaller.
        for order_id in list(self._books.orders.working):
            order = self._books.orders.active(order_id)
            if order is None:
                continue
            # A portfolio whose file was rebuilt gets the same event again while other orders work.
            identifier = self._handle.id_about("cancel", order_id)
            cancel = CancelEvent(id=identifier, order_id=order_id, symbol=order.symbol)
            self._handle.send(cancel, "cancel")
            self._books.note_cancel(identifier)

    def cut(self, order: Order) -> Order:
        """Cut a reversal to a close while trading is reducing, and report that."""
        gate = self.gate
        if gate is None:
            return order
        self.check_outside()
        part = gate.cut(order, self._view())
        if part is None:
            return order
        text = (
            f"{describe(order)} is cut to {describe(part)}: trading is set to reduce only by "
            f"{gate.switch.standing}, and the position is "
            f"{self._view().position(order.symbol):f}"
        )
        if self.is_simulated:
            self._report_problem(text)  # no event reports it, and the result has to
        else:
            self.report_denial(DenialReason.REDUCING, text)
        return part

    def denied(self, order: Order, old_id: str = "") -> Order | None:
        """Check an order against the gate, and publish a denial if it is denied.

        Args:
            order: The order, or the replacement of an old one.
            old_id: Id of the old one.

        Returns:
            The order with an id, when it must not be sent; ``None`` when it may.
        """
        gate = self.gate
        if gate is None:
            return None
        self.check_outside()
        before = gate.switch.state
        denial = self.check(
            order, self._books.orders.active(old_id), protective=self._books.orders.protects(old_id)
        )
        if denial is not None:
            detail = denial.detail
            if denial.is_exit:
                detail = self.note_denied_exit(order, denial.reason.value, detail)
            event = self.send_denial(denial.reason, detail, order.symbol)
            order = replace(order, id=make_id("order", event.id), timestamp=event.timestamp)
            event.order = order.to_event()
            self._books.orders.end(order)
            self.news.append(event)
            text = f"{denial.reason.value}: {detail}"
            self.report_denial(denial.reason, f"order {order.id!r} is denied: {text}")
        self.announce(before)
        return None if denial is None else order

    def send_denial(self, reason: DenialReason, detail: str, symbol: str) -> DenialEvent:
        """Publish a denial."""
        event = DenialEvent(
            component=self._handle.name, reason=reason, detail=detail, symbol=symbol
        )
        return self._handle.send(event, "denial")

    def inspect(
        self, event: ExecutionEvent, working: WorkingOrder | None, fill: Fill | None
    ) -> None:
        """Halt the symbol of an impossible execution."""
        symbol = event.symbol or ("" if working is None else working.order.symbol)
        reason = oddity(event, working, fill)
        if reason is not None and symbol:
            self.distrust(symbol, reason)
