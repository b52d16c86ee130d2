"""What a risk gate does for a portfolio."""

from __future__ import annotations

from abc import abstractmethod

from msgspec.structs import replace

from ingenium.components.bookkeeping import BookKeeper
from ingenium.components.risk_gated import RiskGated
from ingenium.events import CancelEvent, DenialEvent, DenialReason, ExecutionEvent
from ingenium.ids import make_id
from ingenium.risk import TrackedView, oddity
from ingenium.risk.exposure import describe
from ingenium.trading.fill import Fill
from ingenium.trading.order import Order
from ingenium.trading.working_orders import WorkingOrder

__all__ = ["RiskGatedPortfolio"]


class RiskGatedPortfolio(BookKeeper, RiskGated):
    """Base of `Portfolio`: an order that its gate stops becomes a denial."""

    def withdraw(self) -> None:
        """Drop what was sent and not yet taken, and what follows from it."""
        self._retract()
        super().withdraw()

    @abstractmethod
    def cancel_order(self, order_id: str) -> CancelEvent | None:
        """Ask to cancel an order; see `Portfolio`."""

    def _view(self) -> TrackedView:
        return TrackedView(self.account, self._orders)

    def _on_halt(self) -> None:
        # Protective orders stay: they only ever make a position smaller.
        for order_id in list(self._orders.working):
            order = self._orders.active(order_id)
            if order is None:
                continue
            # A portfolio whose file was made anew hears the same word again while others work.
            identifier = self._id_about("cancel", order_id)
            cancel = CancelEvent(id=identifier, order_id=order_id, symbol=order.symbol)
            self._send(cancel, "cancel")
            self._note_cancel(identifier)

    def _cut(self, order: Order) -> Order:
        """Cut a reversal to a close while trading only reduces, and say so."""
        gate = self.gate
        if gate is None:
            return order
        self.check_outside()
        part = gate.cut(order, self._view())
        if part is None:
            return order
        text = (
            f"{describe(order)} is cut to {describe(part)}: trading only reduces by "
            f"{gate.switch.standing}, and the position is "
            f"{self._view().position(order.symbol):f}"
        )
        if self.is_simulated:
            self.report_problem(text)  # no event says so, and the result is to
        else:
            self._report_denial(DenialReason.REDUCING, text)
        return part

    def _denied(self, order: Order, old_id: str = "") -> Order | None:
        """Hold an order against the gate, and say so on the bus if it is denied.

        Args:
            order: The order, or what is to take the place of an old one.
            old_id: Id of that.

        Returns:
            The order with an id, when it must not be sent; ``None`` when it may.
        """
        gate = self.gate
        if gate is None:
            return None
        self.check_outside()
        before = gate.switch.state
        denial = self._check(
            order, self._orders.active(old_id), protective=self._orders.protects(old_id)
        )
        if denial is not None:
            detail = denial.detail
            if denial.is_exit:
                detail = self._note_denied_exit(order, denial.reason.value, detail)
            event = self._send_denial(denial.reason, detail, order.symbol)
            order = replace(order, id=make_id("order", event.id), timestamp=event.timestamp)
            event.order = order.to_event()
            self._orders.end(order)
            self.news.append(event)
            text = f"{denial.reason.value}: {detail}"
            self._report_denial(denial.reason, f"order {order.id!r} is denied: {text}")
        self._announce(before)
        return None if denial is None else order

    def _send_denial(self, reason: DenialReason, detail: str, symbol: str) -> DenialEvent:
        event = DenialEvent(component=self.name, reason=reason, detail=detail, symbol=symbol)
        return self._send(event, "denial")

    def _inspect(
        self, event: ExecutionEvent, working: WorkingOrder | None, fill: Fill | None
    ) -> None:
        """Halt the symbol of an execution that must not be."""
        symbol = event.symbol or ("" if working is None else working.order.symbol)
        reason = oddity(event, working, fill)
        if reason is not None and symbol:
            self._distrust(symbol, reason)
