"""Assign the columns of a file to fields, by header or by position."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

from ingenium.errors import ConfigError, DataFileError
from ingenium.ingestors.csv._header import (
    CLOCK,
    NEEDED,
    Columns,
    alike,
    fit_header,
    known_fields,
    match_header,
    place_of,
)
from ingenium.ingestors.csv._numbers import is_number
from ingenium.ingestors.csv._words import RANKED, key_of

__all__ = ["FIELDS", "Columns", "Layout", "check_columns", "find_layout"]

FIELDS = ("time", "clock", "open", "high", "low", "close", "volume", "adj_close", "symbol")
"""Fields of a column; ``clock`` is a time of day next to a date in ``time``."""

_DELIMITERS = (",", ";", "\t", "|")
_COMMENTS = ("#", "//")
_PREAMBLE = 30
_ROWS = 12
_KLINE = 12
"""Columns of Binance's files without a header."""


@dataclass(frozen=True)
class Layout:
    """Layout of a file.

    Attributes:
        delimiter: Separator of columns.
        first_line: Line of the first row, from 1.
        width: Number of columns.
        columns: Index of the column of each field in the file, by the names of `FIELDS`.
        symbol: The symbol that the head of the file names; empty for none.
        guesses: Assumptions about the columns.
        clock_digits: Digits of a time of day in ``clock`` that is written as a number.
        header: Names of the columns; empty without a header.
    """

    delimiter: str
    first_line: int
    width: int
    columns: Mapping[str, int]
    symbol: str = ""
    guesses: tuple[str, ...] = ()
    clock_digits: int = 6
    header: tuple[str, ...] = ()

    def __getitem__(self, field: str) -> int:
        return self.columns[field]


class _Line(NamedTuple):
    """A split line of the head."""

    place: int
    delimiter: str
    cells: list[str]


def check_columns(columns: Mapping[str, object]) -> dict[str, str | int | None]:
    """Return a validated copy of the argument `columns`.

    Raises:
        ConfigError: It names an unknown field, or an index below 0.
    """
    checked: dict[str, str | int | None] = {}
    for field, column in columns.items():
        if field not in FIELDS:
            raise ConfigError(
                f"columns has the field {field!r}, which does not exist: pass some of "
                f"{', '.join(FIELDS)}"
            )
        named = isinstance(column, str) and column != ""
        placed = isinstance(column, int) and not isinstance(column, bool) and column >= 0
        if not named and not placed and (column is not None or field in NEEDED):
            raise ConfigError(
                f"columns[{field!r}] is {column!r}: pass the column's name, or its place from 0"
            )
        checked[field] = cast("str | int | None", column)
    return checked


def find_layout(name: str, head: str, columns: Columns, symbols: Sequence[str] = ()) -> Layout:
    """Detect the layout of a file.

    Args:
        name: Name of the file, for errors.
        head: First lines of the file.
        columns: Columns named by the user, by field.
        symbols: Possible names of the instrument, to distinguish its volume from its turnover.

    Raises:
        DataFileError: The file is empty, has no known header, or lacks a column.
    """
    lines = re.split(r"\r\n|\r|\n", head)
    forced = ""
    passed: list[_Line] = []
    comments: list[_Line] = []
    placed = all(isinstance(columns.get(field), int) for field in NEEDED)
    for place, text in enumerate(line.strip("\ufeff") for line in lines[:_PREAMBLE]):
        stripped = text.strip()
        if not stripped:
            continue
        if stripped.lower().startswith("sep=") and len(stripped) == 5:
            forced = stripped[4]
            continue
        comment = stripped.startswith(_COMMENTS)
        body = stripped.lstrip("#/ ") if comment else text
        line = _Line(place, *_split(body, forced, columns))
        if comment:
            comments.append(line)
        elif not placed and known_fields(line.cells, columns).issuperset(NEEDED):
            return _with_header(name, lines, line, columns, symbols)
        else:
            header = None if placed else _commented(comments, line, columns)
            if header is not None:
                return _with_header(name, lines, header, columns, symbols)
            if _is_data(line.cells, columns):
                return _at_data(name, lines, line, passed, comments, columns, symbols)
            passed.append(line)
    header = _best(passed, columns)
    if header is not None:
        return _with_header(name, lines, header, columns, symbols)
    if not passed:
        raise DataFileError(f"{name} is empty: it needs a header and a row for each bar")
    raise DataFileError(
        f"{name} has no header that names open, high, low and close; it begins with "
        f"{lines[passed[0].place].strip()[:80]!r}: write one, or pass "
        f"columns={{'time': 0, 'open': 1, ...}}{_side_by_side(passed)}"
    )


