"""Says what could not be read in market data, once for each text."""

from __future__ import annotations

import logging

__all__ = ["log_once"]

_log = logging.getLogger("ingenium.data")

_MOST_SAID = 100
_LONGEST = 80
_said: set[tuple[str, str]] = set()


def log_once(kind: str, text: str, message: str) -> None:
    """Log a text that could not be read, if it is the first of its kind.

    A program logs 100 texts at most: one that differs from event to event would fill the log.

    Args:
        kind: What the text should have been.
        text: What was found.
        message: The line, with ``%r`` for the text.
    """
    key = kind, text[:_LONGEST]
    if key not in _said and len(_said) < _MOST_SAID:
        _said.add(key)
        _log.warning(message, key[1])
