"""How a fast path hands an event or a payload over to the slow one, which tells what is wrong."""

from __future__ import annotations

from typing import Any

__all__ = ["DeclineError", "decline", "text"]


class DeclineError(Exception):
    """The value is not just what the schema says: the slow path has to look at it."""


def decline() -> None:
    """Hand over.

    Raises:
        DeclineError: Always.
    """
    raise DeclineError


def text(value: Any) -> str:
    """Return a text that is not plainly a ``str``, as one.

    Raises:
        DeclineError: It is none.
    """
    if not isinstance(value, str):
        raise DeclineError
    # A member of a StrEnum is a string of its own type.
    return str.__str__(value)
