"""Names the line of a user's own code that an exception came from."""

from __future__ import annotations

import inspect
import os
import sysconfig
import traceback
from pathlib import Path

__all__ = ["line_of", "text_of", "where"]

_PATHS = sysconfig.get_paths()
_OTHERS = tuple(
    f"{Path(str(place)).resolve()}{os.sep}"
    for place in (
        Path(__file__).parents[1],
        *(_PATHS[name] for name in ("stdlib", "purelib", "platlib")),
    )
)


def line_of(function: object) -> str:
    """Return `` (app.py, line 31)``, where a function begins; empty for one of a library."""
    code = getattr(inspect.unwrap(function) if callable(function) else None, "__code__", None)
    if code is None or not _is_own(code.co_filename):
        return ""
    return f" ({Path(code.co_filename).name}, line {code.co_firstlineno})"


def text_of(error: BaseException) -> str:
    """Return ``ValueError: its text``, also for an error that cannot be written as text."""
    name = type(error).__name__
    try:
        return f"{name}: {error}"
    except Exception as other:  # noqa: BLE001
        return f"{name}: its text cannot be made: {type(other).__name__}"


def where(error: BaseException) -> str:
    """Return `` (app.py, line 31)``, the deepest line outside of libraries; empty without one."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if _is_own(frame.filename):
            return f" ({Path(frame.filename).name}, line {frame.lineno})"
    return ""


def _is_own(file: str) -> bool:
    """Whether a file is a user's own, and none of a library."""
    return not file.startswith("<") and not str(Path(file).resolve()).startswith(_OTHERS)
