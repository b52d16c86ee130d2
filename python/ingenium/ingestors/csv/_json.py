"""Rows from JSON lines, or from one JSON document."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from ingenium.errors import DataFileError
from ingenium.ingestors.csv._files import READ_ERRORS, TextFile
from ingenium.ingestors.csv._tables import BrokenRow, TableFile

__all__ = ["JsonFile", "is_json"]

_SAMPLE = 1_000
_LOOKED = 5
_LEAST = 4  # open, high, low and close
# Numbers are kept as text, since parsing would lose their written form.
_decode = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str).decode
_START = re.compile(r"\s*[\[{]\s*(?:[\[\]{}\"\d-]|$)", re.ASCII)
_FORMS = (
    'records such as {"time": ..., "open": ...} one a line or in a list, lists of values, or an '
    "object of columns"
)


def is_json(head: str) -> bool:
    """Return whether a file with this head is JSON; ``[Date],[Open]`` is not."""
    return _START.match(head) is not None


class JsonFile(TableFile):
    """Rows as JSON: a record or a list of values on each line, or one document of them.

    A document is a list of records or of lists, an object with one such list in it, or an object of
    columns. Fields of nested records have names with a dot: ``mid.o``. Decimals keep their text.

    Args:
        text: A file with JSON text.

    Raises:
        DataFileError: The file cannot be read, or has another form.
    """

    def __init__(self, text: TextFile) -> None:
        super().__init__(text.source)
        self._text = text
        self._document: list[Any] | None = None
        if not self._has_lines():
            self._document = self._load()
        self._names: list[str] | None = None
        names: dict[str, None] = {}
        for _, value in islice(self._values(), _SAMPLE):
            if isinstance(value, dict):
                names.update(dict.fromkeys(_flat(value)))
        self._names = list(names) or None
        self.head = self.make_head()

    def _has_lines(self) -> bool:
        """Return whether the first non-empty line is a complete row."""
        lines = [line for line in self._text.head.splitlines() if line.strip()]
        try:
            first = _decode(lines[0].strip())
        except ValueError:
            # A document over several lines, or a damaged line before valid ones.
            return any(_is_row(line) for line in lines[1:_LOOKED])
        return (len(lines) > 1 and _is_row(lines[1])) or _rows_of(first) is None

    def _load(self) -> list[Any]:
        try:
            with self._text.open_text() as stream:
                document = _decode(stream.read().strip())
        except READ_ERRORS as error:
            raise self.failed(error) from error
        except json.JSONDecodeError as error:
            raise DataFileError(
                f"{self.name}, line {error.lineno}: is not valid JSON: {error.msg}"
            ) from error
        rows = _rows_of(document)
        if rows is None:
            raise DataFileError(f"{self.name} is JSON of an unknown form: write {_FORMS}")
        return rows

    def header(self) -> Sequence[Sequence[str]]:
        """Return the field names of the records; none for lists of values."""
        return () if self._names is None else (self._names,)

    def _values(self) -> Iterator[tuple[int, Any]]:
        if self._document is not None:
            yield from enumerate(self._document, 1)
            return
        try:
            with self._text.open_text() as stream:
                for number, line in enumerate(stream, 1):
                    text = line.strip()
                    if not text:
                        continue
                    try:
                        yield number, _decode(text)
                    except ValueError as error:
                        yield number, BrokenRow(f"is not valid JSON: {error}")
        except READ_ERRORS as error:
            raise self.failed(error) from error

    def read(self, places: frozenset[int] | None) -> Iterator[tuple[int, list[str]]]:
        """Yield the rows with their lines, from the first."""
        names = self._names
        for number, value in self._values():
            if isinstance(value, BrokenRow):
                yield number, value
            elif isinstance(value, dict) and names is not None:
                row: list[Any] = [value.get(name) for name in names]
                if not all(type(cell) is str for cell in row):
                    flat = _flat(value)
                    row = [flat.get(name, "") for name in names]
                yield number, row
            elif isinstance(value, list) and names is None:
                yield number, [_text(cell) for cell in value]
            else:
                yield number, BrokenRow("is not a row like the first rows")

    def count_all(self) -> int:
        """Return the number of rows, counted by lines."""
        if self._document is not None:
            return len(self._document)
        return self._text.count_lines()


def _is_row(line: str) -> bool:
    """Return whether a line is a complete record or list."""
    try:
        return isinstance(_decode(line.strip()), dict | list)
    except ValueError:
        return False


def _rows_of(document: Any) -> list[Any] | None:
    """Return the rows of a document; ``None`` if it has none, or several tables."""
    if isinstance(document, list):
        is_table = bool(document) and all(isinstance(row, list | dict) for row in document)
        return document if is_table else None
    if not isinstance(document, dict):
        return None
    tables = [rows for value in document.values() if (rows := _rows_of(value)) is not None]
    if tables:
        return _named(tables[0], document.values()) if len(tables) == 1 else None
    lists = {name: value for name, value in document.items() if isinstance(value, list) and value}
    if len(lists) >= _LEAST and len({len(column) for column in lists.values()}) == 1:
        return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]
    if document and all(map(_is_record, document.values())):
        # Keyed by time, as Alpha Vantage and pandas write it.
        return [{"": time, **record} for time, record in document.items()]
    return None


def _named(rows: list[Any], beside: Iterable[Any]) -> list[Any]:
    """Return lists of values as records, if a list of names is next to them."""
    width = len(rows[0])
    for names in beside:
        fits = isinstance(names, list) and len(names) == width and names is not rows
        if fits and all(isinstance(name, str) for name in names):
            return [
                dict(zip(names, row, strict=True))
                if isinstance(row, list) and len(row) == width
                else row
                for row in rows
            ]
    return rows


def _is_record(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and len(value) >= _LEAST
        and not any(isinstance(cell, list | dict) for cell in value.values())
    )


def _flat(record: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    cells: dict[str, str] = {}
    for name, value in record.items():
        if isinstance(value, dict):
            inner = _flat(value, f"{prefix}{name}.")
            if len(value) == 1 and next(iter(value)).startswith("$"):
                # MongoDB's {"$date": ...} states the type of a value.
                inner = {prefix + name: next(iter(inner.values()))}
            cells |= inner
        else:
            cells[prefix + name] = _text(value)
    return cells


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value.replace("\n", " ")
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value)
