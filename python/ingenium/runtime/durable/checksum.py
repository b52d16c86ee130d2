"""Checksums of the contents of a store: one for each row, and a sum for each table.

A row with a wrong checksum was changed by something other than the program that writes it: a bit
flipped on the disk, or a manual edit. The sums reveal rows that are gone. They are CRC-32, which
finds every change of up to 32 neighboring bits; they are no protection against a deliberate
forgery.
"""

from __future__ import annotations

import sqlite3
from zlib import crc32

import msgspec

__all__ = ["COLUMNS", "Seal", "checksum", "what_is_wrong"]

COLUMNS: dict[str, tuple[tuple[str, type], ...]] = {
    "meta": (("key", str), ("value", str)),
    "position": (("stream", str), ("created", str), ("sequence", int), ("mark", str)),
    "inbox": (("id", str), ("digest", bytes)),
    "state": (("key", str), ("value", bytes)),
    "log": (("kind", str), ("id", str), ("value", bytes)),
    "outbox": (("id", str), ("subject", str), ("payload", bytes), ("headers", str)),
}
"""The columns of each table that are covered by checksums, and their types."""

_SUMMED = ("position", "inbox", "state", "log", "outbox")
_KEYS = {"position": "stream", "state": "key", "outbox": "number"}
_Key = str | int


def checksum(*values: str | bytes | int) -> int:
    """Return the checksum of a row.

    Args:
        values: Values of its columns, in their order.
    """
    found = 0
    for value in values:
        raw = value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass")
        found = crc32(raw, found)
    return found


def what_is_wrong(table: str, values: tuple[object, ...], known: object) -> str:
    """Return why a row is not the one that was written; empty when it is.

    Args:
        table: Its table.
        values: Values of the columns that the checksum covers.
        known: Its checksum; ``None`` in a file of a version without checksums.
    """
    for (column, kind), value in zip(COLUMNS[table], values, strict=True):
        if type(value) is not kind:
            name = "NULL" if value is None else type(value).__name__
            return f"its {column} is of type {name}, not {kind.__name__}"
    if known is not None and known != checksum(*values):  # type: ignore[arg-type]
        return "its checksum does not match"
    return ""


class _Sums(msgspec.Struct, forbid_unknown_fields=True):
    """The values in the row of a seal, beside its own checksum."""

    commits: int = 0
    tables: dict[str, tuple[int, int]] = msgspec.field(
        default_factory=lambda: dict.fromkeys(_SUMMED, (0, 0))
    )


class Seal:
    """How many rows each table has, and the sum of their checksums.

    The seal is written in the same transaction as the rows, so that both agree after any crash.
    Use: `begin`, then `put`, `add` and `drop` for each row, then `write`; `done` once the
    transaction is on the disk.

    Args:
        connection: To the database.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._sums: _Sums | None = None
        self._next = _Sums()
        # Checksums of the rows that may be changed or removed, to subtract theirs from the sum.
        self._marks: dict[str, dict[_Key, int]] = {}
        self._changed: dict[tuple[str, _Key], int | None] = {}

    @property
    def commits(self) -> int:
        """The number of changes ever written."""
        return 0 if self._sums is None else self._sums.commits

    def begin(self) -> None:
        """Begin to count the changes of a transaction."""
        sums = self._sums or self._load()
        self._next = _Sums(sums.commits + 1, dict(sums.tables))
        self._changed = {}

    def put(self, table: str, key: _Key, mark: int) -> None:
        """Count a row that is put, in place of one with the same key if there is one."""
        self.drop(table, key)
        self.add(table, mark)
        self._changed[table, key] = mark

    def add(self, table: str, mark: int) -> None:
        """Count an added row that never changes."""
        count, total = self._next.tables[table]
        self._next.tables[table] = count + 1, total + mark

    def drop(self, table: str, key: _Key) -> None:
        """Count a row that is removed, if it exists."""
        if (table, key) in self._changed:
            mark = self._changed[table, key]
        else:
            mark = self._marks[table].get(key)
        if mark is not None:
            count, total = self._next.tables[table]
            self._next.tables[table] = count - 1, total - mark
            self._changed[table, key] = None

    def write(self) -> None:
        """Write the sums, within the transaction."""
        text = msgspec.json.encode(self._next).decode()
        self._connection.execute("UPDATE seal SET sums = ?, checksum = ?", (text, checksum(text)))

    def done(self) -> None:
        """Note that the transaction is on the disk."""
        self._sums = self._next
        for (table, key), mark in self._changed.items():
            if mark is None:
                self._marks[table].pop(key, None)
            else:
                self._marks[table][key] = mark
        self._changed = {}

    def make(self) -> None:
        """Seal the present contents: an empty database, or one of a version without checksums."""
        tables = {table: _count(self._connection, table) for table in _SUMMED}
        text = msgspec.json.encode(_Sums(0, tables)).decode()
        self._connection.execute("INSERT INTO seal VALUES (?, ?)", (text, checksum(text)))

    def check(self) -> dict[str, str]:
        """Check all tables against the seal.

        Returns:
            The damage, by table; that of the seal itself is ``"seal"``.
        """
        try:
            sums = self._load()
        except ValueError as error:
            return {"seal": str(error)}
        wrong: dict[str, str] = {}
        for table, (count, total) in sums.tables.items():
            found = _count(self._connection, table)
            if found[0] != count:
                wrong[table] = f"it has {found[0]:,} rows, and {count:,} were written"
            elif found[1] != total:
                wrong[table] = "the checksums of its rows do not add up"
        return wrong

    def _load(self) -> _Sums:
        rows = self._connection.execute("SELECT sums, checksum FROM seal").fetchall()
        if len(rows) != 1 or not isinstance(rows[0][0], str) or checksum(rows[0][0]) != rows[0][1]:
            raise ValueError("its checksum does not match")
        try:
            sums = msgspec.json.decode(rows[0][0], type=_Sums)
        except msgspec.MsgspecError as error:
            raise ValueError(str(error)) from error
        for table, key in _KEYS.items():
            self._marks[table] = dict(
                self._connection.execute(f"SELECT {key}, checksum FROM {table}")  # noqa: S608
            )
        self._sums = sums
        return sums


def _count(connection: sqlite3.Connection, table: str) -> tuple[int, int]:
    """Return how many rows a table has, and the sum of their checksums."""
    if table == "inbox":
        # Its rows are small; another column would be a tenth of the file. One of other types could
        # not be found by its id, so it counts as missing.
        marks = [
            crc32(digest, crc32(identifier))
            for identifier, digest in connection.execute(
                "SELECT CAST(id AS BLOB), digest FROM inbox "
                "WHERE typeof(id) = 'text' AND typeof(digest) = 'blob'"
            )
        ]
        return len(marks), sum(marks)
    query = f"SELECT count(*), coalesce(sum(checksum), 0) FROM {table}"  # noqa: S608
    count, total = connection.execute(query).fetchone()
    return count, total
