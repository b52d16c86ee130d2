"""Damage of a store: pages, rows, and missing rows."""

from __future__ import annotations

import sqlite3

import msgspec

from ingenium.runtime.durable.checksum import COLUMNS, Seal, what_is_wrong
from ingenium.runtime.durable.store_file import schema_problem

__all__ = ["Damage", "damage_of"]

_CHECKED = 100_000


class Damage(msgspec.Struct, frozen=True):
    """A part of a store that differs from what was written.

    Attributes:
        table: The damaged table; empty when it is the file as a whole.
        text: Description of the damage.
        row: The first column of the row; ``None`` when no single row is known.
    """

    table: str
    text: str
    row: object = None

    def __str__(self) -> str:
        if self.row is not None:
            return f"row {self.row!r} of table {self.table}: {self.text}"
        return f"table {self.table}: {self.text}" if self.table else self.text


def damage_of(connection: sqlite3.Connection, seal: Seal | None) -> list[Damage]:
    """Return the damage of a store, rows first; empty when it is whole.

    Args:
        connection: Connection to its database.
        seal: Its seal; ``None`` for a file of a version without checksums.
    """
    try:
        found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if found != "ok":
            return [Damage("", str(found))]
        if seal is not None and (text := schema_problem(connection)):
            return [Damage("", text)]
        rows = [
            damage
            for table in COLUMNS
            for damage in _wrong_rows(connection, table, is_sealed=seal is not None)
        ]
        tables = {} if seal is None else seal.check()
        return [*rows, *(Damage(table, text) for table, text in tables.items())]
    except (sqlite3.Error, UnicodeError, TypeError, ValueError) as error:
        return [Damage("", str(error))]


def _wrong_rows(connection: sqlite3.Connection, table: str, *, is_sealed: bool) -> list[Damage]:
    if table == "inbox":
        return []  # The sum reveals it.
    names = ", ".join(column for column, _ in COLUMNS[table])
    known = "checksum" if is_sealed else "NULL"
    # Of the log, the part that a start reads; the rest is checked when read.
    newest = f"ORDER BY number DESC LIMIT {_CHECKED}" if table == "log" else ""
    query = f"SELECT {names}, {known} FROM {table} {newest}"  # noqa: S608
    return [
        Damage(table, text, values[0])
        for *values, mark in connection.execute(query)
        if (text := what_is_wrong(table, tuple(values), mark if is_sealed else None))
    ]
