"""Executors turn orders into executions."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import ClassVar

from ingenium.components.base import Handled
from ingenium.components.order_contents import CONTENT, KEPT, OrderContents, content_of
from ingenium.components.overrides import overrides_of
from ingenium.components.risk_gated import RiskGated
from ingenium.errors import InvalidOrderError, SubjectError, WireError
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
from ingenium.ids import make_id
from ingenium.risk import Denial, ExecutorAccount
from ingenium.state.rows import LogRow
from ingenium.subjects.names import check_symbol
from ingenium.trading.bar import Bar
from ingenium.trading.execution_report import ExecutionReport, LazyExecution
from ingenium.trading.money import ZERO
from ingenium.trading.numbers import format_decimal
from ingenium.trading.order import Order

__all__ = ["Executor", "unseen_reason"]

_log = logging.getLogger("ingenium.executor")


class Executor(RiskGated):
    """Turns orders into executions, at a broker or on a simulated exchange.

    Within one instant an executor sees the market data first and then the orders.

    Args:
        name: See `Component`.

    Raises:
        ComponentError: The name does not fit.
    """

    role = "executor"
    own_rows: ClassVar[Collection[str]] = ("book", *RiskGated.own_rows)
    log_kept: ClassVar[Mapping[str, int]] = MappingProxyType({CONTENT: KEPT})
    """How many of the last rows of each kind `restore_log` needs."""
    works_at_broker: ClassVar[bool] = False
    """Whether orders leave for a real market, which no replay may do."""
    is_on_data_time: bool = False
    """Whether orders are worked on the time of the bars on live data, too."""
    max_order_age_seconds: float = 30.0
    """Older orders are not worked in live running: they were meant for another market."""
    knows_instants: bool = False
    """Whether `end_instant` is called when all data of an instant is here, as in a replay."""

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name)
        self.book = ExecutorAccount()
        """The account as the gate sees it; kept only where there is a gate."""
        self._contents: OrderContents | None = None
        self._takes_bars = "on_data" not in overrides_of(self, Executor)

    def state_rows(self) -> dict[str, bytes]:
        """Return all that this component must remember; ``book/`` is what its gate looks at."""
        rows = super().state_rows()
        return rows if self.gate is None else rows | self.book.saved.rows()

    def changed_rows(self) -> dict[str, bytes | None]:
        """Return the rows that have changed since the last call; all of them the first time."""
        changes = self._given.changes("", super().state_rows())
        return changes if self.gate is None else changes | self.book.saved.changes()

    def restore_rows(self, rows: Mapping[str, bytes]) -> None:
        """Take back what `state_rows` returned, on an executor that has handled nothing."""
        super().restore_rows(self.book.saved.restore(rows))

    def on_data(self, event: DataEvent) -> Handled:
        """Handle an event of market data; parses its bar and calls `on_bar` unless overridden."""
        if event.ohlc is None:
            return None
        return self.on_bar(Bar.from_event(event, self.now))

    def on_bar(self, bar: Bar) -> Handled:
        """Handle a bar; executors that ask a broker for prices ignore it."""
        return None

    def observe(self, bar: Bar) -> bool:
        """Take note of a bar, and say whether `handle_bar` has anything to do with it."""
        return True

    @property
    def is_holding(self) -> bool:
        """Whether something waits for the rest of the instant's data, and so for `end_instant`."""
        return False

    def end_instant(self) -> Handled:
        """Finish what waited for the rest of the instant's data; for those who run components.

        What it sends counts as sent by the last event.
        """
        return None

    def handle_bar(self, bar: Bar) -> Handled:
        """Do as `on_data` with the bar's event; for those who run components."""
        if self._takes_bars:
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
            event: Its empty ``id`` and ``timestamp`` are filled; an empty ``quantity`` becomes
                ``"0"``, since readers in other languages parse it before they look at ``update``.

        Returns:
            The same event.

        Raises:
            SubjectError: Its symbol cannot be part of a subject; nothing is sent.
        """
        if not event.quantity:
            event.quantity = "0"
        event = self._send(event, "exec")
        if self.gate is not None and (found := self.book.follow(event)) is not None:
            self._distrust(*found)
        return event

    def send_report(self, report: ExecutionReport) -> None:
        """Do as `send_execution` with the event of a report."""
        if self.hands_over:
            try:
                fill = report.fill()
            except WireError:
                pass  # as an event it is found out by who reads it
            else:
                number = self._next_number()
                self._hand_over(
                    LazyExecution(report, fill, self.name, self._cause, number, self.now)
                )
                return
        self.send_execution(report.to_event())

    def admit(self, order: Order, replaces: Order | None = None) -> Denial | None:
        """Hold an order against the risk gate, as the last thing before the market.

        Args:
            order: The order, or what is to take the place of another.
            replaces: That other one.

        Returns:
            Why it must not go to the market: `reject` it with that text. ``None`` when it may; it
            counts as working then, so it has to go. ``None`` as well for one that was admitted
            before and is sent again: a rejection would end the order that works.
        """
        gate = self.gate
        orders = self.book.orders
        if gate is None or orders.active(order.id) is not None or orders.has_ended(order.id):
            return None
        self.check_outside()
        before = gate.switch.state
        protective = replaces is not None and orders.protects(replaces.id)
        denial = self._check(order, replaces, protective=protective)
        if denial is not None:
            if denial.is_exit:
                detail = self._note_denied_exit(order, denial.reason.value, denial.detail)
                denial = Denial(denial.reason, detail, is_exit=True)
            self._report_denial(denial.reason, f"order {order.id!r} is denied: {denial}")
        elif replaces is None:
            orders.add(order)
        else:
            orders.ask(replaces.id, order)
        self._announce(before)
        return denial

    def _alarm_if_exit(
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
        if gate.is_exit(order, self.book, replaces):
            self._note_denied_exit(order, "not_worked", reason)

    # What follows is called by those who run components.

    def handle_data(self, event: DataEvent) -> Handled:
        """Take note of the price for the gate, then call `on_data`."""
        if self.gate is not None:
            self.book.mark(event)
            self._look(event)
        return self.on_data(event)

    def report_problem(self, text: str) -> None:
        """Log a line."""
        _log.warning("%s: %s", self.name, text)

    def _view(self) -> ExecutorAccount:
        return self.book

    def remember_orders(self) -> None:
        """Tell from now on an order that comes again from another one under its id.

        For who runs a component live, where others may publish orders too.
        """
        self._contents = OrderContents()

    def take_log(self) -> list[LogRow]:
        """Return what orders said that were new since the last call, of kind ``content``."""
        return [] if self._contents is None else self._contents.take_log()

    def restore_log(self, rows: Iterable[LogRow]) -> None:
        """Take back rows of `take_log`."""
        super().restore_log(rows if self._contents is None else self._contents.restore_log(rows))

    def left_of(self, order_id: str) -> Decimal:
        """Return what is left of an order that works here; 0 when none of that id does."""
        working = self.book.orders.working.get(order_id)
        return ZERO if working is None else working.leaves

    def remembers(self, order_id: str) -> bool:
        """Whether what an order or replacement of that id said is known here."""
        return self._contents is not None and order_id in self._contents

    def handle_repeated(self, event: Event) -> Handled:
        """Handle an order or replacement whose id was handled before: it is never worked.

        One with other content is reported as rejected, and the one that was first works on.
        """
        self._reject_other(event)
        return None

    def handle_request(self, event: Event) -> Handled:
        """Call the handler for what a portfolio sent; for those who run components."""
        if self._reject_other(event):
            return None
        if isinstance(event, OrderEvent):
            return self.on_order(event)
        if isinstance(event, CancelEvent):
            return self.on_cancel(event)
        if isinstance(event, ReplaceEvent):
            return self.on_replace(event)
        return None  # a denial, which is for others to see

    def hand_over(self) -> None:
        """Hand over reports as they are, unless a gate or somebody's own code wants the events."""
        own = overrides_of(self, Executor)
        self.hands_over = self.gate is None and "send_execution" not in own

    def handle_order(self, order: Order) -> Handled:
        """Do as `handle_request` with the event of an order; for those who run components."""
        return self.handle_request(order.to_event())

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
            self._alarm_if_exit(event, reason)
            self.reject(event, reason, TradeUpdate.EXPIRED)
        elif isinstance(event, ReplaceEvent):
            self.reject(event, reason)
        elif isinstance(event, CancelEvent):
            return self.on_cancel(event)
        return None

    def learn_positions(self, positions: Mapping[str, Decimal]) -> None:
        """Take in what the fills in the stream come to, on an executor without a state.

        Args:
            positions: By symbol, without the fills of orders that `end_unseen` tells of.
        """

    def end_unseen(self, order: Order, update: TradeUpdate, reports: Sequence[str]) -> None:
        """Report an order that nobody works: it was sent before this executor was first started.

        Args:
            order: Which.
            update: ``EXPIRED``, or ``REJECTED`` for one that was to take another's place.
            reports: Ids of the reports on it; where there are some, an executor had it whose state
                is not here.
        """
        self.reject(order.to_event(), unseen_reason(was_reported=bool(reports)), update)

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

    def _reject_other(self, event: Event) -> bool:
        """Report that a second order under a known id is not worked; return whether it is one.

        What is left of the first one is stated, since that works on.
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
        self.send_execution(
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


def unseen_reason(*, was_reported: bool) -> str:
    """Say why an order that was sent before the first start of an executor is not worked."""
    if was_reported:
        return "it was worked by an executor whose state is not here"
    return "it was sent before this executor was started for the first time"
