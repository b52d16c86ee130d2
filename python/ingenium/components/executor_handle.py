"""Handle of an executor: its risk gate, and the contents of orders received."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import ClassVar, Protocol

from ingenium.components.executor_risk import ExecutorRisk
from ingenium.components.handle import ComponentHandle, Handled
from ingenium.components.order_contents import CONTENT, KEPT, OrderContents, content_of
from ingenium.components.risk_control import GATE, RiskHandlers
from ingenium.errors import WireError
from ingenium.events import (
    CancelEvent,
    ControlEvent,
    DataEvent,
    Event,
    ExecutionEvent,
    OrderEvent,
    ReplaceEvent,
    TradeUpdate,
)
from ingenium.ids import make_id
from ingenium.state.rows import LogRow
from ingenium.trading.bar import Bar
from ingenium.trading.execution_report import ExecutionReport, LazyExecution
from ingenium.trading.money import ZERO
from ingenium.trading.numbers import format_decimal
from ingenium.trading.order import Order

__all__ = ["MAX_ORDER_AGE_SECONDS", "ExecutorHandle", "ExecutorHandlers", "unseen_reason"]

_log = logging.getLogger("ingenium.executor")

MAX_ORDER_AGE_SECONDS = 30.0
"""Older orders are not worked on live data: they were meant for another market."""


class ExecutorHandlers(RiskHandlers, Protocol):
    """The event handlers of an executor."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    def on_data(self, event: DataEvent) -> Handled:
        """Handle an event of market data."""
        ...

    def on_bar(self, bar: Bar) -> Handled:
        """Handle a bar."""
        ...

    def on_order(self, event: OrderEvent) -> Handled:
        """Handle an order."""
        ...

    def on_cancel(self, event: CancelEvent) -> Handled:
        """Handle a request to cancel an order."""
        ...

    def on_replace(self, event: ReplaceEvent) -> Handled:
        """Handle a request to replace an order."""
        ...

    def send_execution(self, event: ExecutionEvent) -> ExecutionEvent:
        """Send a report on an order."""
        ...

    def reject(
        self,
        event: OrderEvent | CancelEvent | ReplaceEvent,
        reason: str,
        update: TradeUpdate = TradeUpdate.REJECTED,
    ) -> None:
        """Send a report that rejects an order, or a request about one."""
        ...


