"""Lock file that shows on this machine that a live app runs, independent of its server."""

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
    """Hold the lock of a run for the duration of the context.

    The lock excludes no other run, and an unwritable folder does not prevent a run: modules that
    need the folder report that themselves.

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
    """Return the process id of the live run of an app folder on this machine.

    Args:
        directory: The app's folder.

    Returns:
        The process id, 0 if unreadable, or ``None`` without a run. Components that were started
        individually are not detected.
    """
    return holder_of(directory / _FILE)