def _split(line: str, forced: str, columns: Columns) -> tuple[str, list[str]]:
    """Split a line by the most plausible delimiter."""
    best: tuple[int, int, str, list[str]] = (-1, 0, ",", [])
    others = any(line.count(delimiter) >= 4 for delimiter in _DELIMITERS[1:])
    for delimiter in (forced,) if forced else _DELIMITERS:
        cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
        # With a decimal comma a line of data has more commas than semicolons.
        count = len(cells) if delimiter != "," or not others else 0
        known = len(known_fields(cells, {})) if len(cells) > 1 else 0
        known += sum(cell.strip() in columns.values() for cell in cells)
        if (known, count) > best[:2]:
            best = (known, count, delimiter, cells)
    return best[2], [cell.strip() for cell in best[3]]


def _is_data(cells: Sequence[str], columns: Columns) -> bool:
    """Return whether a line is a row: a time, and numbers as prices."""
    places = [columns.get(field) for field in NEEDED]
    if all(isinstance(place, int) for place in places):
        time, *prices = cast("list[int]", places)
        if max(time, *prices) < len(cells):
            return any(map(str.isdigit, cells[time])) and all(is_number(cells[p]) for p in prices)
    numbers = sum(is_number(cell) for cell in cells[1:])
    return len(cells) >= 5 and any(map(str.isdigit, cells[0])) and numbers >= 4


def _best(lines: Sequence[_Line], columns: Columns) -> _Line | None:
    """Return the line most similar to a header, for the error; or ``None``."""
    named = {field: column for field, column in columns.items() if isinstance(column, str)}
    counts = [len(known_fields(line.cells, named)) for line in lines]
    if not counts or max(counts) < (1 if named else 2):
        return None
    return lines[counts.index(max(counts))]


def _commented(comments: Sequence[_Line], line: _Line, columns: Columns) -> _Line | None:
    """Return a header written in a comment, such as ``# time,open,high,low,close``."""
    for comment in reversed(comments):
        if len(comment.cells) == len(line.cells) and known_fields(
            comment.cells, columns
        ).issuperset(NEEDED):
            return comment
    return None


def _side_by_side(lines: Sequence[_Line]) -> str:
    """Return a hint for a header in which a price occurs several times."""
    for line in lines:
        for field in ("close", "open"):
            like = alike(line.cells, field)
            if len(like) > 1:
                return (
                    f"; {' and '.join(map(repr, like))} stand side by side, of two instruments or "
                    "of bid and ask: name those of one; read the other with its own ingestor"
                )
    return ""


def _at_data(
    name: str,
    lines: Sequence[str],
    row: _Line,
    passed: Sequence[_Line],
    comments: Sequence[_Line],
    columns: Columns,
    symbols: Sequence[str],
) -> Layout:
    """Handle a file whose rows start before a complete header was found."""
    header = _best(passed, columns)
    if all(isinstance(columns.get(field), int) for field in NEEDED):
        if header is not None and len(header.cells) == len(row.cells):
            return _with_header(name, lines, header, columns, symbols)
        return _by_place(name, row, columns)
    if header is not None:
        return _with_header(name, lines, header, columns, symbols)
    if row.cells == [str(number) for number in range(len(row.cells))] and row.place + 1 < len(
        lines
    ):
        # The numbers that pandas writes as the header of a frame without column names.
        below = _split(lines[row.place + 1], row.delimiter, columns)[1]
        if _is_data(below, columns):
            row = _Line(row.place + 1, row.delimiter, below)
    words = [line for line in comments if len(line.cells) == len(row.cells)]
    unknown = [*passed, *(line for line in words if not _is_data(line.cells, columns))]
    if unknown:
        last = unknown[-1]
        raise DataFileError(
            f"{name} has a header that is not understood, {lines[last.place].strip()[:200]!r}: say "
            "what its columns hold with columns={'time': "
            f"{last.cells[0]!r}, 'open': ..., 'high': ..., 'low': ..., 'close': ..., "
            f"'volume': ...}}, by name or by place from 0{_side_by_side(unknown)}"
        )
    return _without_header(name, lines, row, columns)


