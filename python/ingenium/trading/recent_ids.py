"""Recent ids, in bounded memory."""

from __future__ import annotations

__all__ = ["RecentIds"]

_KEPT = 100_000


class RecentIds:
    """Remembers at least the last ``kept`` ids, and at most twice as many.

    Older ids have to be looked up elsewhere: the durable runner keeps them in the component's file.

    Args:
        kept: Number of ids that are remembered for sure.
    """

    __slots__ = ("_kept", "_new", "_old")

    def __init__(self, kept: int = _KEPT) -> None:
        self._kept = kept
        # Two sets used in turn, since removing the oldest id of one set is slow.
        self._new: set[str] = set()
        self._old: set[str] = set()

    def __contains__(self, identifier: str) -> bool:
        return identifier in self._new or identifier in self._old

    def add(self, identifier: str) -> bool:
        """Add an id; return False when it is known already."""
        if identifier in self:
            return False
        if len(self._new) >= self._kept:
            self._old, self._new = self._new, set()
        self._new.add(identifier)
        return True

    def keep(self, kept: int) -> None:
        """Set how many of the last ids are remembered for sure from now on."""
        self._kept = kept

    def clear(self) -> None:
        """Forget all ids."""
        self._new.clear()
        self._old.clear()
