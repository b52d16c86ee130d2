"""Rows of formats other than CSV, as text cells."""

from __future__ import annotations

import csv
import io
import tempfile
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice

from ingenium.ingestors.csv._columns import Layout
from ingenium.ingestors.csv._files import BarFile
from ingenium.ingestors.csv._groups import ListRows, Rows, block_rows, find_groups

__all__ = ["BrokenRow", "TableFile"]

_HEAD_ROWS = 50
_LINE_ENDS = str.maketrans("\r\n", "  ")


class BrokenRow(list[str]):
    """A row that could not be read.

    Args:
        reason: Why it could not be read.
    """

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


class TableFile(BarFile):
    """A file of rows that is not CSV; a subclass converts its rows to text.

    The header comes from the format, and is not one of the rows. The line of a row is its number in
    the file, from 1.
    """

    @abstractmethod
    def header(self) -> Sequence[Sequence[str]]:
        """Return the header rows as in a CSV file; none if columns have no names."""

    @abstractmethod
    def read(self, places: frozenset[int] | None) -> Iterator[tuple[int, list[str]]]:
        """Yield the rows with their lines, from the first.

        Args:
            places: Indexes of the required columns; others may be empty. ``None`` for all.

        Raises:
            DataFileError: The file cannot be read.
        """

    @abstractmethod
    def count_all(self) -> int:
        """Return the number of rows.

        Raises:
            DataFileError: The file cannot be read.
        """

    def make_head(self) -> str:
        """Return header and first rows as CSV."""
        text = io.StringIO("sep=,\n")
        text.seek(0, io.SEEK_END)
        _write(text, [*self.header(), *(row for _, row in islice(self.read(None), _HEAD_ROWS))])
        return text.getvalue()

    @contextmanager
    def open_rows(self, layout: Layout) -> Iterator[Rows]:
        """Open the rows after the header."""
        yield ListRows(self._rows(layout))

    def _rows(self, layout: Layout) -> Iterator[tuple[int, list[str]]]:
        return islice(self.read(frozenset(layout.columns.values())), self._above(layout), None)

    def _above(self, layout: Layout) -> int:
        """Return the number of header rows; lines of the layout include sep= and the names."""
        return max(layout.first_line - 2 - len(self.header()), 0)

    def count_rows(self, layout: Layout) -> int:
        """Return the number of rows after the header."""
        return self.count_all() - self._above(layout)

    @contextmanager
    def open_groups(self, layout: Layout) -> Iterator[dict[str, Rows] | None]:
        """Open the rows of each symbol; ``None`` when symbols are mixed."""
        with tempfile.TemporaryFile() as copy:
            text = io.TextIOWrapper(copy, "utf-8", "replace", newline="")
            last = 0
            for line, row in self._rows(layout):
                text.write("\n" * (line - last - 1))
                _write(text, [row])
                last = line
            text.flush()
            copy.seek(0)
            groups = find_groups(copy, replace(layout, first_line=1))
            yield None if groups is None else block_rows(copy, groups, layout)
            text.detach()


def _write(text: io.TextIOBase, rows: Iterable[Sequence[str]]) -> None:
    """Write rows as CSV, one line each; a broken row as a line of one cell."""
    writer = csv.writer(text, lineterminator="\n")
    for row in rows:
        cells = (row.reason,) if isinstance(row, BrokenRow) else row
        writer.writerow([cell.translate(_LINE_ENDS) for cell in cells])
