"""Ids of the last things that happened, in bounded memory."""

from __future__ import annotations

__all__ = ["RecentIds"]

_KEPT = 100_000


class RecentIds:
    """Knows so many of the last ids, and up to twice as many.

    An id that is older has to be known by somebody else: who runs a component on a stream looks it
    up in the component's file.

    Args:
        kept: How many are known for sure.
    """

    __slots__ = ("_kept", "_new", "_old")

    def __init__(self, kept: int = _KEPT) -> None:
        self._kept = kept
        # Two sets that change places: to take out the oldest of one is slow.
        self._new: set[str] = set()
        self._old: set[str] = set()

    def __contains__(self, identifier: str) -> bool:
        return identifier in self._new or identifier in self._old

    def add(self, identifier: str) -> bool:
        """Take in an id; False when it is known."""
        if identifier in self:
            return False
        if len(self._new) >= self._kept:
            self._old, self._new = self._new, set()
        self._new.add(identifier)
        return True

    def keep(self, kept: int) -> None:
        """Know so many of the last ids from now on, and up to twice as many."""
        self._kept = kept

    def clear(self) -> None:
        """Forget all."""
        self._new.clear()
        self._old.clear()
