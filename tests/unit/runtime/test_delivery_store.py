"""The file of a component: all of a change or nothing, one owner, errors that name the file."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from ingenium.errors import StoreError
from ingenium.runtime.durable import Change, Outgoing, Store, StreamPosition


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "portfolio.db"


def change(number: int = 1) -> Change:
    return Change(
        positions=[StreamPosition("INGENIUM", "today", number)],
        seen=[f"signal_{number}"],
        rows={"account": b"%d" % number},
        log=[("trade", str(number), b"{}")],
        outbox=[Outgoing(f"order_{number}", "ingenium.portfolio.order", b"{}", {"A": "b"})],
    )


def test_change_is_read_back_after_the_file_was_closed(path: Path) -> None:
    store = Store.open(path, owner="me")
    store.commit(change(1))
    store.commit(change(2))
    store.close()
    store = Store.open(path, owner="me")
    assert store.position("INGENIUM") == StreamPosition("INGENIUM", "today", 2)
    assert store.position("OTHER") is None
    assert store.digest("signal_1") is not None
    assert store.digest("signal_3") is None
    assert store.rows() == {"account": b"2"}
    assert store.log("trade") == [("1", b"{}"), ("2", b"{}")]
    assert store.log("trade", 1) == [("2", b"{}")]
    assert store.log("trade", 0) == []
    assert store.log_size("trade") == 2
    first, second = store.outbox()
    assert (first.id, first.headers, first.number) == ("order_1", {"A": "b"}, 1)
    store.commit(Change(sent=[first.number], rows={"account": None}))
    assert store.outbox() == [second]
    assert store.rows() == {}
    store.close()


def test_change_that_fails_in_its_middle_leaves_nothing(path: Path) -> None:
    store = Store.open(path, owner="me")
    store.commit(change(1))
    bad = change(2)
    bad.log.append(("trade", "3", None))  # type: ignore[arg-type]
    with pytest.raises(StoreError, match=r"portfolio\.db: .*NOT NULL"):
        store.commit(bad)
    assert store.position("INGENIUM") == StreamPosition("INGENIUM", "today", 1)
    assert store.digest("signal_2") is None
    assert len(store.outbox()) == 1
    store.commit(change(2))
    store.close()


def test_numbers_of_the_outbox_are_never_used_again(path: Path) -> None:
    store = Store.open(path, owner="me")
    store.commit(change(1))
    store.commit(Change(sent=[1]))
    store.commit(change(2))
    assert [each.number for each in store.outbox()] == [2]
    store.close()


def test_lives_are_counted(path: Path) -> None:
    for life in (1, 2, 3):
        store = Store.open(path, owner="me")
        assert store.begin_life() == life
        store.close()


def test_file_in_use_is_refused_with_the_holder(path: Path) -> None:
    store = Store.open(path, owner="me")
    with pytest.raises(
        StoreError, match=r"in use by process \d+ on .*: a component may run only once"
    ):
        Store.open(path, owner="me")
    beside = Store.read(path)
    store.commit(change(1))
    assert beside.rows() == {"account": b"1"}
    with pytest.raises(StoreError, match="readonly"):
        beside.commit(change(2))
    beside.close()
    store.close()
    Store.open(path, owner="me").close()


def test_file_of_somebody_else_is_refused(path: Path) -> None:
    Store.open(path, owner="component a of app").close()
    with pytest.raises(StoreError, match="holds the state of component a of app, not of b"):
        Store.open(path, owner="b")


def test_file_that_is_no_database_is_refused(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"hello" * 1000)
    with pytest.raises(StoreError, match=r"cannot use .*portfolio\.db: file is not a database"):
        Store.open(path, owner="me")


def test_damaged_file_is_refused(path: Path) -> None:
    store = Store.open(path, owner="me")
    for number in range(300):
        store.commit(change(number))
    store.close()
    content = bytearray(path.read_bytes())
    content[8192:20480] = bytes(12288)
    path.write_bytes(bytes(content))
    with pytest.raises(StoreError, match=r"damaged|malformed"):
        Store.open(path, owner="me")


def test_file_of_a_later_version_is_refused(path: Path) -> None:
    Store.open(path, owner="me").close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 9")
    connection.close()
    with pytest.raises(StoreError, match=r"has format version 9, and this program reads version 2"):
        Store.open(path, owner="me")


def test_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(StoreError, match=r"cannot save state in .*state/portfolio\.db"):
        Store.open(tmp_path / "state" / "portfolio.db", owner="me")


def test_nothing_to_look_at_is_said(path: Path) -> None:
    with pytest.raises(StoreError, match="nothing has run with this data folder yet"):
        Store.read(path)
