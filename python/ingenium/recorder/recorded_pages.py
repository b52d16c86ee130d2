"""Read fills and denials of a recording page by page, by more filters than a command line has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Select, Table, and_, func, select

from ingenium.errors import MissingDependencyError
from ingenium.recorder.paging import after_page, latest_first, page_name
from ingenium.recorder.record_table import RecordTable
from ingenium.recorder.schema import DENIALS, EXECUTIONS, ORDERS, streams_of

__all__ = ["RowFilter", "count_fills", "denial_page", "fill_page", "write_parquet"]


@dataclass(frozen=True, slots=True)
class RowFilter:
    """Which rows; an empty text or ``None`` restricts nothing.

    Attributes:
        app: Name of an app, or id of a run.
        symbol: Only this instrument.
        side: ``"buy"`` or ``"sell"``.
        order_id: Only this order.
        since: First time, in nanoseconds since 1970.
        until: Time after the last one.
    """

    app: str
    symbol: str = ""
    side: str = ""
    order_id: str = ""
    since: int | None = None
    until: int | None = None

    def apply(self, query: Select[Any], table: Table, side: Table) -> Select[Any]:
        """Return a query for these rows only.

        Args:
            query: Query of the table.
            table: The table.
            side: Table with the column ``side``.
        """
        columns = table.c
        query = query.where(columns.stream.in_(streams_of(self.app)))
        if self.symbol:
            query = query.where(columns.symbol == self.symbol)
        if self.side:
            query = query.where(side.c.side == self.side)
        if self.order_id:
            query = query.where(columns.order_id == self.order_id)
        if self.since is not None:
            query = query.where(columns.time >= self.since)
        return query if self.until is None else query.where(columns.time < self.until)


def fill_page(
    connection: Connection, wanted: RowFilter, limit: int, after: str = "", skip: int = 0
) -> RecordTable:
    """Return a page of fills, latest first.

    Args:
        connection: Connection to the database.
        wanted: Which fills.
        limit: Most rows.
        after: `RecordTable.next` of the page before; empty for the first one.
        skip: Number of rows to leave out first.

    Raises:
        ConfigError: ``after`` does not come from an earlier page.
    """
    names = (
        "time", "symbol", "side", "quantity", "price", "commission", "order_id", "id", "stream",
        "sequence",
    )  # fmt: skip
    query = select(*(EXECUTIONS.c[name] for name in names)).where(EXECUTIONS.c.booked == 1)
    query = wanted.apply(query, EXECUTIONS, EXECUTIONS)
    return _page(connection, query, EXECUTIONS, limit, after, skip)


def count_fills(connection: Connection, wanted: RowFilter) -> int:
    """Return the number of fills of a filter."""
    query = select(func.count()).select_from(EXECUTIONS).where(EXECUTIONS.c.booked == 1)
    return int(connection.execute(wanted.apply(query, EXECUTIONS, EXECUTIONS)).scalar_one())


def denial_page(
    connection: Connection, wanted: RowFilter, limit: int, after: str = ""
) -> RecordTable:
    """Return a page of denied orders, latest first; as `fill_page`."""
    own = ("time", "symbol", "component", "reason", "detail", "order_id", "id")
    query = select(
        *(DENIALS.c[name] for name in own),
        ORDERS.c.side,
        ORDERS.c.quantity,
        DENIALS.c.stream,
        DENIALS.c.sequence,
    ).outerjoin(
        ORDERS,
        and_(
            ORDERS.c.stream == DENIALS.c.stream,
            ORDERS.c.order_id == DENIALS.c.order_id,
            ORDERS.c.request == "new",
        ),
    )
    return _page(connection, wanted.apply(query, DENIALS, ORDERS), DENIALS, limit, after, 0)


def write_parquet(path: Path, pages: Iterable[RecordTable]) -> None:
    """Write pages of fills as one Parquet file, with exact decimals and times in UTC.

    Raises:
        MissingDependencyError: pyarrow is not installed.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            f"Parquet needs {error.name}: pip install 'ingenium[arrow]'"
        ) from error
    money = pyarrow.decimal256(76, 30)
    text, number = pyarrow.string(), pyarrow.int64()
    fields = [
        ("time", pyarrow.timestamp("ns", tz="UTC")), ("symbol", text), ("side", text),
        ("quantity", money), ("price", money), ("commission", money), ("order_id", text),
        ("id", text), ("stream", text), ("sequence", number),
    ]  # fmt: skip
    schema = pyarrow.schema(fields)
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        for page in pages:
            columns = list(zip(*page.rows, strict=True)) or [()] * len(fields)
            typed = zip(columns, schema, strict=True)
            arrays = [pyarrow.array(column, kind.type) for column, kind in typed]
            writer.write_table(pyarrow.Table.from_arrays(arrays, schema=schema))


def _page(
    connection: Connection,
    query: Select[Any],
    table: Table,
    limit: int,
    after: str,
    skip: int,
) -> RecordTable:
    query = after_page(query, table, "time", after).order_by(*latest_first(table, "time"))
    found = connection.execute(query.limit(limit + 1).offset(skip))
    names, rows = tuple(found.keys()), [tuple(row) for row in found]
    more = ""
    if len(rows) > limit:
        rows = rows[:limit]
        more = page_name(rows[-1][0], rows[-1][-2], rows[-1][-1])
    return RecordTable(names, rows, ("time",), more)