def _with_header(
    name: str, lines: Sequence[str], header: _Line, columns: Columns, symbols: Sequence[str]
) -> Layout:
    place, delimiter, cells = header
    text = list(lines[place + 1 : place + 1 + _ROWS])
    rows = [
        [cell.strip() for cell in row]
        for row in csv.reader(text, delimiter=delimiter, skipinitialspace=True)
        if row
    ]
    symbol = ""
    skipped = 0
    cells = list(cells)
    if _has_tickers_below(cells, rows):
        # yfinance: Price,Close,High / Ticker,AAPL,AAPL / Date,,
        tickers = {cell for cell in rows[0][1:] if cell}
        if len(tickers) != 1:
            raise DataFileError(
                f"{name} holds {len(tickers)} tickers side by side: save one file for each"
            )
        symbol = tickers.pop()
        skipped = 2 if len(rows) > 1 and not any(rows[1][1:]) else 1
        cells[0] = "Date"
    rows = rows[skipped:]
    guesses: list[str] = []
    cells, whole = fit_header(name, cells, rows[: _ROWS - 1], columns, guesses)
    first_line = place + 2 + skipped
    if not whole:
        row = _Line(first_line - 1, delimiter, rows[0])
        return _by_place(name, row, columns)
    fitting = [row for row in rows if len(row) == len(cells)]
    hints = [*symbols, symbol]
    keys = [key_of(cell) for cell in cells]
    at = next((keys.index(word) for word in RANKED["symbol"] if word in keys), None)
    if at is not None and fitting:
        hints.insert(1, fitting[0][at])
    found, notes = match_header(name, cells, fitting, columns, [hint for hint in hints if hint])
    return Layout(
        delimiter,
        first_line,
        len(cells),
        found,
        symbol,
        (*guesses, *notes),
        header=tuple(header.cells),
    )


def _has_tickers_below(cells: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Return whether a header of yfinance or pandas-datareader continues in the next line."""
    return bool(
        cells
        and key_of(cells[0]) in {"price", "attributes"}
        and rows
        and rows[0]
        and rows[0][0] in {"Ticker", "Symbols"}
    )


def _by_place(name: str, row: _Line, columns: Columns) -> Layout:
    """Return the layout of a file with columns given by position."""
    found = {
        field: place_of(name, field, column, row.cells)
        for field, column in columns.items()
        if isinstance(column, int)
    }
    for field, column in columns.items():
        if isinstance(column, str):
            raise DataFileError(
                f"{name} has no header above its columns in which {column!r} can be looked up for "
                f"{field}: pass its place, counted from 0"
            )
    return Layout(row.delimiter, row.place + 1, len(row.cells), found)


def _without_header(name: str, lines: Sequence[str], row: _Line, columns: Columns) -> Layout:
    """Return the layout of a file without a header, in one of the known forms."""
    cells = row.cells
    while len(cells) > len(NEEDED) and not cells[-1]:
        cells = cells[:-1]
    if any(isinstance(column, str) for column in columns.values()):
        raise DataFileError(
            f"{name} has no header, so no column can be named: pass places, such as "
            "columns={'time': 0}"
        )
    fields = ["time", "open", "high", "low", "close", "volume"]
    if ":" in cells[1] and CLOCK.fullmatch(cells[1]):
        fields.insert(1, "clock")
    kline = len(cells) == _KLINE and cells[0].isdigit() and cells[6].isdigit()
    if len(cells) > len(fields) and not kline:
        raise DataFileError(
            f"{name} has no header and {len(cells)} columns, which could be anything: "
            "write one, or pass columns={'time': 0, 'open': 1, ...}"
        )
    found = {field: place for place, field in enumerate(fields) if place < len(cells)}
    for field, column in columns.items():
        if column is None:
            found.pop(field, None)
        else:
            found[field] = place_of(name, field, column, cells)
    if len(set(found.values())) < len(found):
        raise DataFileError(
            f"{name} has no header, and columns names places that others have: pass all of "
            "them, columns={'time': 0, 'open': 1, ...}"
        )
    _check_order(name, lines, row, found)
    return Layout(row.delimiter, row.place + 1, len(cells), found)


def _check_order(name: str, lines: Sequence[str], row: _Line, found: Mapping[str, int]) -> None:
    """Refuse a file whose columns are in another order, in which high is not the highest price."""
    rows = list(csv.reader(lines[row.place : row.place + _ROWS], delimiter=row.delimiter))
    wrong = count = 0
    for cells in rows:
        try:
            open_, high, low, close = (
                float(cells[found[field]]) for field in ("open", "high", "low", "close")
            )
        except (ValueError, IndexError):
            continue
        count += 1
        wrong += not low <= min(open_, close) <= max(open_, close) <= high
    if count > 1 and wrong * 2 > count:
        raise DataFileError(
            f"{name} has no header, and its columns are not in the order open, high, low, close: "
            "pass columns={'time': 0, 'open': 1, ...}"
        )
