"""Persistence of the books of a simulated exchange."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from ingenium.errors import ComponentError
from ingenium.exchange.bracket import Bracket
from ingenium.exchange.calendars import Session
from ingenium.exchange.exchange_books import ExchangeBooks, WorkedBar
from ingenium.exchange.fill_counters import FillCounters
from ingenium.exchange.resting_order import RestingOrder
from ingenium.state.rows import LogRow, RowWatch, read_row, write_json, write_row
from ingenium.trading import Order
from ingenium.trading.money import ZERO

__all__ = ["ExchangeSnapshot"]

_LEDGER = "ledger/"
_NEVER = datetime.min.replace(tzinfo=UTC)
_CURE = "start the executor with the arguments of the saved run, or with an empty state"


class _Resting(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """The saved state of a `RestingOrder`."""

    order: Order
    submitted: datetime
    leaves: Decimal
    filled: Decimal
    is_triggered: bool
    is_announced: bool
    opening: Decimal
    expected_price: Decimal
    number: int
    stop: Decimal | None = None
    best: Decimal | None = None
    session: Session | None = None
    value: Decimal = ZERO

    @classmethod
    def of(cls, resting: RestingOrder) -> _Resting:
        return cls(*(getattr(resting, name) for name in cls.__struct_fields__))

    def make(self) -> RestingOrder:
        resting = RestingOrder(self.order, self.submitted)
        for name in self.__struct_fields__:
            setattr(resting, name, getattr(self, name))
        return resting


class _BracketRow(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """The saved state of a `Bracket`."""

    entry: Order
    legs: list[_Resting]
    is_entry_working: bool
    is_sure: bool
    is_over: bool
    number: int
    entered_at: datetime | None = None

    @classmethod
    def of(cls, bracket: Bracket) -> _BracketRow:
        at, is_sure, is_over = bracket.entered
        legs = [_Resting.of(leg) for leg in bracket.legs]
        working = bracket.is_entry_working
        return cls(bracket.entry, legs, working, is_sure, is_over, bracket.number, at)

    def make(self) -> Bracket:
        bracket = Bracket(self.entry, _NEVER)  # the legs have the actual time
        bracket.restore(
            [leg.make() for leg in self.legs],
            (self.entered_at, self.is_sure, self.is_over),
            is_entry_working=self.is_entry_working,
            number=self.number,
        )
        return bracket


class _Exchange(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """The saved state of the exchange as a whole."""

    added: int
    notes: FillCounters
    has_ledger: bool


class ExchangeSnapshot:
    """Saves and restores the books of an exchange, as rows and a log.

    The rows:

    - ``exchange``: the notes, and counts.
    - ``order/<id>``: a working order with its fills, state and sequence number.
    - ``bracket/<id of the entry>``: the protective orders of an order.
    - ``close/<symbol>``, ``position/<symbol>``: the last close, and the position.
    - ``bar/<symbol>``: end and length of the last matched bar.
    - ``ledger/account``, ``ledger/holding/<symbol>``: cash and shares, if they are limited.

    The log has one kind, ``seen``: known order ids, by which repeated orders are recognized.
    Policy, fees, slippage and calendars are not saved: they are arguments, and must be the same
    after a restart.

    Args:
        books: The books to save.
    """

    def __init__(self, books: ExchangeBooks) -> None:
        self._books = books
        self._watch = RowWatch(self)

    def state_rows(self) -> dict[str, bytes]:
        """Return the complete state of the exchange, as small JSON rows by key."""
        return self._watch.rows()

    def changed_rows(self) -> dict[str, bytes | None]:
        """Return the rows that have changed since the last call; all of them the first time.

        The cost is proportional to the symbols that had a bar or a request since.

        Returns:
            Rows by key; ``None`` for a row to delete.
        """
        return self._watch.changes()

    def restore_rows(self, rows: Mapping[str, bytes]) -> None:
        """Restore the result of `state_rows` into an exchange that has handled nothing.

        Raises:
            ComponentError: A row is unknown or unreadable; the exchange is not new, or has other
                limits on cash and shorts.
        """
        books, book = self._books, self._books.working
        if books.closes or book.added:
            raise ComponentError("exchange has already handled events: restore into a new exchange")
        resting: list[RestingOrder] = []
        brackets: list[Bracket] = []
        of_ledger: dict[str, bytes] = {}
        for key, data in sorted(rows.items()):
            kind, _, name = key.partition("/")
            if kind == "exchange":
                self._restore_whole(read_row(_Exchange, data, key))
            elif kind == "order":
                resting.append(read_row(_Resting, data, key).make())
            elif kind == "bracket":
                brackets.append(read_row(_BracketRow, data, key).make())
            elif kind == "close":
                books.closes[name] = read_row(str, data, key)
            elif kind == "bar":
                books.worked[name] = read_row(WorkedBar, data, key)
            elif kind == "position":
                books.positions[name] = read_row(Decimal, data, key)
            elif kind == "ledger":
                of_ledger[name] = data
            else:
                raise ComponentError(
                    f"exchange does not know the saved row {key!r}: run the class of component "
                    "that saved it, or start with an empty state"
                )
        books.ledger.account.restore(of_ledger)
        for each in sorted(resting, key=lambda each: each.number):
            book.put(each)
        for bracket in sorted(brackets, key=lambda bracket: bracket.number):
            book.put_bracket(bracket)
        self.changed_rows()

    def take_log(self) -> list[LogRow]:
        """Return the order ids first seen since the last call, as rows of kind ``seen``."""
        return [("seen", order_id, b"{}") for order_id in self._books.working.take_known()]

    def restore_log(self, rows: Iterable[LogRow]) -> None:
        """Restore rows of `take_log`; all, or the newest.

        Older orders count as unknown from then on.

        Raises:
            ComponentError: A row is of another kind.
        """
        ids: list[str] = []
        for kind, order_id, _ in rows:
            if kind != "seen":
                raise ComponentError(
                    f"exchange does not know the saved row {order_id!r} of kind {kind!r}: run "
                    "the class of component that saved it, or start with an empty state"
                )
            ids.append(order_id)
        self._books.working.restore_known(ids)

    # The interface for `RowWatch`.

    def sections(self) -> Iterable[str]:
        """Return the row sections: the symbols, and ``""`` for the exchange itself."""
        # No order is accepted before its symbol has had data.
        return ["", *self._books.closes]

    def rows_of(self, section: str) -> dict[str, bytes]:
        """Return the current rows of a section."""
        books, book, ledger = self._books, self._books.working, self._books.ledger
        rows: dict[str, bytes] = {}
        if not section:
            has_ledger = not ledger.forbids_nothing
            rows["exchange"] = write_row(_Exchange(book.added, books.notes, has_ledger))
        else:
            if section in books.closes:
                close = books.closes[section]
                text = close if isinstance(close, str) else close.texts.close
                rows[f"close/{section}"] = write_json(text)
            if section in books.positions:
                rows[f"position/{section}"] = write_json(format(books.positions[section], "f"))
            if section in books.worked:
                rows[f"bar/{section}"] = write_row(books.worked[section])
            for order_id, resting in book.orders.get(section, {}).items():
                rows[f"order/{order_id}"] = write_row(_Resting.of(resting))
            for order_id, bracket in book.brackets.get(section, {}).items():
                rows[f"bracket/{order_id}"] = write_row(_BracketRow.of(bracket))
        if not ledger.forbids_nothing:
            for key, data in ledger.account.rows_of(section).items():
                rows[_LEDGER + key] = data
        return rows

    def take_touched(self) -> Iterable[str] | None:
        """Return the sections that may have changed since the last call; see `SectionedRows`."""
        book = self._books.working
        touched, book.touched = book.touched, set()
        return None if touched is None else touched | {""}

    def _restore_whole(self, row: _Exchange) -> None:
        if row.has_ledger == self._books.ledger.forbids_nothing:
            was = "with" if row.has_ledger else "without"
            raise ComponentError(
                f"exchange was saved {was} a limit on cash or shorts, and this exchange differs: "
                f"{_CURE}"
            )
        self._books.working.added = row.added
        for name in FillCounters.__dataclass_fields__:
            setattr(self._books.notes, name, getattr(row.notes, name))