class ExecutorHandle(ComponentHandle):
    """Handle of an executor.

    Its rows, beside those of every component: ``gate``, the state of its risk gate, and ``book/``,
    the gate's view of the account.

    Args:
        executor: The executor.
        own_data: Whether its class overrides ``on_data``.
        own_sends: Whether its class overrides ``send_execution``.
    """

    own_rows: ClassVar[Collection[str]] = ("book", GATE, *ComponentHandle.own_rows)
    log_kept: ClassVar[Mapping[str, int]] = MappingProxyType({CONTENT: KEPT})
    works_at_broker: ClassVar[bool] = False
    """Whether orders go to a real market, which no replay may do."""

    def __init__(
        self, executor: ExecutorHandlers, *, own_data: bool = True, own_sends: bool = True
    ) -> None:
        super().__init__(executor.name, "executor")
        self._executor = executor
        self._reads_bars = not own_data
        self._sends_as_is = not own_sends

        def report(text: str) -> None:
            self.report_problem(text)

        self.risk: ExecutorRisk = ExecutorRisk(self, report, executor)
        """The risk gate."""
        self.is_on_data_time = False
        """Whether orders are worked on the time of the bars on live data, too."""
        self.knows_instants = False
        """Whether `end_instant` is called after all data of an instant, as in a replay."""
        self._contents: OrderContents | None = None

    def report_problem(self, text: str) -> None:
        """Log a line."""
        _log.warning("%s: %s", self.name, text)

    # Events.

    def handle_data(self, event: DataEvent) -> Handled:
        """Give the price to the gate, then call `on_data`."""
        if self.risk.gate is not None:
            self.risk.account.mark(event)
            self.risk.observe(event)
        return self._executor.on_data(event)

    def observe(self, bar: Bar) -> bool:
        """Observe a bar; return whether `handle_bar` has to be called."""
        return True

    @property
    def is_holding(self) -> bool:
        """Whether work waits for the rest of the instant's data, and so for `end_instant`."""
        return False

    def end_instant(self) -> Handled:
        """Finish the work that waited for the rest of the instant's data.

        Events sent here count as sent by the last event.
        """
        return None

    def handle_bar(self, bar: Bar) -> Handled:
        """Call the handler for a bar whose event has not been made yet."""
        if self._reads_bars:
            return self._executor.on_bar(bar)
        return self._executor.on_data(bar.event)

    def handle_repeated(self, event: Event) -> Handled:
        """Handle an order or replacement whose id was handled before: it is never worked.

        One with other content is reported as rejected, and the first one keeps working.
        """
        self._reject_other(event)
        return None

    def handle_request(self, event: Event) -> Handled:
        """Call the handler of a request of a portfolio."""
        if self._reject_other(event):
            return None
        if isinstance(event, OrderEvent):
            return self._executor.on_order(event)
        if isinstance(event, CancelEvent):
            return self._executor.on_cancel(event)
        if isinstance(event, ReplaceEvent):
            return self._executor.on_replace(event)
        return None  # a denial, which other components handle

    def handle_order(self, order: Order) -> Handled:
        """Handle an order like `handle_request` its event, which has not been made yet."""
        return self.handle_request(order.to_event())

    def handle_late(self, event: Event, age_seconds: float) -> Handled:
        """Report an order that came too late as expired, and a replacement as rejected.

        Args:
            event: An order that was delayed, such as while this executor was down.
            age_seconds: Its age by the server's clock.
        """
        reason = (
            f"it is {age_seconds:.1f} s old, and no order is worked after "
            f"{MAX_ORDER_AGE_SECONDS:g} s"
        )
        if isinstance(event, OrderEvent):
            self.risk.alarm_if_exit(event, reason)
            self._executor.reject(event, reason, TradeUpdate.EXPIRED)
        elif isinstance(event, ReplaceEvent):
            self._executor.reject(event, reason)
        elif isinstance(event, CancelEvent):
            return self._executor.on_cancel(event)
        return None

    def handle_control(self, event: ControlEvent) -> None:
        """Apply a control event of an operator or another component."""
        self.risk.handle_control(event)

    def withdraw(self) -> None:
        """Drop events sent and not yet taken, and their effects."""
        self.risk.retract()
        super().withdraw()

    def hand_over(self) -> None:
        """Hand over reports as they are, unless a gate or the class wants the events."""
        self.hands_over = self.risk.gate is None and self._sends_as_is

    def send_report(self, report: ExecutionReport) -> None:
        """Send a report, without making its event where reports are handed over."""
        if self.hands_over:
            try:
                fill = report.fill()
            except WireError:
                pass  # Its event is refused where it is read.
            else:
                number = self.next_number()
                self.send_as_is(
                    LazyExecution(report, fill, self.name, self.cause, number, self.now)
                )
                return
        self._executor.send_execution(report.to_event())

    def learn_positions(self, positions: Mapping[str, Decimal]) -> None:
        """Start from the sum of the fills in the stream, on an executor without a state.

        Args:
            positions: By symbol, without the fills of orders that `end_unseen` is called for.
        """

    def end_unseen(self, order: Order, update: TradeUpdate, reports: Sequence[str]) -> None:
        """Report an order that is not worked, as it was sent before this executor's first start.

        Args:
            order: The order.
            update: ``EXPIRED``, or ``REJECTED`` for a replacement.
            reports: Ids of the reports on it; if there are any, an executor had it whose state is
                lost.
        """
        self._executor.reject(order.to_event(), unseen_reason(was_reported=bool(reports)), update)

    def _reject_other(self, event: Event) -> bool:
        """Report that a second order under a known id is not worked; return whether it is one.

        The remaining quantity of the first one is stated, since that keeps working.
        """
        if self._contents is None or not isinstance(event, OrderEvent | ReplaceEvent):
            return False
        known = self._contents.note(event)
        if not known:
            return False
        said = content_of(event)
        reason = (
            f"order id {event.id!r} is that of {known!r}, and comes again as {said!r}, which is "
            "not worked: use an id of its own for each order"
        )
        self.report_problem(reason)
        self._executor.send_execution(
            ExecutionEvent(
                id=make_id("exec", self.name, "other", event.id, said),
                order_id=event.id,
                symbol=event.symbol,
                side=event.side if isinstance(event, OrderEvent) else None,
                update=TradeUpdate.REJECTED.value,
                leaves_quantity=format_decimal(self.left_of(event.id)),
                reason=reason,
            )
        )
        return True

    # Saving.

    def remember_orders(self) -> None:
        """Distinguish from now on a repeated order from another one under its id.

        Called on live data, where other programs may publish orders too.
        """
        self._contents = OrderContents()

    def left_of(self, order_id: str) -> Decimal:
        """Return the remaining quantity of a working order; 0 when none has that id."""
        working = self.risk.account.orders.working.get(order_id)
        return ZERO if working is None else working.leaves

    def remembers(self, order_id: str) -> bool:
        """Whether the content of an order or replacement of that id is known here."""
        return self._contents is not None and order_id in self._contents

    def _component_rows(self) -> dict[str, bytes]:
        return super().state_rows() | self.risk.rows()

    def state_rows(self) -> dict[str, bytes]:
        """Return the complete state of this component; ``book/`` is the gate's view."""
        rows = self._component_rows()
        return rows if self.risk.gate is None else rows | self.risk.account.saved.rows()

    def changed_rows(self) -> dict[str, bytes | None]:
        """Return the rows that have changed since the last call; all of them the first time."""
        changes = self._given.changes("", self._component_rows())
        return changes if self.risk.gate is None else changes | self.risk.account.saved.changes()

    def restore_rows(self, rows: Mapping[str, bytes]) -> None:
        """Restore the rows of `state_rows`, on an executor that has handled nothing."""
        super().restore_rows(self.risk.account.saved.restore(rows))

    def _restore_row(self, key: str, data: bytes) -> None:
        if key == GATE:
            self.risk.restore(data)
        else:
            super()._restore_row(key, data)

    def take_log(self) -> list[LogRow]:
        """Return the contents of orders that are new since the last call, of kind ``content``."""
        return [] if self._contents is None else self._contents.take_log()

    def restore_log(self, rows: Iterable[LogRow]) -> None:
        """Restore rows of `take_log`."""
        super().restore_log(rows if self._contents is None else self._contents.restore_log(rows))


def unseen_reason(*, was_reported: bool) -> str:
    """Return why an order sent before the first start of an executor is not worked."""
    if was_reported:
        return "it was worked by an executor whose state is not here"
    return "it was sent before this executor was started for the first time"
