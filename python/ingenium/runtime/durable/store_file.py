"""The file of a store: schema and versions, opening, and locking."""

from __future__ import annotations

import fcntl
import os
import re
import socket
import sqlite3
from pathlib import Path

from ingenium.errors import StoreDamagedError, StoreError
from ingenium.private_files import make_folder, open_private
from ingenium.runtime.durable.checksum import COLUMNS, Seal, checksum

__all__ = ["VERSION", "StoreLock", "connect", "prepare", "schema_problem", "store_error"]

VERSION = 2
"""Of the schema. Version 1, up to Ingenium 0.0.7, had no checksums, and no digests in the inbox."""

_SCHEMA = """
CREATE TABLE meta (
    key TEXT PRIMARY KEY, value TEXT NOT NULL, checksum INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE position (
    stream TEXT PRIMARY KEY, created TEXT NOT NULL, sequence INTEGER NOT NULL, mark TEXT NOT NULL,
    checksum INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE inbox (id TEXT PRIMARY KEY, digest BLOB NOT NULL DEFAULT x'') WITHOUT ROWID;
CREATE TABLE state (
    key TEXT PRIMARY KEY, value BLOB NOT NULL, checksum INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE log (
    number INTEGER PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL, value BLOB NOT NULL,
    checksum INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX log_by_kind ON log (kind, number);
CREATE TABLE outbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL, subject TEXT NOT NULL, payload BLOB NOT NULL, headers TEXT NOT NULL,
    checksum INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE seal (sums TEXT NOT NULL, checksum INTEGER NOT NULL);
"""
_WITH_CHECKSUM = [table for table in COLUMNS if table != "inbox"]
_MARK_AT = 256
_MARK_BYTES = 40


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open a database.

    Args:
        path: The file.
        read_only: Whether it is opened for reading only, while its owner may be using it.

    Raises:
        StoreError: It cannot be opened.
    """
    try:
        if read_only:
            # A name may contain characters special to a URI, such as ``?``, ``#`` and ``%``.
            uri = f"{path.absolute().as_uri()}?mode=ro"
            connection = sqlite3.connect(uri, uri=True, timeout=5.0)
            connection.execute("PRAGMA query_only = ON")
            return connection
        # SQLite gives its other files the mode of this one.
        os.close(open_private(path, os.O_RDWR))
        connection = sqlite3.connect(path.absolute(), timeout=5.0)
        connection.execute("PRAGMA journal_mode = WAL")
        # Committed changes survive a power failure too.
        connection.execute("PRAGMA synchronous = FULL")
    except OSError as error:
        raise StoreError(f"cannot save state in {path}: {error.strerror}") from error
    except sqlite3.Error as error:
        raise store_error(str(path), error) from error
    return connection


def store_error(name: str, error: sqlite3.Error) -> StoreError:
    """Add the file name to an error of SQLite."""
    # SQLite calls errors of the disk or of other processes operational; the rest is a file that it
    # cannot interpret.
    kind = StoreDamagedError if type(error) is sqlite3.DatabaseError else StoreError
    return kind(f"cannot use {name}: {error}")


def prepare(connection: sqlite3.Connection, name: str, seal: Seal) -> bool:
    """Create the tables of a new database, or migrate one of an earlier version.

    Args:
        connection: To the database.
        name: Name of the file, for error texts.
        seal: Seal of the database.

    Returns:
        Whether its rows have checksums. Those of an earlier version have none while the file is
        only read.

    Raises:
        StoreError: It is of another version.
        sqlite3.Error: It cannot be written.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == VERSION:
        return True
    if version not in {0, 1}:
        raise StoreError(
            f"{name} has format version {version}, and this program reads version {VERSION}: use "
            "the Ingenium that wrote it, or move the file away"
        )
    if version and connection.execute("PRAGMA query_only").fetchone()[0]:
        return False
    connection.execute("BEGIN IMMEDIATE")
    try:
        if version:
            _take_over(connection)
        else:
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
        seal.make()
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return True


def _take_over(connection: sqlite3.Connection) -> None:
    """Migrate a file of version 1 by adding checksums to its rows as they are."""
    connection.create_function("checksum_of", -1, checksum, deterministic=True)
    for table in _WITH_CHECKSUM:
        names = ", ".join(column for column, _ in COLUMNS[table])
        connection.execute(f"ALTER TABLE {table} ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0")
        connection.execute(f"UPDATE {table} SET checksum = checksum_of({names})")  # noqa: S608
    # Digests of the events of an earlier version are unknown.
    connection.execute("ALTER TABLE inbox ADD COLUMN digest BLOB NOT NULL DEFAULT x''")
    connection.execute("CREATE TABLE seal (sums TEXT NOT NULL, checksum INTEGER NOT NULL)")


def schema_problem(connection: sqlite3.Connection) -> str:
    """Return the problem with the tables of a database; empty when there is none.

    A bit flip in the definition of a table changes how its columns are read.
    """
    found = {
        str(name): _words_of(str(text))
        for name, text in connection.execute("SELECT name, sql FROM sqlite_master")
        if text is not None and not str(name).startswith("sqlite_")
    }
    for statement in filter(str.strip, _SCHEMA.split(";")):
        name = statement.split()[2]
        if (known := found.pop(name, None)) is None:
            return f"it has no {name}"
        if known != _words_of(statement):
            return f"its {name} differs from the schema"
    return f"it has an unknown table {next(iter(found))!r}" if found else ""


def _words_of(statement: str) -> set[str]:
    """Return the sorted words of a statement: ALTER TABLE adds columns at another place."""
    return set(re.findall(r"\w+", statement))


class StoreLock:
    """The lock of a store, a file beside it that names its holder.

    The lock also records the number of written changes. A store that has fewer has lost some, such
    as by a bit flip in its write-ahead log, whose end SQLite then skips.

    Args:
        path: The store.

    Attributes:
        commits: Number of changes written when the lock was held last; 0 if unknown.

    Raises:
        StoreError: Another process has it, or the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        try:
            make_folder(path.parent)
            self._descriptor = open_private(path.with_name(path.name + ".lock"), os.O_RDWR)
        except OSError as error:
            raise StoreError(f"cannot save state in {path}: {error.strerror}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.commits = self._read()
            os.ftruncate(self._descriptor, 0)
            holder = f"process {os.getpid()} on {socket.gethostname()}"
            os.pwrite(self._descriptor, holder.encode(), 0)
            self._write(self.commits)
        except BlockingIOError:
            holder = os.pread(self._descriptor, 200, 0).decode("utf-8", "replace")
            holder = holder.partition("\0")[0].strip()
            self.release()
            raise StoreError(
                f"{path} is in use by {holder or 'another process'}: a component may run only "
                "once; stop the other process, or set INGENIUM_DATA_DIR to another folder"
            ) from None
        except OSError as error:
            self.release()
            raise StoreError(f"cannot save state in {path}: {error.strerror}") from error

    def note(self, commits: int) -> None:
        """Record the number of changes on the disk."""
        if commits != self.commits:
            self.commits = commits
            self._write(commits)

    def release(self) -> None:
        """Release the lock."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _read(self) -> int:
        words = os.pread(self._descriptor, _MARK_BYTES, _MARK_AT).split()
        if len(words) != 2 or words[1] != b"%d" % checksum(words[0]):
            return 0  # Never written, or damaged: then it proves nothing.
        return int(words[0])

    def _write(self, commits: int) -> None:
        number = b"%d" % commits
        mark = b"%s %d" % (number, checksum(number))
        os.pwrite(self._descriptor, mark.ljust(_MARK_BYTES), _MARK_AT)
