"""Export a recording to files, by ranges of sequences.

A file is never changed: an export continues behind the last one. The file of raw events is written
after the others of its range, so it shows that the range is complete.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import ColumnElement, Connection, Table, func, literal_column, select

from ingenium.errors import RecorderError
from ingenium.recorder import schema
from ingenium.recorder.database import Database, failures
from ingenium.recorder.export_formats import FORMATS
from ingenium.recorder.instants import DAY
from ingenium.recorder.schema import Row

__all__ = ["EXPORTED", "ExportCounts", "export", "parts_of", "rows_between"]

_BATCH = 10_000
_LARGEST = 1_000_000
_PART = re.compile(r"(?P<stream>.+)-(?P<first>[0-9]+)-(?P<last>[0-9]+)")
EXPORTED = (
    *(table for table in schema.DERIVED if table is not schema.BOOKS),
    schema.EVENTS,
)
"""Exported tables; the raw events are last."""


@dataclass(slots=True)
class ExportCounts:
    """What an export has written.

    Attributes:
        files: New files.
        events: Events in them.
        gaps: Gaps in the recording between them.
        oversized: Amounts that a column of the format cannot hold exactly, and so are empty.
    """

    files: int = 0
    events: int = 0
    gaps: int = 0
    oversized: int = 0


@dataclass(frozen=True, slots=True)
class _Range:
    first: int
    last: int
    day: int


def export(database: Database, scope: str, folder: Path, kind: str) -> ExportCounts:
    """Write what was recorded since the last export.

    Files are ``table=<table>/date=<day>/<stream>-<first>-<last>.<kind>``, by the day of
    ``received``, UTC. Sequences that no name covers are not recorded. A table without rows in a
    range has no file for it.

    Args:
        database: Database of the recording.
        scope: Name of an app, or id of a run.
        folder: Folder to write to; the same one each time.
        kind: ``"parquet"``, ``"arrow"`` or ``"csv"``.

    Raises:
        MissingDependencyError: The library of the format is not installed.
        RecorderError: The database cannot be read, the files cannot be written, or nothing was
            recorded for the scope.
    """
    counts = ExportCounts()
    position = schema.POSITION
    try:
        with failures(database, "be exported"), database.engine.connect() as connection:
            streams = connection.scalars(
                select(position.c.stream)
                .where(position.c.scope == scope)
                .order_by(position.c.name, position.c.epoch)
            ).all()
            if not streams:
                raise RecorderError(f"{database.text} has no recording of {scope!r}")
            for stream in streams:
                done = _continue_from(folder, stream, kind)
                for part in _ranges(connection, stream, done, counts):
                    for table in EXPORTED:
                        _write(connection, table, stream, part, folder, kind, counts)
    except OSError as error:
        raise RecorderError(f"cannot export to {folder}: {error.strerror or error}") from error
    return counts


def _continue_from(folder: Path, stream: str, kind: str) -> int:
    """Return the last exported sequence, after removing files of an interrupted export."""
    found = parts_of(folder, stream, kind)
    done = max(
        (
            last
            for table, _, last, path in found
            if table == schema.EVENTS.name and path.suffix == f".{kind}"
        ),
        default=0,
    )
    for _, first, _, path in found:
        if first > done:
            path.unlink()
    return done


def parts_of(folder: Path, stream: str, kind: str) -> list[tuple[str, int, int, Path]]:
    """Return the files of a stream, also unfinished ones, whose suffix is ``.part``.

    Returns:
        Table, first and last sequence, and path of each.
    """
    name = quote(stream, safe="")
    found: list[tuple[str, int, int, Path]] = []
    for path in folder.glob(f"table=*/date=*/*.{kind}*"):
        part = _PART.fullmatch(path.name.partition(f".{kind}")[0])
        if part is not None and part["stream"] == name:
            table = path.parts[-3].removeprefix("table=")
            found.append((table, int(part["first"]), int(part["last"]), path))
    return found


def _ranges(
    connection: Connection, stream: str, done: int, counts: ExportCounts
) -> Iterator[_Range]:
    """Yield ranges without a gap, of one day and at most `_LARGEST` sequences each."""
    events, gaps = schema.EVENTS, schema.GAPS
    # Both databases divide whole numbers without a fraction. No parameter: PostgreSQL would not see
    # that the selected and the grouped expression are the same.
    day: ColumnElement[int] = literal_column(f"events.received / {DAY}")
    days = connection.execute(
        select(day, func.min(events.c.sequence), func.max(events.c.sequence))
        .where(events.c.stream == stream, events.c.sequence > done)
        .group_by(day)
        .order_by(func.min(events.c.sequence))
    ).all()
    missing = connection.execute(
        select(gaps.c.first, gaps.c.last)
        .where(gaps.c.stream == stream, gaps.c.last > done, gaps.c.last >= gaps.c.first)
        .order_by(gaps.c.first)
    ).all()
    counts.gaps += len(missing)
    start = done + 1
    for number, first, last in days:
        # A clock that was set back over midnight mixes two days: these are one range.
        start = max(start, first)
        for before, after in [*missing, (last + 1, last)]:
            end = min(before - 1, last)
            while start <= end:
                until = min(end, start + _LARGEST - 1)
                yield _Range(start, until, number)
                start = until + 1
            if before <= last:
                start = max(start, after + 1)


def _write(
    connection: Connection,
    table: Table,
    stream: str,
    part: _Range,
    folder: Path,
    kind: str,
    counts: ExportCounts,
) -> None:
    rows = rows_between(connection, table, stream, part.first, part.last)
    first = next(rows, None)
    if first is None:
        return
    date = time.strftime("%Y-%m-%d", time.gmtime(part.day * 86_400))
    place = folder / f"table={table.name}" / f"date={date}"
    place.mkdir(parents=True, exist_ok=True)
    path = place / f"{quote(stream, safe='')}-{part.first}-{part.last}.{kind}"
    unfinished = path.with_name(f"{path.name}.part")
    written = 0
    writer = FORMATS[kind](unfinished, table, f"{stream} {part.first}-{part.last}")
    try:
        while first is not None:
            writer.write(first)
            written += len(first)
            first = next(rows, None)
    finally:
        writer.close()
    unfinished.replace(path)
    counts.files += 1
    counts.oversized += writer.oversized
    if table is schema.EVENTS:
        counts.events += written


def rows_between(
    connection: Connection, table: Table, stream: str, first: int, last: int
) -> Iterator[list[Row]]:
    """Yield the rows of two sequences and those between them, in batches."""
    after = first - 1
    while True:
        found = connection.execute(
            select(table)
            .where(table.c.stream == stream, table.c.sequence > after, table.c.sequence <= last)
            .order_by(table.c.sequence)
            .limit(_BATCH)
        ).all()
        if not found:
            return
        after = found[-1].sequence
        yield [tuple(row) for row in found]
