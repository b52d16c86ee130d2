"""Event ids as functions of their cause.

An id is a prefix and 27 letters or digits, the length of the KSUIDs of the Go clients. The part
behind the prefix is a hash of what caused the event, so that a run that is repeated, or a send
that is retried, makes the same id and a reader can drop the second one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import sha256
from struct import unpack

__all__ = ["BORDER", "ID_LENGTH", "make_id", "make_ids", "random_id"]

ID_LENGTH = 27
"""Letters or digits behind the prefix."""

BORDER = "\x1f"
"""Stands between the parts of a cause."""

_ALPHABET = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
# A byte to a letter. 256 is no multiple of 62, so eight letters come up a quarter more often; 27
# letters still carry 160 bits, and this costs a tenth of writing a number of 160 bits in base 62.
_LETTERS = bytes(_ALPHABET[byte % 62] for byte in range(256))


def _escape(part: str) -> str:
    return part.replace("\\", "\\\\").replace(BORDER, "\\b")


def make_id(prefix: str, *cause: str) -> str:
    """Make the id of an event from its cause.

    Args:
        prefix: ``"data"``, ``"signal"``, ``"order"``, ``"cancel"``, ``"exec"`` or ``"dead"``.
        cause: What the event follows from, such as the component's name, the id of the event
            that it handled, and a count. Their order and the borders between them matter.

    Returns:
        ``prefix``, an underscore and 27 letters or digits; equal for equal arguments.
    """
    text = BORDER.join(cause)
    if "\\" in text or text.count(BORDER) >= len(cause):
        # Rare: a part holds what stands between parts. Escaped texts all hold a backslash and
        # plain ones none, so the two kinds never meet.
        text = "\\" + BORDER.join([_escape(part) for part in cause])
    try:
        data = text.encode()
    except UnicodeEncodeError:  # a lone surrogate
        data = text.encode("utf-8", "surrogatepass")
    digest = sha256(data).digest()
    return f"{prefix}_{digest[:ID_LENGTH].translate(_LETTERS).decode('ascii')}"


def make_ids(prefix: str, causes: Sequence[bytes]) -> list[str]:
    """Make the ids of many events, as `make_id` makes each, in two thirds of the time.

    Args:
        prefix: As for `make_id`.
        causes: The parts of each cause in UTF-8, with `BORDER` between them. No part may hold
            `BORDER` or a backslash.

    Returns:
        An id for each.
    """
    if not causes:
        return []
    digests = b"".join([sha256(cause).digest() for cause in causes])
    begin = f"{prefix}_".encode()
    letters = unpack(f"{ID_LENGTH}s5x" * len(causes), digests.translate(_LETTERS))
    return (begin + (b" " + begin).join(letters)).decode("ascii").split(" ")


def random_id(prefix: str) -> str:
    """Make an id for an event that follows from nothing, such as one that a person sends.

    Args:
        prefix: As for `make_id`.

    Returns:
        ``prefix``, an underscore and 27 letters or digits; never the same twice.
    """
    return f"{prefix}_{os.urandom(ID_LENGTH).translate(_LETTERS).decode('ascii')}"
