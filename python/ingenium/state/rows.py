"""Rows: what is to be saved, in small pieces of JSON that can be written one by one.

Equal rows are equal to the byte: keys are sorted, decimals are plain texts that keep their zeros
(``"1.50"``, since texts that are made of them do), times are RFC 3339 in UTC with microseconds,
and what is not set is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any, Protocol, TypeVar

import msgspec

from ingenium.errors import ComponentError, IngeniumError

__all__ = [
    "GivenRows",
    "LogRow",
    "RowWatch",
    "SectionedRows",
    "format_time",
    "read_row",
    "state_digest",
    "write_json",
    "write_row",
]

LogRow = tuple[str, str, bytes]
"""Something that has come to an end, for a table that only grows: its kind, its id, and JSON."""

_RowT = TypeVar("_RowT")

_PASSED = (Decimal, datetime)
_encoder = msgspec.json.Encoder(order="sorted")
_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


def format_time(time: datetime) -> str:
    """Write an aware time as RFC 3339 in UTC, always with microseconds."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def write_row(row: object) -> bytes:
    """Write a msgspec Struct or a dataclass as a row."""
    return write_json(_plain(msgspec.to_builtins(row, builtin_types=_PASSED)))


def write_json(value: object) -> bytes:
    """Write what JSON has as JSON, with sorted keys."""
    return _encoder.encode(value)


def read_row(kind: type[_RowT], data: bytes, key: str) -> _RowT:
    """Read what `write_row` wrote.

    Args:
        kind: Type of the row.
        data: The row.
        key: Its key, for the error.

    Raises:
        ComponentError: The row is none of this type.
    """
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    try:
        row: _RowT = decoder.decode(data)
    except (msgspec.MsgspecError, IngeniumError, UnicodeError) as error:
        raise ComponentError(
            f"saved row {key!r} is {data[:200]!r}, which cannot be read as {kind.__name__}: "
            f"{error}: start from a state that is whole"
        ) from error
    return row


def state_digest(rows: Mapping[str, bytes]) -> str:
    """Return a SHA-256 of rows, as 64 hexadecimal digits; their order does not matter."""
    digest = sha256()
    for key, data in sorted(rows.items()):
        name = key.encode("utf-8", "surrogatepass")
        # With their lengths, no two sets of rows make the same text.
        digest.update(b"%d %d " % (len(name), len(data)))
        digest.update(name)
        digest.update(data)
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    kind = value.__class__
    if kind is dict:
        return {name: _plain(item) for name, item in value.items() if item is not None}
    if kind is list:
        return [_plain(item) for item in value]
    if kind is Decimal:
        return format(value, "f")
    if kind is datetime:
        return format_time(value)
    return value


class GivenRows:
    """The rows that were given out, to tell which ones differ now."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, bytes]] = {}

    def changes(self, section: str, rows: Mapping[str, bytes]) -> dict[str, bytes | None]:
        """Return what differs from the last rows of a section, and remember the present ones.

        Args:
            section: Any name; sections do not share keys.
            rows: All present rows of the section.

        Returns:
            New and changed rows, and ``None`` for those that are no more.
        """
        given = self._rows.get(section, {})
        changed: dict[str, bytes | None] = {
            key: data for key, data in rows.items() if given.get(key) != data
        }
        changed.update((key, None) for key in given if key not in rows)
        if rows:
            self._rows[section] = dict(rows)
        else:
            self._rows.pop(section, None)
        return changed

    def expect_change(self, section: str, keys: Iterable[str]) -> None:
        """Let rows that are stored elsewhere differ from the present ones, or be no more."""
        given = self._rows.setdefault(section, {})
        for key in keys:
            given[key] = b""


class SectionedRows(Protocol):
    """Something with rows in sections, such as one for each symbol."""

    def sections(self) -> Iterable[str]:
        """Return the names of all sections that have rows."""
        ...

    def rows_of(self, section: str) -> dict[str, bytes]:
        """Return the present rows of a section; none where there is no such section."""
        ...

    def take_touched(self) -> Iterable[str] | None:
        """Return the sections that may have changed since the last call.

        Returns:
            Their names; ``None`` the first time, from which on note is taken of them.
        """
        ...


class RowWatch:
    """Tells which rows of something have changed since it was asked last.

    Asking costs as much as the rows of the sections that were touched. Before the first time
    nothing is noted, which costs nothing.

    Args:
        watched: What has the rows.
    """

    def __init__(self, watched: SectionedRows) -> None:
        self._watched = watched
        self._given = GivenRows()

    def rows(self) -> dict[str, bytes]:
        """Return all rows."""
        watched = self._watched
        rows: dict[str, bytes] = {}
        for section in watched.sections():
            rows |= watched.rows_of(section)
        return rows

    def changes(self) -> dict[str, bytes | None]:
        """Return what has changed since the last call, all rows the first time."""
        watched = self._watched
        touched = watched.take_touched()
        changes: dict[str, bytes | None] = {}
        for section in watched.sections() if touched is None else sorted(touched):
            changes |= self._given.changes(section, watched.rows_of(section))
        return changes
