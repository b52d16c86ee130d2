"""Logs unreadable texts in market data, once for each text."""

from __future__ import annotations

import logging

__all__ = ["log_once"]

_log = logging.getLogger("ingenium.data")

_MOST_SAID = 100
_LONGEST = 80
_said: set[tuple[str, str]] = set()


def log_once(kind: str, text: str, message: str) -> None:
    """Log an unreadable text the first time it occurs.

    A process logs 100 texts at most, since a text that differs in each event would fill the log.

    Args:
        kind: What the text should have been.
        text: What was found.
        message: The log message, with ``%r`` for the text.
    """
    key = kind, text[:_LONGEST]
    if key not in _said and len(_said) < _MOST_SAID:
        _said.add(key)
        _log.warning(message, key[1])
