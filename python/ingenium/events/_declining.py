"""Hand an event or a payload from a fast path over to the slow path, which reports errors."""

from __future__ import annotations

from typing import Any

__all__ = ["DeclineError", "decline", "text"]


class DeclineError(Exception):
    """The value is not exactly of the schema's type: the slow path must handle it."""


def decline() -> None:
    """Hand over to the slow path.

    Raises:
        DeclineError: Always.
    """
    raise DeclineError


def text(value: Any) -> str:
    """Return the text of a value whose type is not exactly ``str``.

    Raises:
        DeclineError: The value is not a string.
    """
    if not isinstance(value, str):
        raise DeclineError
    # A member of a StrEnum is a subclass of str.
    return str.__str__(value)
