"""Event ids as functions of their cause.

An id is a prefix and 27 letters or digits, the length of the KSUIDs of the Go clients. The part
behind the prefix is a hash of what caused the event, so that a run that is repeated, or a send
that is retried, makes the same id and a reader can drop the second one.
"""

from __future__ import annotations

import hashlib

__all__ = ["ID_LENGTH", "make_id"]

ID_LENGTH = 27
"""Characters behind the prefix: 160 bits in base 62."""

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]
_PAIR_BASE = 62 * 62


def make_id(prefix: str, *cause: str) -> str:
    """Make the id of an event from its cause.

    Args:
        prefix: ``"data"``, ``"signal"``, ``"order"``, ``"exec"`` or ``"dead"``.
        cause: What the event follows from, such as the component's name, the id of the event
            that it handled, and a count. Their order and the borders between them matter.

    Returns:
        ``prefix``, an underscore and 27 letters or digits; equal for equal arguments.
    """
    # The length in front of each part keeps ("ab", "c") and ("a", "bc") apart.
    text = "".join([f"{len(part)}:{part}" for part in cause])
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    number = int.from_bytes(digest[:20], "big")
    pairs = []
    for _ in range(13):
        number, rest = divmod(number, _PAIR_BASE)
        pairs.append(_PAIRS[rest])
    pairs.append(_ALPHABET[number % 62])
    pairs.reverse()
    return f"{prefix}_{''.join(pairs)}"
