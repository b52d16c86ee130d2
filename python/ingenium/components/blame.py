"""Names the line of a user's own code that an exception came from."""

from __future__ import annotations

import os
import sysconfig
import traceback
from pathlib import Path

__all__ = ["where"]

_PATHS = sysconfig.get_paths()
_OTHERS = tuple(
    f"{Path(str(place)).resolve()}{os.sep}"
    for place in (
        Path(__file__).parents[1],
        *(_PATHS[name] for name in ("stdlib", "purelib", "platlib")),
    )
)


def where(error: BaseException) -> str:
    """Return `` (app.py, line 31)``, the deepest line outside of libraries; empty without one."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = frame.filename
        if not file.startswith("<") and not str(Path(file).resolve()).startswith(_OTHERS):
            return f" ({Path(file).name}, line {frame.lineno})"
    return ""
