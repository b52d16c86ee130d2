"""Files of components that were damaged on the disk: refused with words, or as they were."""

from __future__ import annotations

import re
import shutil
import sqlite3
from pathlib import Path
from random import Random

import pytest

from ingenium.errors import StoreDamagedError, StoreError
from ingenium.runtime.durable import Change, Outgoing, Store, StreamPosition

_SEEDS = 100
_NAME = "portfolio.db"
_IDS = [f"signal_{number:04d}" for number in range(300)]


def change(number: int) -> Change:
    """What a portfolio writes for a signal, with numbers of several sizes."""
    rows: dict[str, bytes | None] = {
        "account": b'{"cash":"%d.25","bookings":%d}' % (100_000 - number, number),
        f"holding/S{number % 40}": b'{"quantity":"%d"}' % number,
        f"order/order_{number}": b'{"filled":"0","quantity":"%d"}' % number,
        f"order/order_{number - 30}": None,
    }
    return Change(
        positions=[StreamPosition("INGENIUM", "today", number, f"mark {number}")],
        seen=[_IDS[number]],
        digests={_IDS[number]: b"said %d" % number},
        rows=rows,
        log=[("trade", str(number), b'{"price":"%d"}' % number), ("ended", f"o{number}", b"{}")],
        outbox=[Outgoing(f"order_{number}", "ingenium.portfolio.order", b"{}" * 9, {"A": "b"})],
        sent=[number - 5],
    )


def fill(store: Store) -> None:
    store.set_meta("role", "portfolio")
    for _ in range(3):
        store.begin_life()
    for number in range(len(_IDS)):
        store.commit(change(number))


def content(store: Store) -> object:
    """Return all that a component would read."""
    return (
        store.rows(),
        store.positions(),
        store.outbox(limit=1000),
        [store.log(kind) for kind in ("trade", "ended", "priced")],
        [store.meta(key) for key in ("owner", "role", "lives")],
        [store.digest(identifier) for identifier in _IDS],
        store.outbox_size(),
    )


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the file of a component that has ended as it should."""
    folder = tmp_path_factory.mktemp("ended")
    store = Store.open(folder / _NAME, owner="me")
    fill(store)
    store.close()
    return folder


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a component leaves it that is killed: the newest changes are in the log."""
    work, folder = tmp_path_factory.mktemp("running"), tmp_path_factory.mktemp("killed")
    store = Store.open(work / _NAME, owner="me")
    fill(store)
    for path in work.iterdir():
        shutil.copy(path, folder)
    store.close()
    (folder / f"{_NAME}-shm").unlink()
    assert (folder / f"{_NAME}-wal").stat().st_size > 100_000
    return folder


def flip(path: Path, chance: Random) -> None:
    """Turn one bit around, on the disk."""
    place = chance.randrange(path.stat().st_size)
    with path.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ 1 << chance.randrange(8)]))


@pytest.mark.parametrize("name", [_NAME, f"{_NAME}-wal", f"{_NAME}.lock"])
@pytest.mark.parametrize("state", ["ended", "killed"])
def test_flipped_bit_is_refused_or_changes_nothing(
    request: pytest.FixtureRequest, tmp_path: Path, name: str, state: str
) -> None:
    """Fault 65: one bit of each of a store's files, at many places."""
    pristine: Path = request.getfixturevalue(state)
    if not (pristine / name).exists():
        return
    whole = Store.open(_copy(pristine, tmp_path / "whole") / _NAME, owner="me")
    expected = content(whole)
    whole.close()
    refused = 0
    for seed in range(_SEEDS):
        folder = _copy(pristine, tmp_path / "flipped")
        flip(folder / name, Random(seed))
        try:
            store = Store.open(folder / _NAME, owner="me")
        except StoreError as error:
            told = str(error)
        else:
            assert content(store) == expected, seed
            store.close()
            continue
        assert str(folder / _NAME) in told
        refused += 1
    if name == _NAME and state == "ended":
        # Bits of pages and rows that are in use; the others are of what was deleted.
        assert refused > _SEEDS // 3


