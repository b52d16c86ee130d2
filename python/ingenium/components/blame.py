"""Locates the line of a user's own code that raised an exception."""

from __future__ import annotations

import inspect
import traceback
from pathlib import Path

from ingenium.user_frames import is_own

__all__ = ["line_of", "text_of", "where"]


def line_of(function: object) -> str:
    """Return `` (app.py, line 31)``, the start of a function; empty for one of a library."""
    code = getattr(inspect.unwrap(function) if callable(function) else None, "__code__", None)
    if code is None or not is_own(code.co_filename):
        return ""
    return f" ({Path(code.co_filename).name}, line {code.co_firstlineno})"


def text_of(error: BaseException) -> str:
    """Return ``ValueError: its text``, also for an error whose ``str()`` fails."""
    name = type(error).__name__
    try:
        return f"{name}: {error}"
    except Exception as other:  # noqa: BLE001
        return f"{name}: its text cannot be rendered: {type(other).__name__}"


def where(error: BaseException) -> str:
    """Return `` (app.py, line 31)``, the deepest line outside of libraries; empty without one."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if is_own(frame.filename):
            return f" ({Path(frame.filename).name}, line {frame.lineno})"
    return ""
