"""Which column of a file holds what: by its header, or by its looks where there is none."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from ingenium.errors import ConfigError, DataFileError

__all__ = ["FIELDS", "Layout", "check_columns", "find_layout"]

FIELDS = ("time", "clock", "open", "high", "low", "close", "volume", "adj_close", "symbol")
"""What a column may hold; ``clock`` is a time of day beside a date in ``time``."""

_DELIMITERS = (",", ";", "\t", "|")
# Names as `_normal` leaves them; the first that a file has wins.
_NAMES: dict[str, tuple[str, ...]] = {
    "time": (
        "timestamp", "datetime", "date time", "window start", "ts event", "open time", "opentime",
        "gmt time", "local time", "start time", "bar time", "unix", "unix timestamp", "unix time",
        "epoch", "time", "date", "dtyyyymmdd", "day", "ts", "dt", "t", "begin", "start", "index",
        "",
    ),
    "open": ("open", "o", "open price", "opening price", "first"),
    "high": ("high", "h", "high price", "highest", "max"),
    "low": ("low", "l", "low price", "lowest", "min"),
    "close": (
        "close", "c", "close last", "close price", "closing price", "last", "last price", "price",
    ),
    "volume": (
        "volume", "vol", "v", "base volume", "share volume", "total volume", "volume traded",
        "tickvol", "tick volume", "tickvolume",
    ),
    "adj_close": ("adj close", "adjclose", "adjusted close", "close adjusted", "adj close price"),
    "symbol": (
        "symbol", "ticker", "sym", "tic", "act symbol", "instrument", "security", "code", "stock",
        "pair", "name",
    ),
}  # fmt: skip
_CLOCK = re.compile(r"\d{1,2}:\d\d(:\d\d(\.\d+)?)?(\s*[AaPp]\.?[Mm]\.?)?|\d{1,6}", re.ASCII)
_NUMBER = re.compile(r"[$€£+-]?[0-9.,' ]*[0-9][0-9.,' ]*([eE][+-]?[0-9]+)?", re.ASCII)
_PREAMBLE = 30


@dataclass(frozen=True)
class Layout:
    """How a file is laid out.

    Attributes:
        delimiter: What stands between columns.
        first_line: Line of the first row, from 1.
        width: Columns of a row.
        columns: Place of each field that the file has, by the names of `FIELDS`.
        symbol: The one symbol that the head of the file names; empty if it names none.
    """

    delimiter: str
    first_line: int
    width: int
    columns: Mapping[str, int]
    symbol: str = ""

    def __getitem__(self, field: str) -> int:
        return self.columns[field]


def check_columns(columns: Mapping[str, object]) -> dict[str, str | int]:
    """Return a copy of what a user says of columns.

    Raises:
        ConfigError: It names a field that there is not, or a place below 0.
    """
    checked: dict[str, str | int] = {}
    for field, column in columns.items():
        if field not in FIELDS:
            raise ConfigError(
                f"columns has the field {field!r}, which does not exist: pass some of "
                f"{', '.join(FIELDS)}"
            )
        named = isinstance(column, str) and column != ""
        placed = isinstance(column, int) and not isinstance(column, bool) and column >= 0
        if not named and not placed:
            raise ConfigError(
                f"columns[{field!r}] is {column!r}: pass the column's name, or its place from 0"
            )
        checked[field] = cast("str | int", column)
    return checked


def find_layout(name: str, head: str, columns: Mapping[str, str | int]) -> Layout:
    """Find out how a file is laid out.

    Args:
        name: The file, for errors.
        head: How it begins.
        columns: Which columns the user named, by field.

    Raises:
        DataFileError: It is empty, has no header that is known, or lacks a column.
    """
    lines = re.split(r"\r\n|\r|\n", head)
    forced = ""
    seen = ""
    for place, line in enumerate(lines[:_PREAMBLE]):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if text.lower().startswith("sep=") and len(text) == 5:
            forced = text[4]
            continue
        seen = seen or text
        delimiter, cells = _split(line, forced, columns)
        if _is_header(cells, columns):
            return _from_header(name, lines, place, delimiter, cells, columns)
        if _is_data(cells):
            return _without_header(name, place, delimiter, cells, columns)
    if not seen:
        raise DataFileError(f"{name} is empty: it needs a header and a row for each bar")
    raise DataFileError(
        f"{name} has no header that names open, high, low and close; it begins with {seen[:80]!r}: "
        "write one, or pass columns={'time': 0, 'open': 1, ...}"
    )


def _split(line: str, forced: str, columns: Mapping[str, str | int]) -> tuple[str, list[str]]:
    """Split a line by the delimiter that makes most sense of it."""
    best: tuple[int, int, str, list[str]] = (-1, 0, ",", [])
    for delimiter in (forced,) if forced else _DELIMITERS:
        cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
        # With a decimal comma a line of data has more commas than semicolons.
        count = len(cells) if delimiter != "," or not _mixed(line) else 0
        known = sum(_normal(cell) in names for cell in cells for names in _NAMES.values())
        known += sum(cell.strip() in columns.values() for cell in cells)
        if (known, count) > best[:2]:
            best = (known, count, delimiter, cells)
    return best[2], [cell.strip() for cell in best[3]]


def _mixed(line: str) -> bool:
    return line.count(";") >= 4


def _normal(name: str) -> str:
    """Bring a column's name to the form of `_NAMES`."""
    text = name.strip().strip("<>*\ufeff").lower()
    # "1. open", "4a. close (USD)", "Adj Close**", "close_adjusted"
    text = re.sub(r"^\d+[a-z]?\.\s*|\(.*?\)", "", text)
    text = re.sub(r"[\s_\-./*]+", " ", text).strip()
    if text.startswith("volume ") and text not in _NAMES["volume"]:
        # "Volume BTC" and "Volume USDT" of one file: the first is in units.
        return "volume"
    return "" if text.startswith("unnamed:") else text


