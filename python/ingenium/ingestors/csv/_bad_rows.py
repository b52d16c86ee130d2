"""Handling of bad rows: refused, or counted and skipped."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Literal, NamedTuple

from ingenium.components import DataNote
from ingenium.errors import DataFileError

__all__ = ["BadRow", "BadRows", "OnBadRow"]

OnBadRow = Literal["raise", "skip"]

_log = logging.getLogger("ingenium.ingestors")
_LOGGED = 20
_KEPT = 1_000


class BadRow(NamedTuple):
    """A skipped row.

    Attributes:
        file: Name of its file.
        line: Line number, from 1.
        reason: Why the row is bad.
    """

    file: str
    line: int
    reason: str


class BadRows:
    """Collects and reports bad rows.

    Args:
        on_bad_row: ``"raise"`` to stop at the first one, ``"skip"`` to continue.
    """

    def __init__(self, on_bad_row: OnBadRow) -> None:
        self.raises = on_bad_row == "raise"
        """Whether the first bad row ends the reading."""
        self.rows: list[BadRow] = []
        """The first thousand bad rows."""
        self.count = 0
        """Number of bad rows."""
        self._notes: dict[str, DataNote] = {}

    def clear(self) -> None:
        """Discard all reports."""
        self.rows.clear()
        self.count = 0
        self._notes.clear()

    def notes(self) -> tuple[DataNote, ...]:
        """Return the number of skipped rows of each file, with the first reason."""
        return tuple(self._notes.values())

    def report(self, file: str, line: int, reason: str) -> None:
        """Report a bad row.

        Raises:
            DataFileError: Bad rows are not skipped.
        """
        if self.raises:
            raise DataFileError(
                f"{file}, line {line}: {reason}; correct the row, or pass on_bad_row='skip'"
            )
        self.drop(file, line, reason)

    def drop(self, file: str, line: int, reason: str) -> None:
        """Skip a row that the user excluded, regardless of the handling of bad rows."""
        self.count += 1
        first = self._notes.get(file) or DataNote(file, "skipped", 0, f"line {line}: {reason}")
        self._notes[file] = replace(first, count=first.count + 1)
        if len(self.rows) < _KEPT:
            self.rows.append(BadRow(file, line, reason))
        if self.count <= _LOGGED:
            _log.warning("skipped %s, line %d: %s", file, line, reason)

    def summarize(self) -> None:
        """Log the number of bad rows, if some were not logged one by one."""
        if self.count > _LOGGED:
            _log.warning("skipped %d rows in all; the first %d are above", self.count, _LOGGED)
