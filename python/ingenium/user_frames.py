"""Extract the frames of user code from a traceback."""

from __future__ import annotations

import os
import sysconfig
import traceback
from pathlib import Path

__all__ = ["frames_of", "is_own", "root_of"]

_PATHS = sysconfig.get_paths()
_OTHERS = tuple(
    f"{Path(str(place)).resolve()}{os.sep}"
    for place in (
        Path(__file__).parent,
        *(_PATHS[name] for name in ("stdlib", "purelib", "platlib")),
    )
)


def is_own(file: str) -> bool:
    """Whether a file belongs to the user and not to a library."""
    return not file.startswith("<") and not str(Path(file).resolve()).startswith(_OTHERS)


def root_of(error: BaseException) -> BaseException:
    """Return the error that the user's code raised, of one that was raised from it."""
    while error.__cause__ is not None and not _has_own(error):
        error = error.__cause__
    return error


def frames_of(error: BaseException) -> str:
    """Return the traceback of an error, without the frames of libraries.

    Returns:
        The traceback as Python prints it; the whole one if it has no frame of the user.
    """
    found = traceback.TracebackException.from_exception(root_of(error))
    if not _keep_own(found):
        found = traceback.TracebackException.from_exception(error)
    return "".join(found.format())


def _has_own(error: BaseException) -> bool:
    frames = traceback.extract_tb(error.__traceback__)
    # One of ours that passes through the user's frames is raised from the one that says more.
    return bool(frames) and is_own(frames[-1].filename)


def _keep_own(error: traceback.TracebackException) -> bool:
    """Remove the frames of libraries; return whether any are left."""
    kept = [frame for frame in error.stack if is_own(frame.filename)]
    error.stack = traceback.StackSummary.from_list(kept)
    others = [each for each in (error.__cause__, error.__context__) if each is not None]
    return any([bool(kept), *map(_keep_own, others)])
