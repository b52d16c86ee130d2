"""The level of this package's log, changed at run time."""

from __future__ import annotations

import logging

__all__ = ["LEVELS", "set_log_level"]

LEVELS = ("debug", "info", "warning", "error")
"""Names of the levels."""


def set_log_level(level: str) -> str:
    """Set the level of the log of all components of this process.

    Args:
        level: One of `LEVELS`.

    Returns:
        The level before.
    """
    log = logging.getLogger("ingenium")
    before = logging.getLevelName(log.getEffectiveLevel()).lower()
    log.setLevel(level.upper())
    if not log.hasHandlers() and logging.lastResort is not None:
        # Without a handler Python prints what reaches the level of this one.
        logging.lastResort.setLevel(level.upper())
    return str(before)
