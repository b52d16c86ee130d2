"""File formats of an export."""

from __future__ import annotations

import base64
import csv
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import LargeBinary, Table

from ingenium.errors import MissingDependencyError
from ingenium.recorder.columns import Money
from ingenium.recorder.record_table import time_text
from ingenium.recorder.schema import Row

__all__ = ["FORMATS", "FileWriter", "fits"]

_DIGITS, _SCALE = 38, 18


def fits(value: Decimal) -> bool:
    """Return whether a column of Parquet or Arrow holds an amount exactly."""
    exponent = value.as_tuple().exponent
    is_fine = isinstance(exponent, int) and exponent >= -_SCALE
    return is_fine and value.adjusted() < _DIGITS - _SCALE


class FileWriter(ABC):
    """Writes rows of one table to one file.

    Args:
        path: File to write; an existing one is replaced.
        table: Table of the rows.
        source: Stream and sequences of the rows, for the file's metadata.

    Attributes:
        oversized: Amounts that the file cannot hold exactly, and that are empty in it.
    """

    def __init__(self, path: Path, table: Table, source: str) -> None:
        self.oversized = 0
        self._open(path, table, source)

    @abstractmethod
    def _open(self, path: Path, table: Table, source: str) -> None: ...

    @abstractmethod
    def write(self, rows: Sequence[Row]) -> None:
        """Write rows, with their values in the order of the table's columns."""

    @abstractmethod
    def close(self) -> None:
        """Finish the file."""


class CsvWriter(FileWriter):
    """Writes CSV: times as RFC 3339, bytes that are no UTF-8 text as ``base64:...``."""

    def _open(self, path: Path, table: Table, source: str) -> None:
        del source
        self._file = path.open("w", encoding="utf-8", newline="")
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(table.columns.keys())
        self._cells: list[Callable[[Any], Any]] = [_cell_of(column) for column in table.columns]

    def write(self, rows: Sequence[Row]) -> None:
        """Write rows."""
        cells = self._cells
        self._writer.writerows(
            [cell(value) for cell, value in zip(cells, row, strict=True)] for row in rows
        )

    def close(self) -> None:
        """Finish the file."""
        self._file.close()


def _cell_of(column: Any) -> Callable[[Any], Any]:
    if column.info.get("is_time"):
        return time_text
    if isinstance(column.type, Money):
        return _decimal_text
    return _bytes_text if isinstance(column.type, LargeBinary) else _same


def _decimal_text(value: Decimal | None) -> str:
    return "" if value is None else format(value, "f")


def _bytes_text(value: bytes) -> str:
    try:
        return bytes(value).decode()
    except UnicodeDecodeError:
        return f"base64:{base64.b64encode(value).decode()}"


def _same(value: Any) -> Any:
    return value


class _ColumnWriter(FileWriter):
    """Writes Arrow batches: amounts are decimal128(38, 18), times are nanoseconds, UTC."""

    _writer: Any

    def _open(self, path: Path, table: Table, source: str) -> None:
        try:
            import pyarrow
        except ModuleNotFoundError as error:
            raise MissingDependencyError(
                f"Parquet and Arrow files need {error.name}: pip install 'ingenium[arrow]'"
            ) from error
        self._arrow = pyarrow
        self._places = [
            at for at, column in enumerate(table.columns) if isinstance(column.type, Money)
        ]
        self._schema = pyarrow.schema(
            [
                pyarrow.field(column.name, self._type_of(column), bool(column.nullable))
                for column in table.columns
            ],
            metadata={"ingenium.source": source},
        )
        self._writer = self._open_file(path)

    @abstractmethod
    def _open_file(self, path: Path) -> Any:
        """Open a file for `_schema`, and return what writes batches to it."""

    def _type_of(self, column: Any) -> Any:
        arrow = self._arrow
        if column.info.get("is_time"):
            return arrow.timestamp("ns", "UTC")
        if isinstance(column.type, Money):
            return arrow.decimal128(_DIGITS, _SCALE)
        if isinstance(column.type, LargeBinary):
            return arrow.binary()
        return arrow.string() if column.type.python_type is str else arrow.int64()

    def write(self, rows: Sequence[Row]) -> None:
        """Write rows."""
        columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
        for at in self._places:
            columns[at] = [self._fitting(value) for value in columns[at]]
        arrays = [
            self._arrow.array(column, field.type)
            for column, field in zip(columns, self._schema, strict=True)
        ]
        self._writer.write_batch(self._arrow.record_batch(arrays, schema=self._schema))

    def _fitting(self, value: Decimal | None) -> Decimal | None:
        if value is None or fits(value):
            return value
        self.oversized += 1
        return None

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()


class ParquetWriter(_ColumnWriter):
    """Writes Parquet, compressed by zstd."""

    def _open_file(self, path: Path) -> Any:
        from pyarrow import parquet

        return parquet.ParquetWriter(path, self._schema, compression="zstd")


class ArrowWriter(_ColumnWriter):
    """Writes Arrow IPC files, also known as Feather."""

    def _open_file(self, path: Path) -> Any:
        return self._arrow.ipc.new_file(str(path), self._schema)


FORMATS: dict[str, type[FileWriter]] = {
    "parquet": ParquetWriter,
    "arrow": ArrowWriter,
    "csv": CsvWriter,
}
"""Writers by the name of the format, which is the suffix of its files."""
