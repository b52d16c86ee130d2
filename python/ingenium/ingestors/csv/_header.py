"""Match header words to fields."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ingenium.errors import DataFileError
from ingenium.ingestors.csv._volume import check_money, find_volume
from ingenium.ingestors.csv._words import (
    CHANGES,
    CLOCKS,
    DATES,
    NO_VOLUME,
    PRICES,
    RANKED,
    SETTLEMENTS,
    VOLUMES,
    WEAK_PRICES,
    key_of,
)

__all__ = [
    "CLOCK",
    "NEEDED",
    "Columns",
    "alike",
    "fit_header",
    "known_fields",
    "match_header",
    "place_of",
]

Columns = Mapping[str, str | int | None]
"""The user's columns: names or indexes by field; ``None`` for a field not to read."""
_RANKED_WORDS = {field: frozenset(words) - {""} for field, words in RANKED.items()}
_PIECES = re.compile(r"[\s._:-]+")
_SIDES = frozenset(("bid", "ask", "mid", "mark", "index"))
NEEDED = ("time", "open", "high", "low", "close")
CLOCK = re.compile(r"\d{1,2}:\d\d(:\d\d(\.\d+)?)?(\s*[AaPp]\.?[Mm]\.?)?|\d{1,6}", re.ASCII)


def known_fields(cells: Sequence[str], columns: Columns) -> set[str]:
    """Return the fields that a line names, if it is a header."""
    keys = {key_of(cell) for cell in without_affix(cells)}
    found = {field for field, words in _RANKED_WORDS.items() if keys & words}
    if keys and key_of(cells[0]) == "" and not cells[0].strip().isdigit():
        found.add("time")
    for field, words in PRICES.items():
        if keys & words or keys & WEAK_PRICES[field]:
            found.add(field)
    if any(keys & words for words in VOLUMES):
        found.add("volume")
    for field, column in columns.items():
        if isinstance(column, str):
            found.discard(field)
            if any(cell.lower() == column.strip().lower() for cell in cells):
                found.add(field)
        elif column is not None:
            found.add(field)
    return found


def without_affix(cells: Sequence[str]) -> Sequence[str]:
    """Return the names without the one word before or after all prices.

    ``AAPL.Open, AAPL.High, ...`` are the columns of one instrument. With two such words, or prices
    without one, the names are unchanged.
    """
    if any(key_of(cell) in words for cell in cells for words in PRICES.values()):
        return cells
    pieces = [_PIECES.split(cell.strip()) for cell in cells]
    split = [
        [(parts[0], " ".join(parts[1:])), (parts[-1], " ".join(parts[:-1]))] if parts[1:] else []
        for parts in pieces
    ]
    affixes: set[str] = set()
    fields: set[str] = set()
    for pairs in split:
        for affix, word in pairs:
            for field, words in PRICES.items():
                if key_of(word) in words:
                    affixes.add(affix)
                    fields.add(field)
    if len(affixes) != 1 or fields != set(PRICES):
        return cells
    (one,) = affixes
    if one.lower() in _SIDES or CHANGES.search(one.lower()):
        return cells
    return [
        next((word for affix, word in pairs if affix == one), cell)
        for cell, pairs in zip(cells, split, strict=True)
    ]


def match_header(
    name: str,
    cells: Sequence[str],
    rows: Sequence[Sequence[str]],
    columns: Columns,
    hints: Sequence[str],
) -> tuple[dict[str, int], list[str]]:
    """Find the column index of each field.

    Args:
        name: Name of the file, for errors.
        cells: Header of the file.
        rows: First rows that have a cell for each name.
        columns: The user's columns, which have precedence over all words.
        hints: Possible names of the instrument.

    Returns:
        The indexes, and the assumptions made.

    Raises:
        DataFileError: A column is missing or ambiguous.
    """
    words = without_affix(cells)
    keys = [key_of(word) for word in words]
    found: dict[str, int] = {}
    notes: list[str] = []
    for field in ("time", "symbol", "adj_close"):
        if field not in columns:
            _put(found, field, _ranked(name, field, cells, keys))
    if columns.get("clock") is None:
        _split_time(found, keys, rows[0] if rows else [])
        if "clock" in columns:
            found.pop("clock", None)
    for field in PRICES:
        if field not in columns:
            _put(found, field, _price(name, field, cells, keys))
    date = found.get("time")
    for field, column in columns.items():
        if column is not None:
            found[field] = place_of(name, field, column, cells)
    if found.get("time") != date and "clock" not in columns:
        found.pop("clock", None)
    _check_complete(name, found, cells)
    if "volume" not in columns:
        place, note = find_volume(name, words, keys, hints)
        if place is not None:
            check_money(name, cells, keys, place, rows, (found["low"], found["high"]))
        _put(found, "volume", place)
        unread = [cell for number, cell in enumerate(cells) if number not in found.values()]
        if place is None and any(unread):
            note = f"no column is read as the volume; not read: {', '.join(filter(None, unread))}"
        notes += [note] if note else []
    return found, notes


