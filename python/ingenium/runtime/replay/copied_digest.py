"""A digest whose input goes to a function too, such as that of a recorder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

__all__ = ["CopiedDigest", "Digest", "OnLines"]

OnLines = Callable[[bytes], None]
"""Receives the lines that are digested, in their order: the line of one message, or those of
several bars. A line is the subject, a space, the payload and a line feed."""


class Digest(Protocol):
    """What is used of the objects of `hashlib`."""

    def update(self, data: bytes, /) -> None:
        """Add bytes."""

    def hexdigest(self) -> str:
        """Return the digest so far, in hex."""


class CopiedDigest:
    """A digest that passes its input on.

    Args:
        digest: Digests the input.
        on_lines: Called with all of it.
    """

    def __init__(self, digest: Digest, on_lines: OnLines) -> None:
        self._digest = digest
        self._on_lines = on_lines

    def update(self, data: bytes, /) -> None:
        """Add bytes."""
        self._digest.update(data)
        self._on_lines(data)

    def hexdigest(self) -> str:
        """Return the digest so far, in hex."""
        return self._digest.hexdigest()