def _copy(pristine: Path, folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    return shutil.copytree(pristine, folder)


def test_row_that_was_changed_is_named(ended: Path, tmp_path: Path) -> None:
    path = _copy(ended, tmp_path / "it") / _NAME
    _execute(path, "UPDATE state SET value = x'7b7d' WHERE key = 'holding/S7'")
    with pytest.raises(StoreDamagedError, match=r"portfolio\.db is damaged: row 'holding/S7' of "
                       "table state: its checksum does not match"):  # fmt: skip
        Store.open(path, owner="me")
    beside = Store.read(path)
    with pytest.raises(StoreDamagedError, match=r"row 'holding/S7' of table state"):
        beside.rows()
    assert beside.rows("account")
    beside.close()


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("DELETE FROM state WHERE key = 'holding/S7'", r"table state: it has 70 rows, and 71"),
        ("DELETE FROM inbox WHERE id = 'signal_0007'", r"table inbox: it has 299 rows, and 300"),
        ("UPDATE inbox SET id = 'signal_9' WHERE id = 'signal_0007'", "table inbox: the checks"),
        ("DELETE FROM log WHERE number = 7", r"table log: it has 599 rows, and 600"),
        ("UPDATE seal SET sums = '{}'", "table seal: its checksum does not match"),
        ("DELETE FROM seal", "table seal: "),
        ("DROP TABLE seal", "it has no seal"),
        ("CREATE TABLE other (a)", "it has an unknown table 'other'"),
        ("UPDATE state SET value = 7 WHERE key = 'account'",
         r"row 'account' of table state: its value is of type int, not bytes"),
        ("UPDATE state SET value = 'text' WHERE key = 'account'",
         r"row 'account' of table state: its value is of type str, not bytes"),
        ("UPDATE state SET key = x'00ff' WHERE key = 'account'",
         r"row b'\\x00\\xff' of table state: its key is of type bytes, not str"),
        ("UPDATE position SET sequence = 'many'",
         r"row 'INGENIUM' of table position: its sequence is of type str, not int"),
        ("UPDATE position SET sequence = 1.5",
         r"row 'INGENIUM' of table position: its sequence is of type float, not int"),
        ("UPDATE position SET checksum = 'x'", r"row 'INGENIUM' of table position: its checksum"),
        ("UPDATE outbox SET payload = 'text'", r"table outbox: its payload is of type str"),
        ("UPDATE outbox SET headers = '[1]'", r"table outbox: its checksum does not match"),
        ("UPDATE meta SET value = x'41' WHERE key = 'lives'",
         r"row 'lives' of table meta: its value is of type bytes, not str"),
        ("UPDATE meta SET value = 'three' WHERE key = 'lives'",
         r"row 'lives' of table meta: its checksum does not match"),
        ("UPDATE log SET value = 'text' WHERE number = 7",
         r"row 'trade' of table log: its value is of type str"),
    ],
)  # fmt: skip
def test_row_that_is_gone_or_of_a_wrong_type_is_refused(
    ended: Path, tmp_path: Path, statement: str, text: str
) -> None:
    path = _copy(ended, tmp_path / "it") / _NAME
    _execute(path, statement)
    with pytest.raises(StoreDamagedError) as raised:
        Store.open(path, owner="me")
    told = str(raised.value)
    assert told.startswith(f"{path} is damaged: ")
    assert re.search(text, told), told


def test_changes_that_are_lost_are_noticed(ended: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    store = Store.open(work / _NAME, owner="me")
    store.commit(change(1))
    store.close()
    older = (work / _NAME).read_bytes()
    store = Store.open(work / _NAME, owner="me")
    store.commit(change(2))
    store.commit(change(3))
    store.close()
    (work / _NAME).write_bytes(older)
    with pytest.raises(StoreDamagedError, match="its last 2 changes are missing"):
        Store.open(work / _NAME, owner="me")


_VERSION_1 = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE position (
    stream TEXT PRIMARY KEY, created TEXT NOT NULL, sequence INTEGER NOT NULL, mark TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE inbox (id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE state (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE log (
    number INTEGER PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL, value BLOB NOT NULL
);
CREATE INDEX log_by_kind ON log (kind, number);
CREATE TABLE outbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL, subject TEXT NOT NULL, payload BLOB NOT NULL, headers TEXT NOT NULL
);
PRAGMA user_version = 1;
INSERT INTO meta VALUES ('owner', 'me'), ('role', 'portfolio'), ('lives', '2');
INSERT INTO position VALUES ('INGENIUM', 'today', 7, 'mark');
INSERT INTO inbox VALUES ('signal_0001'), ('signal_0002');
INSERT INTO state VALUES ('account', x'7b7d');
INSERT INTO log (kind, id, value) VALUES ('trade', '1', x'7b7d');
INSERT INTO outbox (id, subject, payload, headers) VALUES ('order_1', 's', x'7b7d', '{"A":"b"}');
"""


def test_file_of_the_version_before_is_taken_over_once(tmp_path: Path) -> None:
    path = tmp_path / _NAME
    connection = sqlite3.connect(path)
    connection.executescript(_VERSION_1)
    connection.close()
    beside = Store.read(path)
    before = beside.rows(), beside.positions(), beside.outbox(), list(beside.seen())
    beside.close()
    store = Store.open(path, owner="me")
    assert (store.rows(), store.positions(), store.outbox(), list(store.seen())) == before
    # What the events of that version said is not known.
    assert [store.digest(each) for each in (*_IDS[1:3], "none")] == [b"", b"", None]
    assert store.rows() == {"account": b"{}"}
    assert store.positions() == [StreamPosition("INGENIUM", "today", 7, "mark")]
    assert store.outbox() == [Outgoing("order_1", "s", b"{}", {"A": "b"}, 1)]
    store.commit(change(3))
    assert store.digest(_IDS[3]) == b"said 3"
    store.close()
    # From then on it is looked after.
    _execute(path, "UPDATE position SET sequence = 8")
    with pytest.raises(StoreDamagedError, match="row 'INGENIUM' of table position"):
        Store.open(path, owner="me")


def test_file_of_the_version_before_with_rows_of_a_wrong_type_is_refused(tmp_path: Path) -> None:
    path = tmp_path / _NAME
    connection = sqlite3.connect(path)
    connection.executescript(_VERSION_1 + "UPDATE state SET value = 'text';")
    connection.close()
    with pytest.raises(StoreDamagedError, match="row 'account' of table state: its value is of"):
        Store.open(path, owner="me")


def _execute(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement)
    connection.close()


def test_failed_change_leaves_the_checksums_as_they_were(tmp_path: Path) -> None:
    store = Store.open(tmp_path / _NAME, owner="me")
    store.commit(change(1))
    bad = change(2)
    bad.outbox.append(Outgoing("x", "s", None, {}))  # type: ignore[arg-type]
    with pytest.raises(StoreError):
        store.commit(bad)
    store.commit(change(3))
    store.check()
    store.close()
    Store.open(tmp_path / _NAME, owner="me").close()