def fit_header(
    name: str,
    cells: list[str],
    rows: Sequence[Sequence[str]],
    columns: Columns,
    guesses: list[str],
) -> tuple[list[str], bool]:
    """Return a header as wide as its rows, and whether its words are above their columns.

    Raises:
        DataFileError: The number of names differs from the number of cells in rows.
    """
    # The last row of the sample may be truncated, and a single row may be bad.
    widths = {len(_without_end(row, len(cells))) for row in rows}
    if len(widths) != 1 or (width := widths.pop()) == len(cells):
        return cells, True
    if all(isinstance(columns.get(field), int) for field in NEEDED):
        return cells, False
    if width < len(cells) and not any(cells[width:]):
        return cells[:width], True
    date = next((place for place, cell in enumerate(cells) if key_of(cell) in DATES), None)
    if (
        width == len(cells) + 1
        and date is not None
        and all(":" in row[date + 1] and CLOCK.fullmatch(row[date + 1]) for row in rows)
        and not any(":" in row[date] for row in rows)
    ):
        guesses.append(f"{cells[date]!r} stands above a date and a time of day")
        return [*cells[: date + 1], "Time", *cells[date + 1 :]], True
    if width > len(cells) and len(rows) > 1:
        raise DataFileError(
            f"{name} has {len(cells)} names in its header but {width} cells in its rows, so a name "
            "may stand above another's column: pass the places, columns={'time': 0, 'open': 1, "
            "...}, counted in the rows"
        )
    return cells, True


def _without_end(row: Sequence[str], width: int) -> Sequence[str]:
    """Return a row without empty cells at its end beyond the width of the header."""
    end = len(row)
    while end > width and not row[end - 1]:
        end -= 1
    return row[:end]


def place_of(name: str, field: str, column: str | int, cells: Sequence[str]) -> int:
    """Return the index of a column that the user gives by name or index; exact matches first.

    Raises:
        DataFileError: There is no such column, or the name occurs twice.
    """
    if isinstance(column, int):
        if column >= len(cells):
            raise DataFileError(
                f"{name} has {len(cells)} columns, so none at place {column} for "
                f"{field}: count from 0"
            )
        return column
    wanted = column.strip()
    for same in (
        [place for place, cell in enumerate(cells) if cell == wanted],
        [place for place, cell in enumerate(cells) if cell.lower() == wanted.lower()],
    ):
        if len(same) > 1:
            raise _repeated(name, field, cells, same)
        if same:
            return same[0]
    raise DataFileError(f"{name} has no column {column!r} for {field}: it has {', '.join(cells)}")


def _put(found: dict[str, int], field: str, place: int | None) -> None:
    if place is not None:
        found[field] = place


def _ranked(name: str, field: str, cells: Sequence[str], keys: Sequence[str]) -> int | None:
    for word in RANKED[field]:
        # An unnamed column is an index, which comes first.
        if word in keys and (word or keys[0] == ""):
            same = [place for place, key in enumerate(keys) if key == word]
            if len(same) > 1 and word:
                raise _repeated(name, field, cells, same)
            return same[0]
    return None


def _price(name: str, field: str, cells: Sequence[str], keys: Sequence[str]) -> int | None:
    for words in (PRICES[field], WEAK_PRICES[field]):
        same = [place for place, key in enumerate(keys) if key in words]
        settled = [place for place, key in enumerate(keys) if key in SETTLEMENTS]
        if field == "close" and words is WEAK_PRICES["close"]:
            # The last trade or the settlement price: only the user can decide.
            same += settled if same else []
        if len(same) > 1:
            raise _repeated(name, field, cells, same)
        if same:
            return same[0]
    return None


def _repeated(name: str, field: str, cells: Sequence[str], places: Sequence[int]) -> DataFileError:
    names = [cells[place] for place in places]
    if len(set(names)) == 1:
        where = " and ".join(map(str, places))
        return DataFileError(
            f"{name} has the column {names[0]!r} {len(places)} times, at the places {where}: say "
            f"which one is {field} with columns={{{field!r}: {places[0]}}}; "
            "for two instruments side by side save one file for each"
        )
    return DataFileError(
        f"{name}: {' and '.join(map(repr, names))} may each be {field}: say which one it is with "
        f"columns={{{field!r}: {names[0]!r}}}; for two instruments side by side, or bid and ask, "
        "read one at a time"
    )


def _split_time(found: dict[str, int], keys: Sequence[str], first: Sequence[str]) -> None:
    """Identify a date and a time of day in two columns, as Stooq and MetaTrader write them."""
    date = next((place for place, key in enumerate(keys) if key in DATES), None)
    clock = next((place for place, key in enumerate(keys) if key in CLOCKS), None)
    if date is None or clock is None:
        return
    if clock < len(first) and CLOCK.fullmatch(first[clock]):
        found["time"], found["clock"] = date, clock
    elif found.get("time") == clock and not first:
        found["time"] = date


def _check_complete(name: str, found: Mapping[str, int], cells: Sequence[str]) -> None:
    missing = [field for field in NEEDED if field not in found]
    if not missing:
        return
    field = missing[0]
    like = alike(cells, field)
    hint = f"; {' and '.join(map(repr, like))} may be it, but that would be a guess" if like else ""
    raise DataFileError(
        f"{name} has no column for {' and '.join(missing)}: it has {', '.join(cells)}; "
        f"say which one it is with columns={{{field!r}: '...'}}{hint}"
    )


def alike(cells: Sequence[str], field: str) -> list[str]:
    """Return the names that contain a word for a price: ``"Close AAPL"``, ``"BidOpen"``."""
    words = [word for word in PRICES.get(field, ()) if len(word) > 2]
    return [
        cell
        for cell in cells
        if (key := key_of(cell)) not in NO_VOLUME
        and not CHANGES.search(key.removeprefix("settle"))
        and ((field == "close" and key in SETTLEMENTS) or any(word in key for word in words))
    ]
