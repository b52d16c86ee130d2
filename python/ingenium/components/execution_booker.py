"""Books the executions of a portfolio, and updates its orders from them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from decimal import Decimal

from ingenium.components.handle import ComponentHandle
from ingenium.components.portfolio_books import PortfolioBooks
from ingenium.components.portfolio_risk import PortfolioRisk
from ingenium.errors import DecodeError
from ingenium.events import ExecutionEvent, TradeUpdate
from ingenium.trading.execution_report import LazyExecution
from ingenium.trading.fill import Fill
from ingenium.trading.order import Order
from ingenium.trading.order_tracker import works_on
from ingenium.trading.recent_ids import RecentIds
from ingenium.trading.working_orders import WorkingOrder

__all__ = ["ExecutionBooker"]

_log = logging.getLogger("ingenium.portfolio")

_REJECTED = TradeUpdate.REJECTED.value


class ExecutionBooker:
    """Books executions for a portfolio.

    Args:
        handle: Handle of the portfolio.
        books: Its account and orders.
        risk: Checks booked executions.
        report_problem: Reports executions that could not be booked.
    """

    def __init__(
        self,
        handle: ComponentHandle,
        books: PortfolioBooks,
        risk: PortfolioRisk,
        report_problem: Callable[[str], None],
    ) -> None:
        self._handle = handle
        self._books = books
        self._risk = risk
        self._report_problem = report_problem
        self._reports = RecentIds()
        self._refusal: DecodeError | None = None

    def book(self, event: ExecutionEvent) -> bool:
        """Book the fill and update the order.

        Returns:
            Whether it is new: ``False`` for an id that has been handled before.
        """
        self._refusal = None
        if event.id and (self._books.account.has_booked(event.id) or event.id in self._reports):
            return False
        if works_on(event):
            if event.id:
                self._reports.add(event.id)
            self._report_problem(f"order {event.order_id!r} keeps working: {event.reason}")
            return True
        working = self._books.orders.find(event.order_id, event.update)
        fill = self._fill_of(event, working)
        if fill is not None:
            self._books.account.book(fill)
        elif event.id and self._refusal is None:
            self._reports.add(event.id)
        if working is None:
            self._report_stranger(event, fill)
        else:
            self._follow(working, event.update, event.reason, fill)
        if self._risk.gate is not None:
            self._risk.inspect(event, working, fill)
        return True

    def book_report(self, sent: LazyExecution) -> bool:
        """Book the fill of a report like `book`; return whether its order is the portfolio's."""
        report = sent.report
        update: str = report.update._value_
        working = self._books.orders.find(report.order.id, update)
        if working is None:
            return False
        if sent.fill is not None:
            self._books.account.book(sent.fill)
        self._follow(working, update, report.reason, sent.fill)
        return True

    def take_refusal(self) -> DecodeError | None:
        """Return why the last execution could not be booked."""
        refusal, self._refusal = self._refusal, None
        return refusal

    def _fill_of(self, event: ExecutionEvent, working: WorkingOrder | None) -> Fill | None:
        order = None if working is None else working.order
        key = event.id or self._handle.cause_id
        price = None if event.price else self._price_for(event, order, key)
        try:
            fill = Fill.from_event(event, order, price=price, time=self._handle.now)
        except DecodeError as error:
            self._report_problem(f"execution {event.id!r} of order {event.order_id!r}: {error}")
            self._refusal = error
            return None
        if fill is not None and not event.price:
            self._books.note_price(key, fill.price)
            self._report_problem(
                f"execution {event.id!r} of order {event.order_id!r} states no price: booked "
                f"{fill.quantity:f} {fill.symbol} at {fill.price:f}, the nearest known price"
            )
        return fill

    def _price_for(self, event: ExecutionEvent, order: Order | None, key: str) -> Decimal | None:
        """Return the nearest known price for an execution that states none.

        Such an execution has changed the position anyway.
        """
        if self._books.has_known_prices:
            return self._books.known_price(key)
        symbol = event.symbol or ("" if order is None else order.symbol)
        price = self._books.account.price(symbol)
        if price is None and order is not None:
            price = order.limit_price or order.stop_price
        return price

    def _report_stranger(self, event: ExecutionEvent, fill: Fill | None) -> None:
        if fill is not None:
            self._report_problem(
                f"execution {event.id!r} is of order {event.order_id!r}, which this portfolio "
                f"did not send: booked {fill.side.value} {fill.quantity:f} {fill.symbol} anyway"
            )
        elif event.order_id in self._books.cancels:
            _log.warning(
                "%s: %s was not canceled: %s", self._handle.name, event.order_id, event.reason
            )
        else:
            _log.info(
                "%s: report %s on order %s of another portfolio",
                self._handle.name,
                event.id,
                event.order_id,
            )

    def _follow(
        self, working: WorkingOrder, update: str | None, reason: str | None, fill: Fill | None
    ) -> None:
        order = working.order
        self._books.orders.follow(working, update, fill)
        if fill is not None and working.filled > order.quantity:
            self._report_problem(
                f"order {order.id!r} of {order.quantity:f} {order.symbol} is overfilled: "
                f"{working.filled:f} filled"
            )
        if update == _REJECTED:
            _log.warning("%s: order %s was rejected: %s", self._handle.name, order.id, reason)
