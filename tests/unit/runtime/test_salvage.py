"""What is kept of a portfolio's damaged file, table by table, and what is said to be lost."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ingenium.bus import MemoryBus
from ingenium.bus.base import Incident, IncidentKind
from ingenium.bus.nats.stream_layout import MONEY_STREAM
from ingenium.components import Portfolio, arm
from ingenium.components.risk_control import GATE
from ingenium.errors import StoreDamagedError, StoreError
from ingenium.events import ExecutionEvent
from ingenium.runtime.durable import Change, Outgoing, Store, StreamPosition
from ingenium.runtime.durable.salvage import open_store, position_before_damage
from ingenium.runtime.durable.secret import META_KEY

MONEY = StreamPosition(MONEY_STREAM.name, "today", 7, "mark")
DATA = StreamPosition("DATA", "today", 3, "other")
ROWS: dict[str, bytes | None] = {
    "account": b'{"cash":"5"}',
    "holding/A": b'{"quantity":"3"}',
    "nameless": b"4",
}
SEEN = {"signal_1": b"one", "control_1": b"two"}


def make_file(path: Path, *, rows: dict[str, bytes | None] | None = None) -> None:
    store = Store.open(path, owner="me")
    for _ in range(3):
        store.begin_life()
    store.set_meta(META_KEY, "secret")
    store.commit(
        Change(
            positions=[MONEY, DATA],
            rows=ROWS if rows is None else rows,
            log=[("priced", "p1", b"1"), ("trade", "1", b"2")],
            outbox=[Outgoing("order_1", "ingenium.portfolio.order", b"{}", {"A": "b"})],
            seen=list(SEEN),
            digests=SEEN,
        )
    )
    store.close()


def damage(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as disk, disk:
        disk.execute(statement)


def salvaged(path: Path, portfolio: Portfolio) -> tuple[Store, str]:
    """Open a damaged file; return the new one, and what is reported."""
    bus = MemoryBus()
    incidents: list[Incident] = []
    bus.on_incident(incidents.append)
    store = open_store(bus, path, "me", portfolio)
    [incident] = incidents
    assert incident.kind is IncidentKind.GAP
    return store, incident.detail


UNSENT = "what it had still to send"
IDS = "the ids of what it handled"

# What is damaged, what is lost by that, and what the new file has: position before the damage,
# unsent messages, ids, lives, secret.
TABLES = [
    ("UPDATE state SET value = 'x' WHERE key = 'holding/A'", [], (True, 1, 2, "3", "secret")),
    ("UPDATE log SET value = 'x' WHERE kind = 'trade'", [], (True, 1, 2, "3", "secret")),
    ("UPDATE outbox SET payload = x'00'", [UNSENT], (True, 0, 2, "3", "secret")),
    (
        "UPDATE position SET sequence = 99",
        ["the signals that came since it was stopped"],
        (False, 1, 2, "3", "secret"),
    ),
    ("UPDATE inbox SET digest = x'00'", [IDS], (True, 1, 0, "3", "secret")),
    ("UPDATE meta SET value = '9' WHERE key = 'lives'", [], (True, 1, 2, "", "")),
]


@pytest.mark.parametrize(("statement", "lost", "expected"), TABLES)
def test_all_that_is_whole_is_kept(
    tmp_path: Path,
    statement: str,
    lost: list[str],
    expected: tuple[bool, int, int, str, str],
) -> None:
    path = tmp_path / "it.db"
    make_file(path)
    damage(path, statement)
    store, text = salvaged(path, Portfolio(5, name="p"))
    end = "the books of portfolio 'p' are made anew from the stream"
    without = f", without {', '.join(lost)}" if lost else ""
    assert text.endswith(f". It is kept as it.db.damaged-1, and {end}{without}")
    assert (tmp_path / "it.db.damaged-1").exists()
    has_place, unsent, ids, lives, id_secret = expected
    assert position_before_damage(store) == (MONEY if has_place else None)
    assert store.positions() == ([DATA] if has_place else [])
    assert [each.id for each in store.outbox()] == ["order_1"] * unsent
    assert len(dict(store.seen())) == ids
    assert store.meta(META_KEY) == id_secret
    if lives:
        assert store.meta("lives") == lives
    else:
        # Seconds since 1970, which no count of starts has reached.
        assert int(store.meta("lives")) > 1_700_000_000
    # Books come from the stream; other rows, and prices for the books, are kept.
    assert "account" not in store.rows()
    assert store.rows()["nameless"] == b"4"
    assert store.log("trade") == []
    assert [id for id, _ in store.log("priced")] == ([] if "log" in statement else ["p1"])
    store.close()
    # It is whole now.
    bus = MemoryBus()
    bus.on_incident(lambda incident: pytest.fail(incident.detail))
    open_store(bus, path, "me", Portfolio(5, name="p")).close()


def test_file_of_which_nothing_can_be_read_is_begun_again(tmp_path: Path) -> None:
    path = tmp_path / "it.db"
    for number in (1, 2):
        path.write_bytes(b"no database" * 1_000)
        store, text = salvaged(path, Portfolio(5, name="p"))
        assert text.endswith(f"from the stream, without {UNSENT}, its risk limits, {IDS}")
        assert (tmp_path / f"it.db.damaged-{number}").read_bytes() == b"no database" * 1_000
        assert store.rows() == {}
        assert int(store.meta("lives")) > 1_700_000_000
        store.close()


def test_limits_that_are_lost_are_said_and_what_operators_sent_is_handled_again(
    tmp_path: Path,
) -> None:
    path = tmp_path / "it.db"
    make_file(path, rows={"account": b"1", GATE: b"{}"})
    damage(path, f"UPDATE state SET value = 'x' WHERE key = '{GATE}'")
    portfolio = Portfolio(5, name="p")
    arm(portfolio)
    store, text = salvaged(path, portfolio)
    assert text.endswith("without what its risk limits had counted")
    assert dict(store.seen()) == {"signal_1": b"one"}
    store.close()


class Counting(Portfolio):
    """Keeps a state of its own."""

    count = 0

    def on_execution(self, event: ExecutionEvent) -> None:
        self.count += 1

    def get_state(self) -> object:
        return self.count

    def set_state(self, state: object) -> None:
        self.count = 7


def test_lost_state_of_a_class_refuses_the_start(tmp_path: Path) -> None:
    path = tmp_path / "it.db"
    make_file(path, rows={"account": b"1", "user": b"3"})
    damage(path, "UPDATE state SET value = 'x' WHERE key = 'user'")
    with pytest.raises(StoreDamagedError, match="what its class keeps"):
        open_store(MemoryBus(), path, "me", Counting(5, name="p"))
    assert path.exists()
    # Damage elsewhere leaves it.
    path.unlink()
    make_file(path, rows={"account": b"1", "user": b"3"})
    damage(path, "UPDATE state SET value = 'x' WHERE key = 'account'")
    store, _ = salvaged(path, Counting(5, name="p"))
    assert store.rows()["user"] == b"3"
    store.close()


def test_damaged_file_that_cannot_be_set_aside_stays(tmp_path: Path) -> None:
    path = tmp_path / "it.db"
    make_file(path)
    damage(path, "UPDATE outbox SET payload = x'00'")
    # Where the new file is to be written there is a folder.
    (tmp_path / "it.db.new").mkdir()
    with pytest.raises(StoreError, match=f"cannot set {path} aside: Is a directory"):
        open_store(MemoryBus(), path, "me", Portfolio(5, name="p"))
    assert path.exists()
    assert not (tmp_path / "it.db.damaged-1").exists()
