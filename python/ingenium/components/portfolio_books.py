"""The books of a portfolio: its account and orders, and how they are saved."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from decimal import Decimal

import msgspec

from ingenium.events import CancelEvent, Event, OrderEvent, ReplaceEvent
from ingenium.state.rows import LogRow, read_row, write_row
from ingenium.trading.account import Account
from ingenium.trading.books import Books
from ingenium.trading.money import Number
from ingenium.trading.order import Order
from ingenium.trading.order_tracker import REMEMBERED, OrderTracker

__all__ = ["LOG_KEPT", "PortfolioBooks"]

_REMEMBERED_CANCELS = 1_000

LOG_KEPT = {"ended": REMEMBERED, "cancel": _REMEMBERED_CANCELS, "trade": 0, "priced": 0}
"""Number of last rows of each kind of the log that are needed to resume.

Of kind ``trade`` none: omitted ones are counted in ``account.trades_before``. Those of kind
``priced`` are for booking the same executions again.
"""


class _Priced(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """The price of an execution that states none, and the number of executions before it."""

    price: Decimal
    bookings: int


class PortfolioBooks:
    """The account and orders of a portfolio.

    Their rows:

    - ``account``: cash, commissions, realized P&L, and counts.
    - ``heir/<id>``: which order works in the place of one that was replaced.

    Their log has the kinds ``trade``, ``ended`` (an order), ``cancel`` (a request) and ``priced``
    (an execution without a price, and the one at which it was booked).

    Not saved are last prices, which come with the next bars, and the ids of booked executions: a
    runner does not pass an event twice.

    Args:
        cash: Initial cash of the account.
    """

    def __init__(self, cash: Number) -> None:
        self.account = Account(cash)
        """Cash, positions and trades, booked from the executions."""
        self.orders = OrderTracker()
        """The orders that work, and those that have ended."""
        # Requests to cancel, so that the report of a late one is recognized.
        self.cancels: deque[str] = deque(maxlen=_REMEMBERED_CANCELS)
        """Ids of the last requests to cancel an order."""
        self._unsaved_cancels: list[str] | None = None
        # Prices of executions that state none: those to be used, and those that were.
        self._prices: dict[str, _Priced] | None = None
        self._unsaved_prices: list[LogRow] = []
        self.saved = Books(self.account, self.orders)
        """The rows of account and orders."""

    def take_log(self) -> list[LogRow]:
        """Return trades, ended orders and so on since the last call, of each kind in order.

        A trade's id is its number, from 1. An order that is filled after its end comes again; the
        last row counts.
        """
        cancels, self._unsaved_cancels = self._unsaved_cancels, []
        prices, self._unsaved_prices = self._unsaved_prices, []
        return [
            *self.account.take_log(),
            *self.orders.take_log(),
            *(("cancel", id, b"{}") for id in (self.cancels if cancels is None else cancels)),
            *prices,
        ]

    def restore_log(self, rows: Iterable[LogRow]) -> None:
        """Restore the last rows of `take_log`, oldest first; `LOG_KEPT` says how many.

        Raises:
            ComponentError: A row cannot be read.
        """
        of_kind: dict[str, list[LogRow]] = {kind: [] for kind in LOG_KEPT}
        for row in rows:
            of_kind[row[0]].append(row)
        self.account.restore_trades(of_kind["trade"])
        self.orders.restore_ended(of_kind["ended"])
        self.cancels.extend(id for _, id, _ in of_kind["cancel"])
        self._unsaved_cancels = []

    def withdraw(self, sent: Iterable[Event]) -> None:
        """Drop the orders among events that are not sent."""
        for event in sent:
            if isinstance(event, OrderEvent | ReplaceEvent):
                self.orders.withdraw(event.id)

    def recall(self, event: OrderEvent | ReplaceEvent | CancelEvent) -> None:
        """Apply an event that this portfolio has sent in an earlier life; in the order of sending.

        Raises:
            InvalidOrderError: Such an order could not have been sent.
        """
        if isinstance(event, CancelEvent):
            self.note_cancel(event.id)
        elif isinstance(event, OrderEvent):
            self.orders.add(Order.from_event(event))
        else:
            # The old one may have ended between the request and its place in the stream.
            old = self.orders.active(event.order_id) or self.orders.ended(event.order_id)
            if old is not None:
                self.orders.ask(event.order_id, old.replaced_by(event))

    def price_as(self, rows: Iterable[LogRow] | None) -> None:
        """Book executions that state no price as another life of this portfolio did, or not at all.

        Args:
            rows: Rows of kind ``priced`` of its log; ``None`` to use the nearest known price from
                now on.

        Raises:
            ComponentError: A row cannot be read.
        """
        self._prices = None
        if rows is not None:
            self._prices = {id: read_row(_Priced, data, f"{kind} {id}") for kind, id, data in rows}

    @property
    def has_known_prices(self) -> bool:
        """Whether executions without a price are booked as another life did; see `price_as`."""
        return self._prices is not None

    def known_price(self, execution: str) -> Decimal | None:
        """Return the price at which an execution was booked at this point of the books."""
        known = None if self._prices is None else self._prices.get(execution)
        # Identifies an execution that came twice and could be booked the second time only.
        if known is None or known.bookings != self.account.bookings:
            return None
        return known.price

    def note_price(self, execution: str, price: Decimal) -> None:
        """Record the price at which an execution that states none is booked."""
        row = write_row(_Priced(price, self.account.bookings))
        self._unsaved_prices.append(("priced", execution, row))

    def note_cancel(self, request_id: str) -> None:
        """Record a request to cancel an order."""
        self.cancels.append(request_id)
        if self._unsaved_cancels is not None:
            self._unsaved_cancels.append(request_id)
