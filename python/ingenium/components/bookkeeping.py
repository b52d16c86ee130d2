"""The books of a portfolio: its account and orders, and how they are saved."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import ClassVar

import msgspec

from ingenium.components.base import Component
from ingenium.events import CancelEvent, OrderEvent, ReplaceEvent
from ingenium.state.rows import LogRow, read_row, write_row
from ingenium.trading.account import Account
from ingenium.trading.books import Books
from ingenium.trading.money import Number
from ingenium.trading.order import Order
from ingenium.trading.order_tracker import REMEMBERED, OrderTracker

__all__ = ["BookKeeper"]

_REMEMBERED_CANCELS = 1_000


class _Priced(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """At which price an execution was booked that states none, behind how many others."""

    price: Decimal
    bookings: int


class BookKeeper(Component):
    """A component with an account and orders; the base of `Portfolio`.

    Its rows, beside those of every component:

    - ``account``: cash, commissions, what was earned, and counts.
    - ``holding/<symbol>``: one for each symbol that was ever traded.
    - ``orders``, ``order/<id>``: the working orders, with what is filled and their place.
    - ``leg/<id>``, ``asked/<id>``: protective orders, and those that are to replace others.
    - ``heir/<id>``: which order works in the place of one that was replaced.

    Its log has the kinds ``trade``, ``ended`` (an order), ``cancel`` (a request) and ``priced`` (an
    execution without a price, and the one at which it was booked).

    Not saved are last prices, which come with the next bars: until then `price` is ``None``.
    Neither are the ids of the executions that were booked: who runs a component does not hand in
    an event twice.

    Args:
        cash: What the account starts with.
        name: See `Component`.
    """

    log_kept: ClassVar[Mapping[str, int]] = MappingProxyType(
        {"ended": REMEMBERED, "cancel": _REMEMBERED_CANCELS, "trade": 0, "priced": 0}
    )
    """How many of the last rows of each kind `restore_log` needs to go on as if nothing had been.

    Of kind ``trade`` it needs none: those that are left out are counted in
    ``account.trades_before``. Those of kind ``priced`` are for who books the same anew.
    """

    def __init__(self, cash: Number, name: str | None) -> None:
        super().__init__(name)
        self.account = Account(cash)
        """Cash, positions and trades, booked from the executions."""
        self._orders = OrderTracker()
        # Requests to cancel, so that the report that one was too late is known for what it is.
        self._cancels: deque[str] = deque(maxlen=_REMEMBERED_CANCELS)
        self._unsaved_cancels: list[str] | None = None
        # Prices of executions that state none: those that are to be taken, and those that were.
        self._prices: dict[str, _Priced] | None = None
        self._unsaved_prices: list[LogRow] = []
        self._saved = Books(self.account, self._orders)

    def state_rows(self) -> dict[str, bytes]:
        """Return all that this portfolio must remember; see `BookKeeper` for the keys."""
        return super().state_rows() | self.book_rows()

    def book_rows(self) -> dict[str, bytes]:
        """Return the rows of its account and its orders."""
        return self._saved.rows()

    def changed_rows(self) -> dict[str, bytes | None]:
        """Return the rows that have changed since the last call; all of them the first time.

        It costs as much as the symbols and orders that were touched since.
        """
        return self._given.changes("", super().state_rows()) | self._saved.changes()

    def restore_rows(self, rows: Mapping[str, bytes]) -> None:
        """Take back what `state_rows` returned, on a portfolio that has handled nothing.

        Raises:
            ComponentError: A row has no place in this portfolio, or cannot be read; or it is not
                a new one.
        """
        super().restore_rows(self._saved.restore(rows))

    def take_log(self) -> list[LogRow]:
        """Return trades, ended orders and so on since the last call, of each kind in order.

        A trade's id is its number, from 1. An order that is filled after its end comes again; the
        last row counts.
        """
        cancels, self._unsaved_cancels = self._unsaved_cancels, []
        prices, self._unsaved_prices = self._unsaved_prices, []
        return [
            *self.account.take_log(),
            *self._orders.take_log(),
            *(("cancel", id, b"{}") for id in (self._cancels if cancels is None else cancels)),
            *prices,
        ]

    def restore_log(self, rows: Iterable[LogRow]) -> None:
        """Take back the last rows of `take_log`, oldest first; `log_kept` says how many.

        Raises:
            ComponentError: A row is of another kind, or cannot be read.
        """
        of_kind: dict[str, list[LogRow]] = {
            "trade": [],
            "ended": [],
            "cancel": [],
            "priced": [],
        }
        others: list[LogRow] = []
        for row in rows:
            of_kind.get(row[0], others).append(row)
        super().restore_log(others)
        self.account.restore_trades(of_kind["trade"])
        self._orders.restore_ended(of_kind["ended"])
        self._cancels.extend(id for _, id, _ in of_kind["cancel"])
        self._unsaved_cancels = []

    def withdraw(self) -> None:
        """Drop what was sent and not yet taken, and the orders of it."""
        for event in self.take():
            if isinstance(event, OrderEvent | ReplaceEvent):
                self._orders.withdraw(event.id)

    def recall(self, event: OrderEvent | ReplaceEvent | CancelEvent) -> None:
        """Take in what this portfolio has sent in an earlier life, in the order of sending.

        Raises:
            InvalidOrderError: It is no order that could have been sent.
        """
        if isinstance(event, CancelEvent):
            self._note_cancel(event.id)
        elif isinstance(event, OrderEvent):
            self._orders.add(Order.from_event(event))
        else:
            # The old one may have ended between the request and its place in the stream.
            old = self._orders.active(event.order_id) or self._orders.ended(event.order_id)
            if old is not None:
                self._orders.ask(event.order_id, old.replaced_by(event))

    def price_as(self, rows: Iterable[LogRow] | None) -> None:
        """Book executions that state no price as another life of this portfolio did, or not at all.

        Args:
            rows: Those of kind ``priced`` of its log; ``None`` to take the nearest known price from
                now on.

        Raises:
            ComponentError: One cannot be read.
        """
        self._prices = None
        if rows is not None:
            self._prices = {id: read_row(_Priced, data, f"{kind} {id}") for kind, id, data in rows}

    def _known_price(self, execution: str) -> Decimal | None:
        """Return the price at which an execution was booked at this point of the story."""
        known = None if self._prices is None else self._prices.get(execution)
        # One that came twice, and could be booked the second time only, is known by that.
        if known is None or known.bookings != self.account.bookings:
            return None
        return known.price

    def _note_price(self, execution: str, price: Decimal) -> None:
        """Take note of the price at which an execution that states none is booked."""
        row = write_row(_Priced(price, self.account.bookings))
        self._unsaved_prices.append(("priced", execution, row))

    def _note_cancel(self, request_id: str) -> None:
        self._cancels.append(request_id)
        if self._unsaved_cancels is not None:
            self._unsaved_cancels.append(request_id)