def _is_header(cells: Sequence[str], columns: Mapping[str, str | int]) -> bool:
    if any(cell in columns.values() for cell in cells):
        return True
    names = {_normal(cell) for cell in cells} - {""}
    return sum(any(name in names for name in known) for known in _NAMES.values()) >= 2


def _is_data(cells: Sequence[str]) -> bool:
    numbers = sum(_NUMBER.fullmatch(cell) is not None for cell in cells[1:])
    return len(cells) >= 5 and any(letter.isdigit() for letter in cells[0]) and numbers >= 4


def _from_header(
    name: str,
    lines: Sequence[str],
    place: int,
    delimiter: str,
    cells: Sequence[str],
    columns: Mapping[str, str | int],
) -> Layout:
    rows = [
        [cell.strip() for cell in row]
        for row in csv.reader(lines[place + 1 : place + 12], delimiter=delimiter)
    ]
    normal = [_normal(cell) for cell in cells]
    symbol = ""
    skipped = 0
    if normal and normal[0] == "price" and rows and rows[0] and rows[0][0] == "Ticker":
        # yfinance: Price,Close,High / Ticker,AAPL,AAPL / Date,,
        tickers = {cell for cell in rows[0][1:] if cell}
        if len(tickers) != 1:
            raise DataFileError(
                f"{name} holds {len(tickers)} tickers side by side: save one file for each"
            )
        symbol = tickers.pop()
        skipped = 2 if len(rows) > 1 and not any(rows[1][1:]) else 1
        normal[0] = "date"
    first = next((row for row in rows[skipped:] if len(row) == len(cells)), [])
    found = _by_name(normal, first)
    for field, column in columns.items():
        found[field] = _place_of(name, field, column, cells)
    _check_complete(name, found, cells)
    return Layout(delimiter, place + 2 + skipped, len(cells), found, symbol)


def _by_name(normal: Sequence[str], first: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for field, names in _NAMES.items():
        for known in names:
            # An unnamed column is the index of pandas, which stands first.
            if known in normal and (known or normal[0] == ""):
                found[field] = normal.index(known)
                break
    # A date and a time of day in two columns, as Stooq and MetaTrader write them.
    for date in ("date", "dtyyyymmdd"):
        if date in normal and "time" in normal:
            place = normal.index("time")
            if place < len(first) and _CLOCK.fullmatch(first[place]):
                found["time"], found["clock"] = normal.index(date), place
            elif found["time"] == place and not first:
                found["time"] = normal.index(date)
    return found


def _place_of(name: str, field: str, column: str | int, cells: Sequence[str]) -> int:
    if isinstance(column, int):
        if column >= len(cells):
            raise DataFileError(
                f"{name} has {len(cells)} columns, so none at place {column} for "
                f"{field}: count from 0"
            )
        return column
    for place, cell in enumerate(cells):
        if cell == column:
            return place
    for place, cell in enumerate(cells):
        if cell.lower() == column.lower():
            return place
    raise DataFileError(f"{name} has no column {column!r} for {field}: it has {', '.join(cells)}")


def _check_complete(name: str, found: Mapping[str, int], cells: Sequence[str]) -> None:
    missing = [field for field in ("time", "open", "high", "low", "close") if field not in found]
    if missing:
        raise DataFileError(
            f"{name} has no column for {' and '.join(missing)}: it has {', '.join(cells)}; "
            f"say which one it is with columns={{{missing[0]!r}: '...'}}"
        )


def _without_header(
    name: str,
    place: int,
    delimiter: str,
    cells: Sequence[str],
    columns: Mapping[str, str | int],
) -> Layout:
    if any(isinstance(column, str) for column in columns.values()):
        raise DataFileError(
            f"{name} has no header, so no column can be named: pass places, such as "
            "columns={'time': 0}"
        )
    fields = ["time", "open", "high", "low", "close", "volume"]
    if ":" in cells[1] and _CLOCK.fullmatch(cells[1]):
        fields.insert(1, "clock")
    # Binance's klines have twelve columns and begin with these, too.
    if len(cells) > len(fields) and len(cells) < 12 and not columns:
        raise DataFileError(
            f"{name} has no header and {len(cells)} columns, which could be anything: "
            "write one, or pass columns={'time': 0, 'open': 1, ...}"
        )
    found = {field: place for place, field in enumerate(fields) if place < len(cells)}
    for field, column in columns.items():
        found[field] = _place_of(name, field, column, cells)
    return Layout(delimiter, place + 1, len(cells), found)
