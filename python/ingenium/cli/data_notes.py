"""Summary of what the ingestors skipped, clipped or guessed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console

from ingenium.cli.backtest_output import printable
from ingenium.components import DataNote

__all__ = ["notes_as_json", "print_notes"]

_LINES = 3
_NOUNS = {"skipped": "row", "clipped": "value", "guessed": "file", "unread": "file"}
_WHOLE = {"guessed", "unread"}
"""Kinds that concern a whole file, so that their files are not counted separately."""


def print_notes(console: Console, notes: Sequence[DataNote]) -> None:
    """Print one line per kind of note, and per reason for guesses and clipped values."""
    for kind in _NOUNS:
        own = [note for note in notes if note.kind == kind]
        colour = "dim" if kind == "guessed" else "yellow"
        for group in _groups(kind, own):
            console.print(f"[{colour}]{kind}:[/] ", end="")
            # Not as markup: a file name may contain brackets.
            console.print(printable(_line(kind, group)), markup=False, highlight=False)


def _groups(kind: str, notes: Sequence[DataNote]) -> list[list[DataNote]]:
    """Group notes that share a line."""
    by_reason: dict[str, list[DataNote]] = {}
    for note in notes:
        reason = note.text if kind == "guessed" else ""
        if kind == "clipped":
            # Without the line of the first value.
            reason = note.text.partition(": ")[2]
        by_reason.setdefault(reason, []).append(note)
    groups = list(by_reason.values())
    if kind == "guessed" or len(groups) <= _LINES:
        return groups[:_LINES]
    rest = [note for group in groups[_LINES - 1 :] for note in group]
    return [*groups[: _LINES - 1], rest]


def _line(kind: str, notes: Sequence[DataNote]) -> str:
    first = notes[0]
    count = sum(note.count for note in notes)
    said = _counted(count, _NOUNS[kind])
    if kind not in _WHOLE:
        said += f" of {_counted(len({note.source for note in notes}), 'file')}"
    such_as = "such as " if len(notes) > 1 else ""
    return f"{said}, {such_as}{first.source}: {first.text}"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def notes_as_json(notes: Sequence[DataNote]) -> list[dict[str, object]]:
    """Return notes as JSON values."""
    return [asdict(note) for note in notes]
