"""The risk gate of an executor: the last check before the market."""

from __future__ import annotations

from collections.abc import Callable

from ingenium.components.handle import ComponentHandle
from ingenium.components.risk_control import RiskControl, RiskHandlers
from ingenium.errors import InvalidOrderError
from ingenium.events import ExecutionEvent, OrderEvent
from ingenium.risk import Denial, ExecutorAccount
from ingenium.trading.order import Order

__all__ = ["ExecutorRisk"]


class ExecutorRisk(RiskControl):
    """The risk gate of an executor, and the gate's view of the account.

    Args:
        handle: Handle of the executor.
        report_problem: Reports a problem to an operator.
        handlers: Handlers of the executor.
    """

    def __init__(
        self,
        handle: ComponentHandle,
        report_problem: Callable[[str], None],
        handlers: RiskHandlers,
    ) -> None:
        self.account = ExecutorAccount()
        """Positions and working orders as the gate sees them; kept only where there is a gate."""
        super().__init__(handle, lambda: self.account, report_problem, handlers)

    def admit(self, order: Order, replaces: Order | None = None) -> Denial | None:
        """Check an order against the risk gate, as the last step before the market.

        Args:
            order: The order, or the replacement of another.
            replaces: The replaced order.

        Returns:
            Why it must not go to the market: `Executor.reject` it with that text. ``None`` when it
            may; it counts as working then, so it has to go. ``None`` as well for one that was
            admitted before and is sent again: a rejection would end the order that works.
        """
        gate = self.gate
        orders = self.account.orders
        if gate is None or orders.active(order.id) is not None or orders.has_ended(order.id):
            return None
        self.check_outside()
        before = gate.switch.state
        protective = replaces is not None and orders.protects(replaces.id)
        denial = self.check(order, replaces, protective=protective)
        if denial is not None:
            if denial.is_exit:
                detail = self.note_denied_exit(order, denial.reason.value, denial.detail)
                denial = Denial(denial.reason, detail, is_exit=True)
            self.report_denial(denial.reason, f"order {order.id!r} is denied: {denial}")
        elif replaces is None:
            orders.add(order)
        else:
            orders.ask(replaces.id, order)
        self.announce(before)
        return denial

    def follow(self, event: ExecutionEvent) -> None:
        """Apply a sent report, and halt a symbol whose report cannot be true."""
        if self.gate is not None and (found := self.account.follow(event)) is not None:
            self.distrust(*found)

    def alarm_if_exit(
        self, order: Order | OrderEvent, reason: str, replaces: Order | None = None
    ) -> None:
        """Raise the alarm if an order that is not worked would only have reduced a position."""
        gate = self.gate
        if gate is None:
            return
        if isinstance(order, OrderEvent):
            try:
                order = Order.from_event(order)
            except InvalidOrderError:
                return
        if gate.is_exit(order, self.account, replaces):
            self.note_denied_exit(order, "not_worked", reason)
