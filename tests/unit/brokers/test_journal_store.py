"""What the journal of an account saves, change by change."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from msgspec.structs import replace
from support.journal_orders import fill, order

from ingenium.brokers import journal_store
from ingenium.brokers.journal_entry import JournalEntry, OrderState
from ingenium.brokers.journal_store import PREFIX, JournalStore, fill_key, signed
from ingenium.errors import ComponentError, ConfigError
from ingenium.events import Side, TradeUpdate

D = Decimal
NOW = datetime(2024, 1, 2, 15, tzinfo=UTC)
HEAD = f"{PREFIX}journal"
STRANGER = fill("f1", order_id="")


def entry(order_id: str) -> JournalEntry:
    return JournalEntry(order=order(order_id), entered=NOW)


def ended(store: JournalStore, order_id: str) -> None:
    store.entries[order_id].state = OrderState.CANCELED
    store.entries[order_id].end = TradeUpdate.CANCELED
    store.touch(order_id)


# Each change, and the rows that it writes, besides the head where that is among them.
CHANGES: list[tuple[Callable[[JournalStore], object], list[str]]] = [
    (lambda s: s.add(entry("o1")), ["", "order/o1"]),
    (lambda s: s.add(entry("o2")), ["", "order/o2"]),
    (lambda s: s.touch("o1"), ["order/o1"]),
    (lambda s: ended(s, "o1"), ["order/o1"]),
    (lambda s: s.prune(), []),
    (lambda s: s.read_to(STRANGER), [""]),
    (lambda s: s.read_to(STRANGER), []),
    (lambda s: s.read_to(replace(STRANGER, symbol="B")), [""]),
    (lambda s: s.was_equal(NOW), [""]),
    (lambda s: s.reconciled(), [""]),
    (lambda s: s.count_adoption(), [""]),
    (lambda s: s.move("A", D(4)), ["position/A"]),
    (lambda s: s.move("A", D(-1)), ["position/A"]),
    (lambda s: s.move("A", D(-3)), ["position/A"]),
    (lambda s: s.saw_price("A", D("1.5")), ["price/A"]),
    (lambda s: s.saw_price("A", D("1.5")), []),
    (lambda s: s.saw_price("A", D(0)), []),
    (lambda s: s.saw_price("A", D(-1)), []),
    (lambda s: s.saw_price("A", D("NaN")), []),
    (lambda s: s.block("A", "first"), ["blocked/A"]),
    (lambda s: s.block("B", "another"), ["blocked/B"]),
    (lambda s: s.unblock_all(), ["blocked/A", "blocked/B"]),
    (lambda s: s.block("A", "again"), ["blocked/A"]),
    (lambda s: s.add_stranger(STRANGER), [f"stranger/{fill_key(STRANGER)}"]),
    (lambda s: s.add_unbookable("k", "a text"), ["unbookable/k"]),
]


def test_each_change_writes_its_rows_and_no_other_and_all_of_them_give_the_same_store() -> None:
    store = JournalStore("U1")
    saved = store.changed_rows()
    assert list(saved) == [HEAD]
    for change, expected in CHANGES:
        change(store)
        rows = store.changed_rows()
        assert sorted(rows) == sorted(f"{PREFIX}{name}" if name else HEAD for name in expected)
        saved.update(rows)
        for deleted in [key for key, row in saved.items() if row is None]:
            del saved[deleted]
        assert saved == store.rows()
        again = JournalStore("U1")
        again.restore(store.rows())
        assert again.rows() == store.rows()
        assert again.changed_rows() == {}
    assert (store.last_fill, store.is_reconciled, store.equal_at) == ("f1", True, NOW)
    assert store.count_adoption() == 2
    assert store.positions == {}
    assert store.prices == {"A": D("1.5")}
    assert store.blocked == {"A": "again"}
    assert list(store.open) == ["o2"]
    assert [entry.number for entry in store.entries.values()] == [1, 2]
    assert list(store.strangers.values()) == [STRANGER]


def test_first_reason_of_a_blocked_symbol_stays() -> None:
    store = JournalStore("U1")
    store.block("A", "first")
    store.block("A", "second")
    assert store.blocked == {"A": "first"}


def test_oldest_orders_that_have_ended_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_store, "_KEPT", 2)
    store = JournalStore("U1")
    for number in range(5):
        store.add(entry(f"o{number}"))
        if number != 1:
            ended(store, f"o{number}")
    store.changed_rows()
    store.prune()
    # Four have ended, and the one that works counts for nothing.
    assert list(store.entries) == ["o1", "o3", "o4"]
    assert store.changed_rows() == {f"{PREFIX}order/o0": None, f"{PREFIX}order/o2": None}


def test_oldest_unbookable_fills_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_store, "_MOST_UNBOOKABLE", 2)
    store = JournalStore("U1")
    for key in "abc":
        store.changed_rows()
        store.add_unbookable(key, f"text of {key}")
    assert store.unbookable == {"b": "text of b", "c": "text of c"}
    assert store.changed_rows() == {
        f"{PREFIX}unbookable/a": None,
        f"{PREFIX}unbookable/c": b'"text of c"',
    }


def test_orders_are_restored_in_the_order_in_which_they_came() -> None:
    store = JournalStore("U1")
    for name in ("z", "a", "m"):
        store.add(entry(name))
    ended(store, "a")
    again = JournalStore("U1")
    again.restore(store.rows())
    assert list(again.entries) == ["z", "a", "m"]
    assert list(again.open) == ["z", "m"]
    again.add(entry("b"))
    assert again.entries["b"].number == 4


def test_fill_of_a_stranger_under_an_older_key_is_moved() -> None:
    store = JournalStore("U1")
    store.add_stranger(STRANGER)
    key = f"{PREFIX}stranger/{fill_key(STRANGER)}"
    row = store.rows()[key]
    again = JournalStore("U1")
    again.restore({f"{PREFIX}stranger/f1": row})
    assert again.changed_rows() == {f"{PREFIX}stranger/f1": None, key: row}


def test_rows_of_the_first_format_are_read_and_written_in_the_format_of_all_state() -> None:
    old = {
        HEAD: b'{"account":"U1","count":1,"equal_at":"2024-01-02T15:00:00Z"}',
        f"{PREFIX}order/o1": b'{"order":{"symbol":"AAPL","side":"buy","quantity":"10","type":'
        b'"market","time_in_force":"day","limit_price":null,"stop_price":null,"trail_price":null,'
        b'"trail_percent":null,"take_profit":null,"stop_loss":null,"stop_loss_limit":null,'
        b'"extended_hours":false,"id":"o1","timestamp":null},"number":1,"entered":'
        b'"2024-01-02T15:00:00Z","filled":"4.0"}',
        f"{PREFIX}position/A": b'"4.0"',
        f"{PREFIX}price/A": b'"1.50"',
        f"{PREFIX}blocked/A": b'"why"',
    }
    store = JournalStore("U1")
    store.restore(old)
    assert store.equal_at == store.entries["o1"].entered == NOW
    assert (str(store.positions["A"]), str(store.prices["A"])) == ("4.0", "1.50")
    assert store.blocked == {"A": "why"}
    assert store.rows() == old | {
        HEAD: b'{"account":"U1","count":1,"equal_at":"2024-01-02T15:00:00.000000Z"}',
        f"{PREFIX}order/o1": b'{"entered":"2024-01-02T15:00:00.000000Z","filled":"4.0","number":1,'
        b'"order":{"extended_hours":false,"id":"o1","quantity":"10","side":"buy","symbol":"AAPL",'
        b'"time_in_force":"day","type":"market"}}',
    }
    again = JournalStore("U1")
    again.restore(store.rows())
    assert again.entries == store.entries


@pytest.mark.parametrize("row", ["order/o1", "position/A", "price/A", "blocked/A", "stranger/x"])
def test_row_that_cannot_be_read_is_named(row: str) -> None:
    with pytest.raises(ComponentError, match=f"saved row '{PREFIX}{row}' is .* cannot be read"):
        JournalStore("U1").restore({f"{PREFIX}{row}": b"{]"})


def test_journal_of_another_account_or_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match="account 'U2', but the broker reports account 'U1'"):
        JournalStore("U1").restore(JournalStore("U2").rows())
    with pytest.raises(ComponentError, match="unknown kind"):
        JournalStore("U1").restore({f"{PREFIX}coffee/x": b"1"})


def test_quantity_of_a_sell_is_negative() -> None:
    assert signed(Side.BUY, D(3)) == 3
    assert signed(Side.SELL, D(3)) == -3


def test_key_of_a_fill_tells_those_with_the_same_id_apart() -> None:
    others = [
        replace(STRANGER, symbol="B"),
        replace(STRANGER, client_order_id="o"),
        replace(STRANGER, id="f2"),
    ]
    assert len({fill_key(each) for each in (STRANGER, *others)}) == 4
    assert fill_key(replace(STRANGER, price=D(9))) == fill_key(STRANGER)
