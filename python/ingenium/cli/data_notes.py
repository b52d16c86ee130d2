"""What reading the data did to it, in a few lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console

from ingenium.cli.output import printable
from ingenium.components import DataNote

__all__ = ["notes_as_json", "print_notes"]

_LINES = 3
_NOUNS = {"skipped": "row", "clipped": "value", "guessed": "file", "unread": "file"}
_WHOLE = {"guessed", "unread"}
"""Kinds that concern a whole file, so that files are not counted beside."""


def print_notes(console: Console, notes: Sequence[DataNote]) -> None:
    """Print one line for each kind of note, of guesses one for each thing that was guessed."""
    for kind in _NOUNS:
        own = [note for note in notes if note.kind == kind]
        if kind == "guessed":
            texts = list(dict.fromkeys(note.text for note in own))
            groups = [[note for note in own if note.text == text] for text in texts[:_LINES]]
            colour = "dim"
        else:
            groups = [own] if own else []
            colour = "yellow"
        for group in groups:
            console.print(f"[{colour}]{kind}:[/] ", end="")
            # Not as markup: the name of a file may hold brackets.
            console.print(printable(_line(kind, group)), markup=False, highlight=False)


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
