"""Says on this machine that the run of a live app lives, whatever its server does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ingenium.file_locks import holder_of, lock_file
from ingenium.private_files import make_folder

__all__ = ["run_locked", "run_of"]

_FILE = "run"
_WAIT_SECONDS = 1.0


@contextmanager
def run_locked(directory: Path) -> Iterator[None]:
    """Keep the lock of a run for as long as this lasts.

    It keeps nobody out, and a folder without room for it is no reason not to run: other parts say
    so where they cannot do without the folder.

    Args:
        directory: The app's folder.
    """
    lock: int | None = None
    try:
        make_folder(directory)
        lock = lock_file(directory / _FILE, wait_seconds=_WAIT_SECONDS)
    except OSError:
        pass
    try:
        yield
    finally:
        if lock is not None:
            os.close(lock)


def run_of(directory: Path) -> int | None:
    """Return the process that runs a live app from its folder on this machine.

    Args:
        directory: The app's folder.

    Returns:
        Its number, 0 when that cannot be read, or ``None`` when there is none. Components that
        were started one by one are not seen.
    """
    return holder_of(directory / _FILE)
