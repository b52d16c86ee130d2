"""Counts of what happens again and again, with the first case of each kind."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time

__all__ = ["Tallied", "Tally", "counted", "day_of"]

_VARYING = re.compile(r"'[^']*'|\"[^\"]*\"|\S*\d\S*")
_MOST_KINDS = 1_000
_MIDNIGHT = time(0)


@dataclass(slots=True)
class Tallied:
    """Something that happened a number of times.

    Attributes:
        text: The first case, in words.
        time: When that was; ``None`` if unknown.
        kind: What it was counted under, such as a symbol.
        count: How many cases there were.
    """

    text: str
    time: datetime | None
    kind: str
    count: int = 1


class Tally:
    """Counts texts that differ in quoted names and in numbers only as the same."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Tallied] = {}
        self.count = 0
        """How many cases there were of all kinds."""

    def __len__(self) -> int:
        return len(self._found)

    def add(self, text: str, time: datetime | None = None, kind: str = "") -> int:
        """Count a case.

        Args:
            text: What happened; kept for the first one of its kind.
            time: When.
            kind: What tells it from other texts of the same form, such as the symbol.

        Returns:
            How many there have been of its kind; 0 when there are too many kinds.
        """
        self.count += 1
        key = kind, _VARYING.sub("#", text)
        found = self._found.get(key)
        if found is not None:
            found.count += 1
            return found.count
        if len(self._found) == _MOST_KINDS:
            return 0
        self._found[key] = Tallied(text, time, kind)
        return 1

    def most(self, count: int) -> list[Tallied]:
        """Return the kinds that happened most often, of equal ones the first."""
        return sorted(self._found.values(), key=lambda found: -found.count)[:count]

    def lines(self, most: int) -> list[str]:
        """Return the kinds that happened most often as texts, with a line for what is left out."""
        lines = [
            found.text if found.count == 1 else f"{found.text} (and {found.count - 1:,} more such)"
            for found in self.most(most)
        ]
        if len(self._found) > most:
            lines.append(f"and {len(self._found) - most:,} more of other kinds")
        return lines


def counted(count: int, noun: str) -> str:
    """Write a number of things: "1 signal", "2,000 signals"."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def day_of(moment: datetime | None) -> str:
    """Write a time as short as it can be, for a sentence: the day alone where it is midnight."""
    if moment is None:
        return "an unknown day"
    return f"{moment:%Y-%m-%d}" if moment.time() == _MIDNIGHT else f"{moment:%Y-%m-%d %H:%M}"
