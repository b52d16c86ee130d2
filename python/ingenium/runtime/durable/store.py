"""The store of a component: one SQLite file with all that must survive a crash.

State, position in each stream, inbox and outbox are written in one transaction, so that they agree
after any crash: an event is handled and its effects are in the outbox, or neither.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from ingenium.errors import StoreDamagedError, StoreError
from ingenium.runtime.durable.checksum import Seal, checksum, what_is_wrong
from ingenium.runtime.durable.damage import Damage, damage_of
from ingenium.runtime.durable.store_file import (
    StoreLock,
    connect,
    prepare,
    store_error,
)

__all__ = ["STATE_CURE", "Change", "Outgoing", "StreamPosition", "Store"]


STATE_CURE = (
    "restore a complete copy, or move the file away; docs/delivery.md lists what is lost then"
)
_ADD_TO_LOG = "INSERT INTO log (kind, id, value, checksum) VALUES (?, ?, ?, ?)"
_ADD_TO_OUTBOX = (
    "INSERT INTO outbox (id, subject, payload, headers, checksum) VALUES (?, ?, ?, ?, ?)"
)


class StreamPosition(msgspec.Struct, frozen=True):
    """Position of a component in a stream.

    Attributes:
        stream: Its name.
        created: When the stream was created, by the server's clock; a sequence of another stream
            means nothing.
        sequence: Sequence of the last message handled; 0 for none.
        mark: Distinguishes that message from a later one with the same sequence: when the stream
            kept it. Empty if unknown.
    """

    stream: str
    created: str
    sequence: int
    mark: str = ""


class Outgoing(msgspec.Struct, frozen=True):
    """A message in the outbox.

    Attributes:
        id: Id by which the stream recognizes a repeated send.
        subject: Its subject.
        payload: Its bytes; the same at each attempt.
        headers: Its headers, without the id.
        number: Its place in the outbox, from 1 on; 0 before it is added.
    """

    id: str
    subject: str
    payload: bytes
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    number: int = 0


class Change(msgspec.Struct):
    """The contents of one transaction.

    Attributes:
        positions: New stream positions of the component.
        seen: Ids of handled events.
        digests: Digests of those events, by id.
        rows: State by key; ``None`` removes a row.
        log: Kind, id and value of append-only entries.
        outbox: Messages to send, in order.
        sent: Numbers of sent messages.
    """

    positions: list[StreamPosition] = msgspec.field(default_factory=list)
    seen: list[str] = msgspec.field(default_factory=list)
    digests: dict[str, bytes] = msgspec.field(default_factory=dict)
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
        connection: Connection to its database; taken over.
        name: Its path, for error texts.
    """

    def __init__(self, connection: sqlite3.Connection, name: str = ":memory:") -> None:
        self.name = name
        self._connection = connection
        self._lock: StoreLock | None = None
        # Transactions are begun explicitly: Python's implicit ones commit at surprising moments.
        connection.isolation_level = None
        self._seal = Seal(connection)
        with self._speaking():
            # Without a seal no row has a checksum: a file of an earlier version opened for reading.
            self._is_sealed = prepare(connection, name, self._seal)

    @classmethod
    def open(cls, path: Path, *, owner: str) -> Store:
        """Open or create the file of a component.

        Args:
            path: The file. No other process can open it until it is closed or this process ends.
            owner: Its owner: app and component; a file of another owner is refused.

        Raises:
            StoreError: It is damaged, in use, of another owner, or cannot be written.
        """
        lock, connection = StoreLock(path), None
        try:
            if not path.exists():
                lock.note(0)  # The file was moved, or never existed.
            connection = connect(path)
            store = cls(connection, str(path))
            store._lock = lock
            store.check()
            known = store.meta("owner")
            if known not in {"", owner}:
                raise StoreError(
                    f"{path} holds the state of {known}, not of {owner}: set INGENIUM_DATA_DIR to "
                    "another folder, or move the file away"
                )
            if not known:
                store.set_meta("owner", owner)
        except BaseException:
            if connection is not None:
                connection.close()
            lock.release()
            raise
        return store

    @classmethod
    def read(cls, path: Path) -> Store:
        """Open a file for reading, while the component may be using it.

        Raises:
            StoreError: There is none, or it is damaged.
        """
        if path.exists():
            connection = connect(path, read_only=True)
            if connection.execute("PRAGMA user_version").fetchone()[0]:
                return cls(connection, str(path))
            connection.close()  # The file is just being created.
        raise StoreError(f"{path} does not exist: nothing has run with this data folder yet")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def seen(self) -> Iterator[tuple[str, bytes]]:
        """Yield the ids of all handled events, and their digests."""
        digest = "digest" if self._is_sealed else "x''"
        with self._speaking():
            yield from self._connection.execute(f"SELECT id, {digest} FROM inbox")  # noqa: S608

    def check(self) -> None:
        """Check the file against the checksums of what was written.

        The whole file is read, which takes some 2 s for a million handled events.

        Raises:
            StoreDamagedError: The file differs from what was written.
        """
        wrong = self.damage()
        if wrong:
            raise StoreDamagedError(f"{self.name} is damaged: {wrong[0]}: {STATE_CURE}")
        if self._lock is not None:
            lost = self._lock.commits - self._seal.commits
            if lost > 0:
                raise StoreDamagedError(
                    f"{self.name} is damaged: its last {lost:,} changes are missing, as after a "
                    f"disk fault, or when an older copy replaced it: {STATE_CURE}"
                )

    def damage(self) -> list[Damage]:
        """Return the damage of the file, rows first; empty when it is whole."""
        return damage_of(self._connection, self._seal if self._is_sealed else None)

    def overlook(self) -> None:
        """Ignore wrong checksums from now on, so that damaged rows can be compared with others."""
        self._is_sealed = False

    def _whole(self, table: str, rows: Iterable[tuple[object, ...]]) -> Iterator[tuple[Any, ...]]:
        """Yield rows without their checksums, which come last.

        Raises:
            StoreDamagedError: A row is not what was written.
        """
        for *values, known in rows:
            row = tuple(values)
            if text := what_is_wrong(table, row, known if self._is_sealed else None):
                raise StoreDamagedError(
                    f"{self.name} is damaged: {Damage(table, text, row[0])}: {STATE_CURE}"
                )
            yield row

    @property
    def _known(self) -> str:
        """The column that is read for the checksum of a row."""
        return "checksum" if self._is_sealed else "NULL"

    def meta(self, key: str) -> str:
        """Return a fact about the file; empty when there is none."""
        with self._speaking():
            found = self._connection.execute(
                f"SELECT key, value, {self._known} FROM meta WHERE key = ?",  # noqa: S608
                (key,),
            )
            return next((value for _, value in self._whole("meta", found)), "")

    def set_meta(self, key: str, value: str) -> None:
        """Write a fact about the file."""
        with self._speaking():
            self._connection.execute(
                "INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", (key, value, checksum(key, value))
            )

    @property
    def lives(self) -> int:
        """The number of starts of the component.

        Raises:
            StoreDamagedError: The file has no such number.
        """
        text = self.meta("lives") or "0"
        if not (text.isascii() and text.isdigit()):
            problem = Damage("meta", f"its value {text!r} is not a number", "lives")
            raise StoreDamagedError(f"{self.name} is damaged: {problem}: {STATE_CURE}")
        return int(text)

    def begin_life(self) -> int:
        """Count a start of the component and return the number of starts, from 1 on."""
        life = self.lives + 1
        self.set_meta("lives", str(life))
        return life

    def position(self, stream: str) -> StreamPosition | None:
        """Return the component's position in a stream; ``None`` when it never read the stream."""
        return next((each for each in self.positions() if each.stream == stream), None)

    def digest(self, identifier: str) -> bytes | None:
        """Return the digest of a handled event; empty if unknown, ``None`` if never handled."""
        found = self._one("SELECT digest FROM inbox WHERE id = ?", identifier)
        return found if isinstance(found, bytes) else None

    def rows(self, prefix: str = "") -> dict[str, bytes]:
        """Return the state, or the part of it whose keys begin with ``prefix``."""
        with self._speaking():
            found = self._connection.execute(
                f"SELECT key, value, {self._known} FROM state "  # noqa: S608
                "WHERE substr(key, 1, ?) = ? ORDER BY key",
                (len(prefix), prefix),
            )
            return dict(self._whole("state", found))

    def log(self, kind: str, last: int | None = None) -> list[tuple[str, bytes]]:
        """Return the log entries of a kind, oldest first: ids and values.

        Args:
            kind: The kind.
            last: Maximum number of entries, the newest.
        """
        with self._speaking():
            found = self._connection.execute(
                f"SELECT kind, id, value, {self._known} FROM log "  # noqa: S608
                "WHERE kind = ? ORDER BY number DESC LIMIT ?",
                (kind, -1 if last is None else last),
            ).fetchall()
            rows = self._whole("log", reversed(found))
            return [(identifier, value) for _, identifier, value in rows]

    def log_size(self, kind: str) -> int:
        """Return the number of log entries of a kind."""
        return int(str(self._one("SELECT count(*) FROM log WHERE kind = ?", kind)))

    def outbox_size(self) -> int:
        """Return the number of unsent messages."""
        return int(str(self._one("SELECT count(*) FROM outbox")))

    def outbox_end(self) -> int:
        """Return the number of the newest message that was ever put into the outbox."""
        found = self._one("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'")
        return 0 if found is None else int(str(found))

    @contextmanager
    def standing(self) -> Iterator[None]:
        """Read a consistent snapshot within the context, despite concurrent writes."""
        with self._speaking():
            self._connection.execute("BEGIN")
        try:
            yield
        finally:
            self._connection.rollback()

    def positions(self) -> list[StreamPosition]:
        """Return the component's position in each stream."""
        with self._speaking():
            found = self._connection.execute(
                f"SELECT stream, created, sequence, mark, {self._known} FROM position "  # noqa: S608
                "ORDER BY stream"
            ).fetchall()
            return [StreamPosition(*each) for each in self._whole("position", found)]

    def outbox(self, limit: int = 100) -> list[Outgoing]:
        """Return the next messages to send, oldest first."""
        with self._speaking():
            found = self._connection.execute(
                f"SELECT number, id, subject, payload, headers, {self._known} FROM outbox "  # noqa: S608
                "ORDER BY number LIMIT ?",
                (limit,),
            ).fetchall()
            numbers = [number for number, *_ in found]
            rows = self._whole("outbox", (row for _, *row in found))
            return [
                Outgoing(identifier, subject, payload, json.loads(headers), number)
                for number, (identifier, subject, payload, headers) in zip(
                    numbers, rows, strict=True
                )
            ]

    def commit(self, change: Change, *, is_lasting: bool = True) -> None:
        """Write a change, all of it or nothing; when this returns it is on the disk.

        Args:
            change: The change.
            is_lasting: Whether it must survive a power failure.

        Raises:
            StoreError: It cannot be written; nothing of it is.
        """
        execute, seal = self._connection.execute, self._seal
        with self._speaking():
            execute("BEGIN IMMEDIATE")
            try:
                seal.begin()
                for place in change.positions:
                    row = (place.stream, place.created, place.sequence, place.mark)
                    mark = checksum(*row)
                    execute("INSERT OR REPLACE INTO position VALUES (?, ?, ?, ?, ?)", (*row, mark))
                    seal.put("position", place.stream, mark)
                for identifier in change.seen:
                    known = (identifier, change.digests.get(identifier, b""))
                    if execute("INSERT OR IGNORE INTO inbox VALUES (?, ?)", known).rowcount:
                        seal.add("inbox", checksum(*known))
                for key, value in change.rows.items():
                    if value is None:
                        execute("DELETE FROM state WHERE key = ?", (key,))
                        seal.drop("state", key)
                    else:
                        mark = checksum(key, value)
                        execute("INSERT OR REPLACE INTO state VALUES (?, ?, ?)", (key, value, mark))
                        seal.put("state", key, mark)
                for entry in change.log:
                    mark = checksum(*entry)
                    execute(_ADD_TO_LOG, (*entry, mark))
                    seal.add("log", mark)
                for each in change.outbox:
                    message = (each.id, each.subject, each.payload, json.dumps(each.headers))
                    mark = checksum(*message)
                    number = execute(_ADD_TO_OUTBOX, (*message, mark)).lastrowid
                    seal.put("outbox", number or 0, mark)
                for number in change.sent:
                    execute("DELETE FROM outbox WHERE number = ?", (number,))
                    seal.drop("outbox", number)
                seal.write()
                execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    execute("ROLLBACK")
                raise
        seal.done()
        if is_lasting and self._lock is not None:
            self._lock.note(seal.commits)

    def forget(self, sent: Sequence[int]) -> None:
        """Remove sent messages from the outbox, without waiting for the disk.

        A power failure may restore a message: then it is sent again, with its original id.

        Args:
            sent: Numbers of messages.

        Raises:
            StoreError: It cannot be written.
        """
        with self._speaking():
            self._connection.execute("PRAGMA synchronous = NORMAL")
            try:
                self.commit(Change(sent=list(sent)), is_lasting=False)
            finally:
                self._connection.execute("PRAGMA synchronous = FULL")

    def _one(self, query: str, *values: object) -> object:
        with self._speaking():
            found = self._connection.execute(query, values).fetchone()
        return None if found is None else found[0]

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        """Add the file name to an error of SQLite."""
        try:
            yield
        except sqlite3.Error as error:
            raise store_error(self.name, error) from error
