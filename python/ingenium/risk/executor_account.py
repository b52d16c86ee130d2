"""The account of an executor, from its own executions and prices of market data."""

from __future__ import annotations

import logging
from decimal import Decimal

from ingenium.errors import DecodeError
from ingenium.events import DataEvent, ExecutionEvent, Side
from ingenium.risk.account_view import TrackedView
from ingenium.risk.execution_checks import oddity
from ingenium.trading.account import Account
from ingenium.trading.books import Books
from ingenium.trading.fill import Fill
from ingenium.trading.money import EXACT, ZERO
from ingenium.trading.order import Order
from ingenium.trading.order_tracker import OrderTracker, works_on

__all__ = ["ExecutorAccount"]

_log = logging.getLogger("ingenium.risk")


class ExecutorAccount(TrackedView):
    """The account of an executor.

    It starts flat; an executor adopts positions and working orders that it finds at its broker, or
    had before a restart. Cash comes from its own fills only, so only changes of the equity are
    meaningful.

    Attributes:
        account: Positions and prices.
        orders: The tracker of the orders.
        saved: Rows of both, without prices.
    """

    __slots__ = ("account", "orders", "saved")

    def __init__(self) -> None:
        self.account = Account(ZERO)
        self.orders = OrderTracker()
        self.saved = Books(self.account, self.orders, "book/")
        super().__init__(self.account, self.orders)

    def adopt(self, symbol: str, quantity: Decimal, price: Decimal) -> None:
        """Set the position in a symbol to the broker's.

        Args:
            symbol: Name of the instrument.
            quantity: The position, negative when short.
            price: The last price.
        """
        self.account.mark(symbol, price)
        change = EXACT.subtract(quantity, self.position(symbol))
        if change:
            side = Side.BUY if change > 0 else Side.SELL
            self.account.book(
                Fill(symbol=symbol, side=side, quantity=change.copy_abs(), price=price)
            )

    def mark(self, event: DataEvent) -> None:
        """Record the price of a market data event; an unreadable price is ignored."""
        if event.ohlc is not None:
            try:
                self.account.mark(event.symbol, event.ohlc.close)
            except DecodeError as error:
                _log.warning("price of %s is not updated: %s", event.symbol, error)

    def take(self, order: Order) -> None:
        """Record an order that works from now on."""
        self.orders.add(order)

    def ask(self, old: Order, new: Order) -> None:
        """Record a request to replace an order."""
        self.orders.ask(old.id, new)

    def follow(self, event: ExecutionEvent) -> tuple[str, str] | None:
        """Book the fill of an execution, and track its order.

        Returns:
            The symbol and the fault of an invalid execution; ``None`` for a valid one.
        """
        if works_on(event) or (event.id and self.account.has_booked(event.id)):
            return None
        working = self.orders.find(event.order_id, event.update)
        order = None if working is None else working.order
        symbol = event.symbol or ("" if order is None else order.symbol)
        last = None if event.price else self.account.price(symbol)
        try:
            fill = Fill.from_event(event, order, price=last)
        except DecodeError as error:
            _log.warning("execution %s cannot be booked: %s", event.id, error)
            fill = None
        if fill is not None:
            self.account.book(fill)
            # An executor needs only positions and prices.
            self.account.trim()
        if working is not None:
            self.orders.follow(working, event.update, fill)
        problem = oddity(event, working, fill)
        return None if problem is None or not symbol else (symbol, problem)
