"""The subject space of an app: a prefix that keeps apps on one server apart."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ingenium.errors import ConfigError

__all__ = ["DOCUMENTED", "SubjectSpace"]

_PREFIX = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}", re.ASCII)
# The server's own subjects, and inboxes for replies, are the same in every space.
_OUTSIDE = ("$", "_INBOX", "_R_")
_TAKEN = frozenset({"ingenium", "_ingenium"})


@dataclass(frozen=True, slots=True)
class SubjectSpace:
    """Maps the documented subjects to those on the server, and back.

    The empty prefix is the space of the documented subjects, ``ingenium.>``, in which the original
    Go library lives. With the prefix ``paper``, ``ingenium.strategy.signal`` is
    ``paper.ingenium.strategy.signal`` on the server, stream ``INGENIUM`` is ``INGENIUM-paper``,
    and the same holds for every subject that a component uses, including those of custom events.
    Only the connection applies the prefix: all code above it uses the documented subjects.

    Attributes:
        prefix: One token of lower-case letters, digits, ``-`` and ``_``; empty for none.

    Raises:
        ConfigError: The prefix is not such a token.
    """

    prefix: str = ""

    def __post_init__(self) -> None:
        """Check the prefix."""
        if self.prefix and (_PREFIX.fullmatch(self.prefix) is None or self.prefix in _TAKEN):
            raise ConfigError(
                f"prefix {self.prefix!r} does not fit: use one part of up to 60 lower-case "
                "letters, digits, - and _, such as 'paper'; not 'ingenium'"
            )

    def __str__(self) -> str:
        return f"{self.prefix}.ingenium.>" if self.prefix else "ingenium.>"

    def to_server(self, subject: str) -> str:
        """Return the server's form of a subject or pattern."""
        if not self.prefix or subject.startswith(_OUTSIDE):
            return subject
        return f"{self.prefix}.{subject}"

    def from_server(self, subject: str) -> str:
        """Return the documented form of a subject on the server."""
        return subject.removeprefix(f"{self.prefix}.") if self.prefix else subject

    def stream(self, name: str) -> str:
        """Return the name of a stream on the server."""
        return f"{name}-{self.prefix}" if self.prefix else name


DOCUMENTED = SubjectSpace()
"""The space of the documented subjects."""
