"""Rows: saved state as small pieces of JSON that can be written one by one.

Equal rows are equal to the byte: keys are sorted, decimals are plain texts that keep their zeros
(``"1.50"``, since texts derived from them do), times are RFC 3339 in UTC with microseconds, and
unset fields are omitted.
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
    "row_time",
    "read_row",
    "state_digest",
    "write_json",
    "write_row",
]

LogRow = tuple[str, str, bytes]
"""A row of an append-only log: kind, id, and JSON."""

_RowT = TypeVar("_RowT")

_PASSED = (Decimal, datetime)
_encoder = msgspec.json.Encoder(order="sorted")
_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


def row_time(time: datetime) -> str:
    """Format an aware time as RFC 3339 in UTC, always with microseconds."""
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def write_row(row: object) -> bytes:
    """Serialize a msgspec Struct or a dataclass as a row."""
    return write_json(_plain(msgspec.to_builtins(row, builtin_types=_PASSED)))


def write_json(value: object) -> bytes:
    """Serialize a value of JSON types, with sorted keys."""
    return _encoder.encode(value)


def read_row(kind: type[_RowT], data: bytes, key: str) -> _RowT:
    """Deserialize the output of `write_row`.

    Args:
        kind: Type of the row.
        data: The row.
        key: Key of the row, for the error.

    Raises:
        ComponentError: The row is not of this type.
    """
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    try:
        row: _RowT = decoder.decode(data)
    except (msgspec.MsgspecError, IngeniumError, UnicodeError) as error:
        raise ComponentError(
            f"saved row {key!r} is {data[:200]!r}, which cannot be read as {kind.__name__}: "
            f"{error}: start from a complete state"
        ) from error
    return row


def state_digest(rows: Mapping[str, bytes]) -> str:
    """Return the SHA-256 of rows, as 64 hexadecimal digits, independent of their order."""
    digest = sha256()
    for key, data in sorted(rows.items()):
        name = key.encode("utf-8", "surrogatepass")
        # The lengths make the input unambiguous: no two sets of rows share it.
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
        return row_time(value)
    return value


class GivenRows:
    """The rows returned last, to detect which ones have changed."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, bytes]] = {}

    def changes(self, section: str, rows: Mapping[str, bytes]) -> dict[str, bytes | None]:
        """Return the changes from the last rows of a section, and remember the current rows.

        Args:
            section: Any name; sections do not share keys.
            rows: All current rows of the section.

        Returns:
            New and changed rows, and ``None`` for removed ones.
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
        """Mark rows stored elsewhere as outdated, so that `changes` returns or removes them."""
        given = self._rows.setdefault(section, {})
        for key in keys:
            given[key] = b""


class SectionedRows(Protocol):
    """An object with rows in sections, such as one for each symbol."""

    def sections(self) -> Iterable[str]:
        """Return the names of all sections that have rows."""
        ...

    def rows_of(self, section: str) -> dict[str, bytes]:
        """Return the current rows of a section; none for an unknown section."""
        ...

    def take_touched(self) -> Iterable[str] | None:
        """Return the sections that may have changed since the last call.

        Returns:
            Their names; ``None`` the first time, which starts the tracking.
        """
        ...


class RowWatch:
    """Detects which rows of an object have changed since the last call.

    The cost is proportional to the rows of the changed sections. Nothing is tracked, at no cost,
    before the first call.

    Args:
        watched: The object with the rows.
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
        """Return the rows changed since the last call; all rows the first time."""
        watched = self._watched
        touched = watched.take_touched()
        changes: dict[str, bytes | None] = {}
        for section in watched.sections() if touched is None else sorted(touched):
            changes |= self._given.changes(section, watched.rows_of(section))
        return changes
