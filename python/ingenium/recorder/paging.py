"""Pages of rows that are listed with the latest first."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, Table, and_, or_

from ingenium.errors import ConfigError
from ingenium.recorder.instants import nanoseconds

__all__ = ["after_page", "latest_first", "page_name", "read_page", "unknown_page", "within"]


def latest_first(table: Table, time: str) -> list[ColumnElement[Any]]:
    """Return the order of rows by a column of times, and then by stream and sequence."""
    return [table.c[name].desc() for name in (time, "stream", "sequence")]


def page_name(time: int, stream: str, sequence: int) -> str:
    """Return the name of the page after a row."""
    return f"{time}:{sequence}:{stream}"


def after_page(query: Select[Any], table: Table, time: str, page: str) -> Select[Any]:
    """Return a query for the rows of a page.

    Args:
        query: A query in the order of `latest_first`.
        table: Its table.
        time: The column of times.
        page: Result of `page_name`; empty for the first page.

    Raises:
        ConfigError: It is none.
    """
    if not page:
        return query
    at, stream, sequence = read_page(page)
    columns = table.c
    return query.where(
        or_(
            columns[time] < at,
            and_(
                columns[time] == at,
                or_(
                    columns.stream < stream,
                    and_(columns.stream == stream, columns.sequence < sequence),
                ),
            ),
        )
    )


def read_page(page: str) -> tuple[int, str, int]:
    """Return time, stream and sequence of the row before a page.

    Raises:
        ConfigError: It is no result of `page_name`.
    """
    time, _, rest = page.partition(":")
    sequence, _, stream = rest.partition(":")
    try:
        return int(time), stream, int(sequence)
    except ValueError:
        raise unknown_page(page) from None


def unknown_page(page: str) -> ConfigError:
    """Return the error for a page that no query has named."""
    return ConfigError(f"page {page!r} is not known: pass the one that the last page named")


def within(
    query: Select[Any], column: Column[int], since: datetime | None, until: datetime | None
) -> Select[Any]:
    """Return a query for the rows at or after a time and before another one.

    Raises:
        ConfigError: A time has no zone.
    """
    if since is not None:
        query = query.where(column >= nanoseconds(since))
    return query if until is None else query.where(column < nanoseconds(until))
