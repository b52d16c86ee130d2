"""Parquet, Arrow and Feather files."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING

from ingenium.errors import DataFileError, MissingDependencyError
from ingenium.ingestors.csv._files import READ_ERRORS, Source
from ingenium.ingestors.csv._reopened import open_bytes
from ingenium.ingestors.csv._tables import TableFile

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ARROW_MAGIC", "ArrowFile"]

ARROW_MAGIC = (b"PAR1", b"ARROW1", b"\xff\xff\xff\xff")
"""First bytes of Parquet files, Arrow files and Arrow streams."""
_BATCH = 4_096
_UNNAMED = "__index_level_"


class ArrowFile(TableFile):
    """A Parquet file, an Arrow (Feather) file or an Arrow stream, read batch by batch.

    Cells are the text that pandas would write to CSV: floats in shortest form, decimals and
    integers unchanged, times in ISO form, only dates where no time of a column has a time of
    day. The index of a pandas frame comes first.

    Args:
        source: The file.
        magic: Its first bytes.

    Raises:
        DataFileError: The file cannot be read.
        MissingDependencyError: pyarrow is not installed.
    """

    def __init__(self, source: Source, magic: bytes) -> None:
        super().__init__(source)
        try:
            import pyarrow
        except ImportError as error:
            raise MissingDependencyError(
                f"{source.name} needs pyarrow to be read: pip install 'ingenium[arrow]'"
            ) from error
        if source.archive is not None:
            raise DataFileError(f"{source.name} cannot be read inside an archive: unpack it")
        self._is_parquet = magic.startswith(b"PAR1")
        self._is_stream = magic.startswith(b"\xff\xff\xff\xff")
        self._errors = (*READ_ERRORS, pyarrow.ArrowException)
        try:
            with open_bytes(source.path) as stream:
                schema, _ = self._open(stream, None)
            self._order, self._names = _columns(schema)
            self._days = self._find_days(schema)
        except self._errors as error:
            raise self.failed(error) from error
        self.head = self.make_head()

    def _open(
        self, stream: IO[bytes], names: list[str] | None
    ) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """Return the schema, and the batches with some or all columns."""
        import pyarrow

        if self._is_parquet:
            from pyarrow.parquet import ParquetFile

            file = ParquetFile(stream)
            return file.schema_arrow, file.iter_batches(_BATCH, columns=names, use_threads=False)
        options = pyarrow.ipc.IpcReadOptions(use_threads=False)
        if self._is_stream:
            reader = pyarrow.ipc.open_stream(stream, options=options)
            batches: Iterator[pa.RecordBatch] = iter(reader)
        else:
            reader = pyarrow.ipc.open_file(stream, options=options)
            batches = map(reader.get_batch, range(reader.num_record_batches))
        if names is not None:
            batches = (batch.select(names) for batch in batches)
        return reader.schema, (part for batch in batches for part in _parts(batch))

    def _find_days(self, schema: pa.Schema) -> frozenset[str]:
        """Return the time columns that contain only days, which pandas writes to CSV as dates."""
        from pyarrow import compute, types

        days = {
            name
            for name in schema.names
            if types.is_timestamp(schema.field(name).type) and schema.field(name).type.tz is None
        }
        if not days:
            return frozenset()
        with open_bytes(self.source.path) as stream:
            for batch in self._open(stream, sorted(days))[1]:
                for name in tuple(days):
                    times = batch.column(name)
                    midnights = compute.equal(compute.floor_temporal(times, unit="day"), times)
                    if compute.all(midnights).as_py() is False:
                        days.discard(name)
                if not days:
                    break
        return frozenset(days)

    def header(self) -> Sequence[Sequence[str]]:
        """Return the names of the columns; three rows for the two levels of yfinance."""
        return self._names

    def read(self, places: frozenset[int] | None) -> Iterator[tuple[int, list[str]]]:
        """Yield the rows with their numbers, from the first."""
        order = self._order
        wanted = range(len(order)) if places is None else sorted(places & set(range(len(order))))
        empty = [""] * len(order)
        number = 0
        try:
            with open_bytes(self.source.path) as stream:
                for batch in self._open(stream, [order[place] for place in wanted])[1]:
                    columns = [self._texts(batch.column(order[place]), place) for place in wanted]
                    for cells in zip(*columns, strict=True):
                        number += 1
                        row = empty.copy()
                        for place, cell in zip(wanted, cells, strict=True):
                            row[place] = cell
                        yield number, row
        except self._errors as error:
            raise self.failed(error, number + 1) from error

    def _texts(self, column: pa.Array, place: int) -> list[str]:
        """Return the cells of a column as text; empty for nulls."""
        import pyarrow
        from pyarrow import types

        if types.is_dictionary(column.type):
            column = column.dictionary_decode()
        kind = column.type
        if types.is_float64(kind):
            return ["" if cell is None else repr(cell) for cell in column.to_pylist()]
        if types.is_decimal(kind):
            return ["" if cell is None else format(cell, "f") for cell in column.to_pylist()]
        if types.is_nested(kind) or types.is_binary(kind) or types.is_large_binary(kind):
            return [""] * len(column)
        zone = ""
        if types.is_timestamp(kind):
            if self._order[place] in self._days:
                column = column.cast(pyarrow.date32())
            elif kind.tz is not None:
                column, zone = column.cast(pyarrow.timestamp(kind.unit)), "Z"
        texts = column.cast(pyarrow.string()).to_pylist()
        if types.is_floating(kind):
            return ["" if text is None else _with_point(text) for text in texts]
        return ["" if text is None else text + zone for text in texts]

    def count_all(self) -> int:
        """Return the number of rows."""
        try:
            with open_bytes(self.source.path) as stream:
                if self._is_parquet:
                    from pyarrow.parquet import ParquetFile

                    return int(ParquetFile(stream).metadata.num_rows)
                return sum(batch.num_rows for batch in self._open(stream, None)[1])
        except self._errors as error:
            raise self.failed(error) from error


def _parts(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Split a batch, which may be a whole file, to limit the cells held as Python objects."""
    return (batch.slice(start, _BATCH) for start in range(0, batch.num_rows, _BATCH))


def _with_point(text: str) -> str:
    return (
        text
        if text.lstrip("-").isalpha() or not text.isascii() or {".", "e"} & set(text)
        else f"{text}.0"
    )


def _columns(schema: pa.Schema) -> tuple[list[str], list[list[str]]]:
    """Return the columns with a pandas index in front, and the header."""
    names = list(schema.names)
    metadata: dict[bytes, bytes] = schema.metadata or {}
    pandas = json.loads(metadata.get(b"pandas", b"{}"))
    index = [name for name in pandas.get("index_columns", ()) if name in names]
    order = index + [name for name in names if name not in index]
    header = ["" if name.startswith(_UNNAMED) else name for name in order]
    levels = [_levels(name) for name in header[len(index) :]]
    if index and levels and all(levels):
        # yfinance: ('Close', 'AAPL'), which it writes to CSV as three rows.
        first, second = zip(*filter(None, levels), strict=True)
        blank = [""] * len(index)
        return order, [
            ["Price", *blank[1:], *first],
            ["Ticker", *blank[1:], *second],
            [*header[: len(index)], *[""] * len(levels)],
        ]
    return order, [header]


def _levels(name: str) -> tuple[str, str] | None:
    """Return both levels of a column name written by pandas, ``"('Close', 'AAPL')"``."""
    if not name.startswith("('"):
        return None
    try:
        levels = ast.literal_eval(name)
    except (ValueError, SyntaxError):
        return None
    return levels if isinstance(levels, tuple) and len(levels) == 2 else None
