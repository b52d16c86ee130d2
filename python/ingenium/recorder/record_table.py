"""Result of a query: rows with column names, for a program, a data frame or a file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import is_dataclass
from decimal import Decimal
from typing import Any

from ingenium.errors import ConfigError, MissingDependencyError
from ingenium.events import encode
from ingenium.recorder.instants import datetime_of

__all__ = ["RecordTable", "time_text"]

_SECOND = 1_000_000_000
# A spreadsheet treats text that begins with one of these as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def time_text(nanoseconds: int) -> str:
    """Format nanoseconds since 1970 as RFC 3339, without trailing zeros in the fraction."""
    text = datetime_of(nanoseconds).strftime("%Y-%m-%dT%H:%M:%S")
    digits = f"{nanoseconds % _SECOND:09d}".rstrip("0")
    return f"{text}.{digits}Z" if digits else f"{text}Z"


class RecordTable:
    """Rows of a query result.

    Attributes:
        columns: Names of the columns.
        rows: Values in that order: `decimal.Decimal` for money, whole nanoseconds since 1970 for
            times, text and whole numbers for the rest.
        times: Names of the columns that are times.
        next: Pass it to the same query as ``after`` to get the next page; empty at the end.
        notes: Why rows may be missing: an unknown app or symbol, or events that were deleted.
    """

    def __init__(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[Any]],
        times: Sequence[str] = (),
        next: str = "",
        notes: Sequence[object] = (),
    ) -> None:
        self.columns = tuple(columns)
        self.rows = [tuple(row) for row in rows]
        self.times = frozenset(times)
        self.next = next
        self.notes = tuple(map(str, notes))

    def page(self, limit: int | None, after: str) -> RecordTable:
        """Return a part of the rows.

        Args:
            limit: Most rows; ``None`` for all.
            after: `next` of the page before; empty for the first page.

        Raises:
            ConfigError: ``after`` does not come from an earlier page.
        """
        if after and not (after.isascii() and after.isdigit()):
            raise ConfigError(f"page {after!r} is not known: pass the one that the last page named")
        start = int(after or 0)
        end = len(self.rows) if limit is None else start + limit
        more = str(end) if end < len(self.rows) else ""
        return RecordTable(self.columns, self.rows[start:end], [*self.times], more, self.notes)

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (dict(zip(self.columns, row, strict=True)) for row in self.rows)

    def texts(self) -> list[dict[str, Any]]:
        """Return the rows as values for JSON: decimals as text, times as RFC 3339."""
        return [{name: self._plain(name, value) for name, value in row.items()} for row in self]

    def csv(self) -> str:
        """Return the rows as CSV with a header line."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self.columns)
        for row in self.rows:
            writer.writerow(
                [self._cell(name, value) for name, value in zip(self.columns, row, strict=True)]
            )
        return out.getvalue()

    def to_pandas(self) -> Any:
        """Return a pandas data frame; decimals stay exact, times are UTC.

        Raises:
            MissingDependencyError: pandas is not installed.
        """
        try:
            import pandas
        except ModuleNotFoundError as error:
            raise MissingDependencyError(
                f"a data frame needs {error.name}: pip install 'ingenium[pandas]'"
            ) from error
        frame = pandas.DataFrame.from_records(self.rows, columns=list(self.columns))
        for name in self.times:
            frame[name] = pandas.to_datetime(frame[name], unit="ns", utc=True)
        return frame

    def to_polars(self) -> Any:
        """Return a polars data frame; decimals stay exact, times are UTC.

        Raises:
            MissingDependencyError: polars is not installed.
        """
        try:
            import polars
        except ModuleNotFoundError as error:
            raise MissingDependencyError(
                f"a data frame needs {error.name}: pip install 'ingenium[polars]'"
            ) from error
        frame = polars.DataFrame(
            self.rows, schema=list(self.columns), orient="row", infer_schema_length=None
        )
        return frame.with_columns(
            polars.from_epoch(name, time_unit="ns").dt.replace_time_zone("UTC")
            for name in self.times
        )

    def _plain(self, name: str, value: Any) -> Any:
        if isinstance(value, Decimal):
            return format(value, "f")
        if is_dataclass(value):
            return json.loads(encode(value))
        return time_text(value) if name in self.times and value is not None else value

    def _cell(self, name: str, value: Any) -> Any:
        plain = self._plain(name, value)
        if isinstance(plain, dict):
            return json.dumps(plain, ensure_ascii=False)
        if isinstance(value, str) and value.startswith(_FORMULA):
            return f"'{value}"
        return "" if plain is None else plain
