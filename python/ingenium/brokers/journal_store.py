"""Contents of the journal: entries, positions and blocked symbols, and their rows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

import msgspec

from ingenium.brokers.broker import BrokerFill
from ingenium.brokers.journal_entry import JournalEntry
from ingenium.errors import ComponentError, ConfigError
from ingenium.events import Side
from ingenium.ids import make_id
from ingenium.state.rows import read_row, write_row
from ingenium.trading.money import EXACT, ZERO

__all__ = ["PREFIX", "JournalStore", "fill_key", "signed"]

PREFIX = "broker/"
"""Prefix of the keys of all rows."""

_KEPT = 10_000
_HEAD = f"{PREFIX}journal"
_KINDS = ("order", "position", "price", "blocked", "stranger", "unbookable")
_MOST_UNBOOKABLE = 1000


class _JournalRow(msgspec.Struct, omit_defaults=True):
    account: str
    count: int = 0
    last_fill: str = ""
    is_reconciled: bool = False
    adoptions: int = 0
    last_key: str = ""
    equal_at: datetime | None = None


class JournalStore:
    """The known state of one account, and its changes since it was saved.

    Args:
        account: Its name.

    Attributes:
        entries: Orders by id, oldest first: all that have not ended, and the newest that have.
        open: Orders that have not ended.
        positions: Shares or units by symbol that follow from the fills.
        prices: Price of the last fill read, by symbol.
        blocked: Symbols in which no order may be sent, and why.
        strangers: Fills of orders of other clients, by `fill_key`.
        unbookable: Why fills cannot be booked, by `BadFill.key`.
        changes: Number of changes of orders and positions since the start.
    """

    def __init__(self, account: str) -> None:
        self.entries: dict[str, JournalEntry] = {}
        self.open: dict[str, JournalEntry] = {}
        self.positions: dict[str, Decimal] = {}
        self.prices: dict[str, Decimal] = {}
        self.blocked: dict[str, str] = {}
        self.strangers: dict[str, BrokerFill] = {}
        self.unbookable: dict[str, str] = {}
        self.changes = 0
        self._head = _JournalRow(account)
        self._changed: set[str] = {_HEAD}

    @property
    def account(self) -> str:
        """The account's name."""
        return self._head.account

    @property
    def last_fill(self) -> str:
        """The broker's id of the last fill that was read; empty for none."""
        return self._head.last_fill

    @property
    def last_key(self) -> str:
        """The `fill_key` of that fill, since ids may repeat; empty where it is unknown."""
        return self._head.last_key

    @property
    def equal_at(self) -> datetime | None:
        """When the broker's positions last equaled the journal's, UTC; ``None`` for never."""
        return self._head.equal_at

    @property
    def is_reconciled(self) -> bool:
        """Whether the journal was ever reconciled with the broker."""
        return self._head.is_reconciled

    def add(self, entry: JournalEntry) -> None:
        """Add an order."""
        self._head.count += 1
        entry.number = self._head.count
        self._changed.add(_HEAD)
        self.entries[entry.order.id] = entry
        self.touch(entry.order.id)

    def touch(self, order_id: str) -> None:
        """Mark an order as changed."""
        self.changes += 1
        entry = self.entries[order_id]
        if entry.has_ended:
            self.open.pop(order_id, None)
        else:
            self.open[order_id] = entry
        self._changed.add(f"{PREFIX}order/{order_id}")

    def prune(self) -> None:
        """Forget the oldest orders that have ended, when there are many."""
        while len(self.entries) - len(self.open) > _KEPT:
            order_id = next(i for i in self.entries if i not in self.open)
            del self.entries[order_id]
            self._changed.add(f"{PREFIX}order/{order_id}")

    def read_to(self, fill: BrokerFill) -> None:
        """Advance the position up to which the broker's fills were read."""
        key = fill_key(fill)
        if (fill.id, key) != (self._head.last_fill, self._head.last_key):
            self._head.last_fill, self._head.last_key = fill.id, key
            self._changed.add(_HEAD)

    def was_equal(self, now: datetime) -> None:
        """Record when positions were compared and equal; written with the next change."""
        self._head.equal_at = now
        self._changed.add(_HEAD)

    def reconciled(self) -> None:
        """Record that the journal was reconciled with the broker."""
        self._head.is_reconciled = True
        self._changed.add(_HEAD)

    def count_adoption(self) -> int:
        """Count an adoption of a broker's position, and return the number of adoptions."""
        self._head.adoptions += 1
        self._changed.add(_HEAD)
        return self._head.adoptions

    def move(self, symbol: str, quantity: Decimal) -> None:
        """Change a position by a signed quantity."""
        held = EXACT.add(self.positions.get(symbol, ZERO), quantity)
        if held:
            self.positions[symbol] = held
        else:
            self.positions.pop(symbol, None)
        self._changed.add(f"{PREFIX}position/{symbol}")

    def saw_price(self, symbol: str, price: Decimal) -> None:
        """Record the price of a fill."""
        if price.is_finite() and price > 0 and self.prices.get(symbol) != price:
            self.prices[symbol] = price
            self._changed.add(f"{PREFIX}price/{symbol}")

    def block(self, symbol: str, reason: str) -> None:
        """Block a symbol: no more orders in it are sent."""
        self.blocked.setdefault(symbol, reason)
        self._changed.add(f"{PREFIX}blocked/{symbol}")

    def unblock_all(self) -> None:
        """Unblock all symbols, after an operator has checked."""
        self._changed |= {f"{PREFIX}blocked/{symbol}" for symbol in self.blocked}
        self.blocked.clear()

    def add_stranger(self, fill: BrokerFill) -> None:
        """Record a fill of an order of another client."""
        key = fill_key(fill)
        self.strangers[key] = fill
        self._changed.add(f"{PREFIX}stranger/{key}")

    def add_unbookable(self, key: str, text: str) -> None:
        """Record a fill that cannot be booked, so that it is reported once."""
        self.unbookable[key] = text
        self._changed.add(f"{PREFIX}unbookable/{key}")
        while len(self.unbookable) > _MOST_UNBOOKABLE:
            oldest = next(iter(self.unbookable))
            del self.unbookable[oldest]
            self._changed.add(f"{PREFIX}unbookable/{oldest}")

    def rows(self) -> dict[str, bytes]:
        """Return all rows, by key."""
        keys = {
            _HEAD,
            *(f"{PREFIX}{kind}/{key}" for kind in _KINDS for key in self._table(kind)),
        }
        return {key: write_row(self._value(key)) for key in sorted(keys)}

    def changed_rows(self) -> dict[str, bytes | None]:
        """Return the rows changed since the last call; ``None`` for a deleted one."""
        changed, self._changed = self._changed, set()
        found: dict[str, bytes | None] = {}
        for key in sorted(changed):
            value = self._value(key)
            found[key] = None if value is None else write_row(value)
        return found

    def restore(self, rows: Mapping[str, bytes]) -> None:
        """Restore the rows of `rows`.

        Raises:
            ConfigError: They are the journal of another account.
            ComponentError: A row cannot be read.
        """
        renamed: set[str] = set()
        for key, data in rows.items():
            kind, _, name = key.removeprefix(PREFIX).partition("/")
            if key == _HEAD:
                head = read_row(_JournalRow, data, key)
                if head.account != self.account:
                    raise ConfigError(
                        f"the journal belongs to account {head.account!r}, but the broker "
                        f"reports account {self.account!r}: use a separate INGENIUM_DATA_DIR for "
                        "each account"
                    )
                self._head = head
            elif kind == "order":
                self.entries[name] = read_row(JournalEntry, data, key)
            elif kind == "position":
                self.positions[name] = read_row(Decimal, data, key)
            elif kind == "price":
                self.prices[name] = read_row(Decimal, data, key)
            elif kind == "blocked":
                self.blocked[name] = read_row(str, data, key)
            elif kind == "stranger":
                fill = read_row(BrokerFill, data, key)
                self.strangers[fill_key(fill)] = fill
                if name != fill_key(fill):
                    # Older journals had them under the id alone, which may repeat.
                    renamed |= {key, f"{PREFIX}stranger/{fill_key(fill)}"}
            elif kind == "unbookable":
                self.unbookable[name] = read_row(str, data, key)
            else:
                raise ComponentError(
                    f"saved row {key!r} is of an unknown kind: a newer version of ingenium "
                    "wrote it, so use that version"
                )
        # The dictionaries are updated in place, as other objects hold them.
        entries = sorted(self.entries.items(), key=lambda item: item[1].number)
        self.entries.clear()
        self.entries.update(entries)
        self.open.clear()
        self.open.update((i, entry) for i, entry in entries if not entry.has_ended)
        self._changed = renamed

    def _table(self, kind: str) -> Mapping[str, object]:
        tables: dict[str, Mapping[str, object]] = {
            "order": self.entries,
            "position": self.positions,
            "price": self.prices,
            "blocked": self.blocked,
            "stranger": self.strangers,
            "unbookable": self.unbookable,
        }
        return tables[kind]

    def _value(self, key: str) -> object | None:
        if key == _HEAD:
            return self._head
        kind, _, name = key.removeprefix(PREFIX).partition("/")
        return self._table(kind).get(name)


def signed(side: Side, quantity: Decimal) -> Decimal:
    """Return a quantity, negative for a sell."""
    return quantity if side is Side.BUY else quantity.copy_negate()


def fill_key(fill: BrokerFill) -> str:
    """Return the key of a fill, unique in the account: its id alone may repeat."""
    return make_id("fill", fill.symbol, fill.client_order_id, fill.id)
