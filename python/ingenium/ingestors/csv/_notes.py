"""Notes on reading files: skipped, clipped and guessed values."""

from __future__ import annotations

from dataclasses import replace

from ingenium.components import DataNote

__all__ = ["ReadingNotes"]


class ReadingNotes:
    """Collects the notes of one reading; each kind once per file, with its count."""

    def __init__(self) -> None:
        self._notes: dict[tuple[str, str, str], DataNote] = {}

    def clear(self) -> None:
        """Discard all notes."""
        self._notes.clear()

    def guess(self, source: str, text: str) -> None:
        """Note an assumption about a file.

        Args:
            source: Name of the file.
            text: The assumption and its evidence: ``"bars last 31 days, the longest month"``.
        """
        self._notes[source, "guessed", text] = DataNote(source, "guessed", 1, text)

    def remark(self, source: str, topic: str, text: str) -> None:
        """Note an assumption, replacing the earlier note on that topic.

        Args:
            source: Name of the file.
            topic: Topic of the note.
            text: The assumption.
        """
        self._notes[source, "guessed", topic] = DataNote(source, "guessed", 1, text)

    def clip(self, source: str, reason: str, line: int) -> None:
        """Count a value that was changed to fit.

        Args:
            source: Name of the file.
            reason: The reason, in the same text each time: ``"close beyond high or low"``.
            line: Line of the value, from 1; only the first is kept.
        """
        key = source, "clipped", reason
        known = self._notes.get(key)
        if known is None:
            self._notes[key] = DataNote(source, "clipped", 1, f"line {line}: {reason}")
        else:
            self._notes[key] = replace(known, count=known.count + 1)

    def leave(self, source: str, reason: str) -> None:
        """Note a file that was not read.

        Args:
            source: Name of the file.
            reason: Why it was not read.
        """
        self._notes[source, "unread", reason] = DataNote(source, "unread", 1, reason)

    def all(self) -> tuple[DataNote, ...]:
        """Return the notes, in order of first occurrence."""
        return tuple(self._notes.values())
