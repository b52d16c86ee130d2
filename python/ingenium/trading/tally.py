"""Counts of recurring messages, with the first case of each kind."""

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
    """A message that occurred a number of times.

    Attributes:
        text: The first case, in words.
        time: Time of the first case; ``None`` if unknown.
        kind: The key it was counted under, such as a symbol.
        count: Number of cases.
    """

    text: str
    time: datetime | None
    kind: str
    count: int = 1


class Tally:
    """Counts messages; texts that differ only in quoted names and numbers count as the same."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Tallied] = {}
        self.count = 0
        """Number of cases of all kinds."""

    def __len__(self) -> int:
        return len(self._found)

    def add(self, text: str, time: datetime | None = None, kind: str = "") -> int:
        """Count a case.

        Args:
            text: The message; kept for the first case of its kind.
            time: Time of the case.
            kind: Key that separates texts of the same form, such as the symbol.

        Returns:
            Number of cases of its kind so far; 0 when there are too many kinds.
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
        """Return the most frequent kinds; of equally frequent ones the first."""
        return sorted(self._found.values(), key=lambda found: -found.count)[:count]

    def lines(self, most: int) -> list[str]:
        """Return the most frequent kinds as texts, with a line that counts the omitted kinds."""
        lines = [
            found.text
            if found.count == 1
            else (f"{found.text} (and {found.count - 1:,} more like it)")
            for found in self.most(most)
        ]
        if len(self._found) > most:
            lines.append(f"and {len(self._found) - most:,} more of other kinds")
        return lines


def counted(count: int, noun: str) -> str:
    """Format a count with its noun: "1 signal", "2,000 signals"."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def day_of(moment: datetime | None) -> str:
    """Format a time as briefly as possible, for a sentence: midnight as the day alone."""
    if moment is None:
        return "an unknown day"
    return f"{moment:%Y-%m-%d}" if moment.time() == _MIDNIGHT else f"{moment:%Y-%m-%d %H:%M}"
