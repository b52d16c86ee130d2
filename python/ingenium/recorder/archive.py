"""Export old events, and check that the files hold them, before they are deleted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, func, select

from ingenium.errors import RecorderError
from ingenium.recorder.database import Database, failures
from ingenium.recorder.export import EXPORTED, export, parts_of, rows_between
from ingenium.recorder.export_formats import fits
from ingenium.recorder.schema import EVENTS, POSITION, RETENTION, Row

__all__ = ["archived"]

_KIND = "parquet"


def archived(database: Database, scope: str, folder: Path, before: int) -> dict[str, int]:
    """Export what was recorded since the last export, and verify the files of old events.

    Each file is read again, and compared with the database row by row.

    Args:
        database: Database of the recording.
        scope: Name of the app.
        folder: Folder of the export, the same one each time.
        before: Time of reception before which events are old.

    Returns:
        Last sequence of each stream up to which all old events are in files; empty, without an
        export, if there are none.

    Raises:
        MissingDependencyError: pyarrow is not installed.
        RecorderError: The folder lacks events or has others, or cannot be read or written.
    """
    with failures(database, "be read"), database.engine.connect() as connection:
        done = _old(connection, scope, before)
    if not done:
        return {}
    export(database, scope, folder, _KIND)
    with failures(database, "be read"), database.engine.connect() as connection:
        return {
            stream: _verified(connection, stream, after, folder, before)
            for stream, after in done.items()
        }


def _old(connection: Connection, scope: str, before: int) -> dict[str, int]:
    """Return the streams with old events, and the last deleted sequence of each."""
    streams = connection.execute(
        select(POSITION.c.stream, func.coalesce(RETENTION.c.sequence, 0))
        .outerjoin(RETENTION, RETENTION.c.stream == POSITION.c.stream)
        .where(POSITION.c.scope == scope)
    ).all()
    return {
        stream: after
        for stream, after in streams
        if (first := _first_after(connection, stream, after)) is not None and first[1] < before
    }


def _first_after(connection: Connection, stream: str, after: int) -> Row | None:
    found = connection.execute(
        select(EVENTS.c.sequence, EVENTS.c.received)
        .where(EVENTS.c.stream == stream, EVENTS.c.sequence > after)
        .order_by(EVENTS.c.sequence)
        .limit(1)
    ).first()
    return None if found is None else tuple(found)


def _verified(connection: Connection, stream: str, after: int, folder: Path, before: int) -> int:
    files: dict[tuple[int, int], dict[str, Path]] = {}
    for name, start, last, file in parts_of(folder, stream, _KIND):
        if last > after and file.suffix == f".{_KIND}":
            files.setdefault((start, last), {})[name] = file
    while (first := _first_after(connection, stream, after)) is not None and first[1] < before:
        place = next((each for each in sorted(files) if each[0] <= first[0] <= each[1]), None)
        if place is None or EVENTS.name not in files[place]:
            raise RecorderError(
                f"{folder} lacks event {first[0]} of {stream}, so nothing was deleted: export to "
                "a new folder"
            )
        for table in EXPORTED:
            path = files[place].get(table.name)
            rows = chain.from_iterable(rows_between(connection, table, stream, after + 1, place[1]))
            stored = _stored(path, table, after) if path is not None else iter(())
            _compare(rows, stored, path or folder / f"table={table.name}", stream)
        after = place[1]
    return after


def _compare(rows: Iterator[Row], stored: Iterator[Row], path: Path, stream: str) -> None:
    for row, other in zip_longest(rows, stored):
        if row is None or other is None or not all(map(_is_same, row, other)):
            raise RecorderError(
                f"{path} differs from the recording at sequence {(row or other)[1]} of {stream}, "
                "so nothing was deleted: export to a new folder"
            )


def _is_same(value: Any, stored: Any) -> bool:
    if isinstance(value, Decimal) and stored is None:
        # The raw event has it.
        return not fits(value)
    return bool((bytes(value) if isinstance(value, memoryview) else value) == stored)


def _stored(path: Path, table: Table, after: int) -> Iterator[Row]:
    """Yield the rows of a file behind a sequence."""
    import pyarrow
    from pyarrow import parquet

    names: Sequence[str] = table.columns.keys()
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=list(names)):
                columns = []
                for name in names:
                    column = batch.column(name)
                    if pyarrow.types.is_timestamp(column.type):
                        column = column.cast(pyarrow.int64())
                    columns.append(column.to_pylist())
                yield from (row for row in zip(*columns, strict=True) if row[1] > after)
    except (OSError, KeyError, pyarrow.ArrowException) as error:
        raise RecorderError(
            f"{path} cannot be read, so nothing was deleted: {str(error).partition(chr(10))[0]}"
        ) from error
