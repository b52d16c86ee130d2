"""How a portfolio books executions and follows its orders by them."""

from __future__ import annotations

import logging
from collections import deque
from decimal import Decimal

from ingenium.components.risk_gated_portfolio import RiskGatedPortfolio
from ingenium.errors import DecodeError
from ingenium.events import ExecutionEvent, TradeUpdate
from ingenium.trading.execution_report import LazyExecution
from ingenium.trading.fill import Fill
from ingenium.trading.money import Number
from ingenium.trading.order import Order
from ingenium.trading.order_tracker import works_on
from ingenium.trading.recent_ids import RecentIds
from ingenium.trading.tally import Tally
from ingenium.trading.working_orders import WorkingOrder

__all__ = ["BookingPortfolio"]

_log = logging.getLogger("ingenium.portfolio")

_REJECTED = TradeUpdate.REJECTED.value
_REMEMBERED_PROBLEMS = 1_000


class BookingPortfolio(RiskGatedPortfolio):
    """Base of `Portfolio`: takes executions into its books.

    Args:
        cash: What the account starts with.
        name: See `Component`.
    """

    def __init__(self, cash: Number, name: str | None) -> None:
        super().__init__(cash, name)
        self.problems: deque[str] = deque(maxlen=_REMEMBERED_PROBLEMS)
        """What could not be booked or acted upon, one line each; the last 1,000."""
        self._complaints = Tally()
        self._reports = RecentIds()
        self._refusal: DecodeError | None = None

    def book_execution(self, event: ExecutionEvent) -> bool:
        """Book the fill and follow the order.

        Returns:
            Whether it is new: ``False`` for one that has been handled before, by its id.
        """
        self._refusal = None
        if event.id and (self.account.has_booked(event.id) or event.id in self._reports):
            return False
        if works_on(event):
            if event.id:
                self._reports.add(event.id)
            self.report_problem(f"order {event.order_id!r} works on: {event.reason}")
            return True
        working = self._orders.find(event.order_id, event.update)
        fill = self._fill_of(event, working)
        if fill is not None:
            self.account.book(fill)
        elif event.id and self._refusal is None:
            self._reports.add(event.id)
        if working is None:
            self._report_stranger(event, fill)
        else:
            self._follow(working, event.update, event.reason, fill)
        if self.gate is not None:
            self._inspect(event, working, fill)
        return True

    def _book_report(self, sent: LazyExecution) -> bool:
        """Do as `book_execution` with the event of a report; whether it is of an order of ours."""
        report = sent.report
        update: str = report.update._value_
        working = self._orders.find(report.order.id, update)
        if working is None:
            return False
        if sent.fill is not None:
            self.account.book(sent.fill)
        self._follow(working, update, report.reason, sent.fill)
        return True

    def take_refusal(self) -> DecodeError | None:
        """Return why the last execution could not be booked."""
        refusal, self._refusal = self._refusal, None
        return refusal

    def report_problem(self, text: str) -> None:
        """Log a line and keep it in `problems`."""
        self.problems.append(text)
        self._complaints.add(text, self.now)
        _log.warning("%s: %s", self.name, text)

    def complaints(self, most: int) -> list[str]:
        """Return what is in `problems` and was there, put together, as lines for a result.

        Args:
            most: How many kinds of them.
        """
        return self._complaints.lines(most)

    def _fill_of(self, event: ExecutionEvent, working: WorkingOrder | None) -> Fill | None:
        order = None if working is None else working.order
        key = event.id or (self._cause if isinstance(self._cause, str) else self._cause.id)
        price = None if event.price else self._price_for(event, order, key)
        try:
            fill = Fill.from_event(event, order, price=price, time=self.now)
        except DecodeError as error:
            self.report_problem(f"execution {event.id!r} of order {event.order_id!r}: {error}")
            self._refusal = error
            return None
        if fill is not None and not event.price:
            self._note_price(key, fill.price)
            self.report_problem(
                f"execution {event.id!r} of order {event.order_id!r} states no price: booked "
                f"{fill.quantity:f} {fill.symbol} at {fill.price:f}, the nearest that is known"
            )
        return fill

    def _price_for(self, event: ExecutionEvent, order: Order | None, key: str) -> Decimal | None:
        """Return the price of an execution that states none, as near as it is known.

        It has changed the position all the same.
        """
        if self._prices is not None:
            return self._known_price(key)
        symbol = event.symbol or ("" if order is None else order.symbol)
        price = self.account.price(symbol)
        if price is None and order is not None:
            price = order.limit_price or order.stop_price
        return price

    def _report_stranger(self, event: ExecutionEvent, fill: Fill | None) -> None:
        if fill is not None:
            self.report_problem(
                f"execution {event.id!r} is of order {event.order_id!r}, which this portfolio did "
                f"not send: booked {fill.side.value} {fill.quantity:f} {fill.symbol} all the same"
            )
        elif event.order_id in self._cancels:
            _log.warning("%s: %s was not canceled: %s", self.name, event.order_id, event.reason)
        else:
            _log.info(
                "%s: report %s on order %s of somebody else", self.name, event.id, event.order_id
            )

    def _follow(
        self, working: WorkingOrder, update: str | None, reason: str | None, fill: Fill | None
    ) -> None:
        order = working.order
        self._orders.follow(working, update, fill)
        if fill is not None and working.filled > order.quantity:
            self.report_problem(
                f"order {order.id!r} of {order.quantity:f} {order.symbol} has been filled "
                f"with {working.filled:f}"
            )
        if update == _REJECTED:
            _log.warning("%s: order %s was rejected: %s", self.name, order.id, reason)
