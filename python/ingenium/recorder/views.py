"""Views with readable times, for users' own SQL queries."""

from __future__ import annotations

from sqlalchemy import Connection, Table

from ingenium.recorder.schema import VIEWED

__all__ = ["create_views", "drop_views", "view_of"]

_SECOND = 1_000_000_000


def view_of(table: Table) -> str:
    """Return the name of a table's view."""
    return f"{table.name}_iso"


def drop_views(connection: Connection) -> None:
    """Drop the views before their tables change."""
    for table in VIEWED:
        connection.exec_driver_sql(f"DROP VIEW IF EXISTS {view_of(table)}")


def create_views(connection: Connection) -> None:
    """Create the views of the current tables."""
    iso = _iso_sqlite if connection.dialect.name == "sqlite" else _iso_postgresql
    for table in VIEWED:
        columns = []
        for column in table.columns:
            name = f'"{column.name}"'
            columns.append(f"{iso(name)} AS {name}" if column.info.get("is_time") else name)
        selected = ", ".join(columns)
        connection.exec_driver_sql(
            f"CREATE VIEW {view_of(table)} AS SELECT {selected} FROM {table.name}"  # noqa: S608
        )


def _parts(column: str, remainder: str) -> tuple[str, str]:
    """Return the whole seconds of a time, and its nanoseconds.

    Args:
        column: Name of the column.
        remainder: The database's remainder expression, with ``{0}`` and ``{1}`` for the operands.
    """
    # Both databases round division towards zero, and times before 1970 are negative.
    once = remainder.format(column, _SECOND)
    fraction = remainder.format(f"({once} + {_SECOND})", _SECOND)
    return f"(({column} - {fraction}) / {_SECOND})", fraction


def _iso_sqlite(column: str) -> str:
    second, fraction = _parts(column, "({0} % {1})")
    return f"strftime('%Y-%m-%dT%H:%M:%S', {second}, 'unixepoch') || printf('.%09dZ', {fraction})"


def _iso_postgresql(column: str) -> str:
    # The driver treats a percent sign as a placeholder.
    second, fraction = _parts(column, "mod({0}, {1})")
    return (
        f"to_char(to_timestamp({second}) AT TIME ZONE 'UTC', "
        f"'YYYY-MM-DD\"T\"HH24:MI:SS') || '.' || lpad({fraction}::text, 9, '0') || 'Z'"
    )
