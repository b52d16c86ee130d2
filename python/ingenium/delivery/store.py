"""What a component must not forget, in one SQLite file of its own.

The state, the position in each stream, the ids of what was handled and what is to be sent are
written in one transaction, so that after any crash they fit together: an event is handled and what
it caused is in the outbox, or neither.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from ingenium.errors import StoreError

__all__ = ["Change", "Outgoing", "Position", "Store"]

_VERSION = 1
_SCHEMA = """
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
"""


class Position(msgspec.Struct, frozen=True):
    """How far a component has come in a stream.

    Attributes:
        stream: Its name.
        created: When the stream was made, as the server says; a number of another one means
            nothing.
        sequence: Of the last message handled; 0 for none.
        mark: Tells that message from another one that may come to stand in its place: when the
            stream kept it. Empty if unknown.
    """

    stream: str
    created: str
    sequence: int
    mark: str = ""


class Outgoing(msgspec.Struct, frozen=True):
    """A message that is to be sent.

    Attributes:
        id: By which the stream knows it when it is sent again.
        subject: Where to.
        payload: Its bytes; the same at each attempt.
        headers: Its headers, without the id.
        number: Its place in the outbox, from 1 on; 0 before it is there.
    """

    id: str
    subject: str
    payload: bytes
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    number: int = 0


class Change(msgspec.Struct):
    """What one transaction writes.

    Attributes:
        positions: How far the component has come.
        seen: Ids of events that were handled.
        rows: State by key; ``None`` takes a row out.
        log: Kind, id and value of what is only ever added.
        outbox: What is to be sent, in order.
        sent: Numbers of what has been sent.
    """

    positions: list[Position] = msgspec.field(default_factory=list)
    seen: list[str] = msgspec.field(default_factory=list)
    rows: dict[str, bytes | None] = msgspec.field(default_factory=dict)
    log: list[tuple[str, str, bytes]] = msgspec.field(default_factory=list)
    outbox: list[Outgoing] = msgspec.field(default_factory=list)
    sent: list[int] = msgspec.field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(
            self.positions or self.seen or self.rows or self.log or self.outbox or self.sent
        )


class Store:
    """The file of one component; made by `open`.

    Args:
        connection: To its database; taken over.
        name: Where it is, for error texts.
    """

    def __init__(self, connection: sqlite3.Connection, name: str = ":memory:") -> None:
        self.name = name
        self._connection = connection
        self._lock: int | None = None
        # Transactions are begun by hand: Python's own way commits at surprising moments.
        connection.isolation_level = None
        with self._speaking():
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version == 0:
                connection.executescript(
                    f"BEGIN IMMEDIATE;{_SCHEMA}PRAGMA user_version = {_VERSION};COMMIT;"
                )
            elif version != _VERSION:
                raise StoreError(
                    f"{name} is of version {version}, and this is a program of version "
                    f"{_VERSION}: use the Ingenium that wrote it, or move the file away"
                )

    @classmethod
    def open(cls, path: Path, *, owner: str) -> Store:
        """Open the file of a component, or make it.

        Args:
            path: The file. Nobody else can open it until it is closed or this process ends.
            owner: Whose it is: app and component; a file of somebody else's is refused.

        Raises:
            StoreError: It is damaged, in use, of somebody else, or cannot be written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = _lock(path)
        except OSError as error:
            raise StoreError(f"cannot keep a state in {path}: {error.strerror}") from error
        try:
            connection = _connect(str(path))
            store = cls(connection, str(path))
            store.check()
            known = store.meta("owner")
            if known not in {"", owner}:
                raise StoreError(
                    f"{path} holds the state of {known}, not of {owner}: set INGENIUM_DATA_DIR to "
                    "another folder, or move the file away"
                )
            store.set_meta("owner", owner)
        except BaseException:
            os.close(lock)
            raise
        store._lock = lock
        return store

    @classmethod
    def read(cls, path: Path) -> Store:
        """Open a file to look at it, beside the component that may be using it.

        Raises:
            StoreError: There is none, or it is damaged.
        """
        if path.exists():
            connection = _connect(f"file:{path}?mode=ro", uri=True)
            if connection.execute("PRAGMA user_version").fetchone()[0]:
                return cls(connection, str(path))
            connection.close()  # It is just being made.
        raise StoreError(f"there is no {path}: nothing has run with this data folder yet")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def check(self) -> None:
        """Look the file over.

        Raises:
            StoreError: It is damaged.
        """
        with self._speaking():
            found = self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise StoreError(
                f"{self.name} is damaged ({found}): move it away, and its state is made anew from "
                "the stream"
            )

    def meta(self, key: str) -> str:
        """Return a fact about the file; empty when it is not there."""
        found = self._one("SELECT value FROM meta WHERE key = ?", key)
        return "" if found is None else str(found)

    def set_meta(self, key: str, value: str) -> None:
        """Write a fact about the file."""
        with self._speaking():
            self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    def begin_life(self) -> int:
        """Count and return how often the component has been started, from 1 on."""
        life = int(self.meta("lives") or "0") + 1
        self.set_meta("lives", str(life))
        return life

    def position(self, stream: str) -> Position | None:
        """Return how far the component has come in a stream; ``None`` when it never read it."""
        with self._speaking():
            found = self._connection.execute(
                "SELECT stream, created, sequence, mark FROM position WHERE stream = ?", (stream,)
            ).fetchone()
        return None if found is None else Position(*found)

    def has_seen(self, identifier: str) -> bool:
        """Whether an event of that id was handled."""
        return self._one("SELECT 1 FROM inbox WHERE id = ?", identifier) is not None

    def rows(self, prefix: str = "") -> dict[str, bytes]:
        """Return the state, or the part of it whose keys begin with ``prefix``."""
        with self._speaking():
            found = self._connection.execute(
                "SELECT key, value FROM state WHERE substr(key, 1, ?) = ? ORDER BY key",
                (len(prefix), prefix),
            )
            return {str(key): bytes(value) for key, value in found}

    def log(self, kind: str, last: int | None = None) -> list[tuple[str, bytes]]:
        """Return what was added of a kind, oldest first: ids and values.

        Args:
            kind: Which.
            last: Only so many of the newest.
        """
        with self._speaking():
            found = self._connection.execute(
                "SELECT id, value FROM log WHERE kind = ? ORDER BY number DESC LIMIT ?",
                (kind, -1 if last is None else last),
            ).fetchall()
        return [(str(identifier), bytes(value)) for identifier, value in reversed(found)]

    def log_size(self, kind: str) -> int:
        """Return how many of a kind were added."""
        return int(str(self._one("SELECT count(*) FROM log WHERE kind = ?", kind)))

    def outbox_size(self) -> int:
        """Return how much is still to be sent."""
        return int(str(self._one("SELECT count(*) FROM outbox")))

    def outbox_end(self) -> int:
        """Return the number of the newest message that was ever put into the outbox."""
        found = self._one("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'")
        return 0 if found is None else int(str(found))

    @contextmanager
    def standing(self) -> Iterator[None]:
        """Let all that is read meanwhile be of one moment, whoever writes."""
        with self._speaking():
            self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.rollback()

    def positions(self) -> list[Position]:
        """Return how far the component has come, in each stream."""
        with self._speaking():
            found = self._connection.execute(
                "SELECT stream, created, sequence, mark FROM position ORDER BY stream"
            ).fetchall()
        return [Position(*each) for each in found]

    def outbox(self, limit: int = 100) -> list[Outgoing]:
        """Return what is to be sent next, oldest first."""
        with self._speaking():
            found = self._connection.execute(
                "SELECT id, subject, payload, headers, number FROM outbox ORDER BY number LIMIT ?",
                (limit,),
            ).fetchall()
        return [Outgoing(i, s, bytes(p), json.loads(h), n) for i, s, p, h, n in found]

    def commit(self, change: Change) -> None:
        """Write a change, all of it or nothing; when this returns it is on the disk.

        Raises:
            StoreError: It cannot be written; nothing of it is.
        """
        execute, many = self._connection.execute, self._connection.executemany
        with self._speaking():
            execute("BEGIN IMMEDIATE")
            try:
                for place in change.positions:
                    execute(
                        "INSERT OR REPLACE INTO position VALUES (?, ?, ?, ?)",
                        (place.stream, place.created, place.sequence, place.mark),
                    )
                many("INSERT OR IGNORE INTO inbox VALUES (?)", _each(change.seen))
                for key, value in change.rows.items():
                    if value is None:
                        execute("DELETE FROM state WHERE key = ?", (key,))
                    else:
                        execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (key, value))
                many("INSERT INTO log (kind, id, value) VALUES (?, ?, ?)", change.log)
                many(
                    "INSERT INTO outbox (id, subject, payload, headers) VALUES (?, ?, ?, ?)",
                    [
                        (each.id, each.subject, each.payload, json.dumps(each.headers))
                        for each in change.outbox
                    ],
                )
                many("DELETE FROM outbox WHERE number = ?", _each(change.sent))
                execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    execute("ROLLBACK")
                raise

    def forget(self, sent: Sequence[int]) -> None:
        """Take what was sent out of the outbox, without waiting for the disk.

        A power failure may bring it back: then it is sent again, with the id that it had.

        Args:
            sent: Numbers of messages.

        Raises:
            StoreError: It cannot be written.
        """
        with self._speaking():
            self._connection.execute("PRAGMA synchronous = NORMAL")
            try:
                self.commit(Change(sent=list(sent)))
            finally:
                self._connection.execute("PRAGMA synchronous = FULL")

    def _one(self, query: str, *values: object) -> object:
        with self._speaking():
            found = self._connection.execute(query, values).fetchone()
        return None if found is None else found[0]

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        """Say which file it is that SQLite complains about."""
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(f"cannot use {self.name}: {error}") from error


def _each(values: Iterable[object]) -> list[tuple[object]]:
    return [(value,) for value in values]


def _connect(path: str, *, uri: bool = False) -> sqlite3.Connection:
    try:
        connection = sqlite3.connect(path, uri=uri, timeout=5.0)
        if not uri:
            connection.execute("PRAGMA journal_mode = WAL")
            # What was committed outlives a power failure too.
            connection.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error as error:
        raise StoreError(f"cannot use {path}: {error}") from error
    return connection


def _lock(path: Path) -> int:
    """Lock a file beside the database, whose text says who has it."""
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip()
        os.close(descriptor)
        raise StoreError(
            f"{path} is in use by {holder or 'another process'}: a component runs once; stop that "
            "one, or set INGENIUM_DATA_DIR to another folder"
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
    return descriptor
