"""Lock files that contain the id of the process that holds them.

The system releases the lock when the process ends in any way, kill -9 included, so the lock shows
reliably that a process lives, which a process id alone does not.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from ingenium.private_files import open_private

__all__ = ["holder_of", "lock_file"]

_POLL_SECONDS = 0.05


def lock_file(path: Path, *, wait_seconds: float) -> int | None:
    """Lock a file, and write the id of this process into it.

    Args:
        path: The file, created if missing, in an existing folder.
        wait_seconds: Time to wait for a process that is about to end.

    Returns:
        A file descriptor, locked until it and all its copies are closed; ``None`` when another
        process has it.

    Raises:
        OSError: The file cannot be created or locked.
    """
    descriptor = open_private(path, os.O_RDWR)
    ends_at = time.monotonic() + wait_seconds
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= ends_at:
                    os.close(descriptor)
                    return None
                time.sleep(_POLL_SECONDS)
                continue
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
            return descriptor
    except OSError:
        os.close(descriptor)
        raise


def holder_of(path: Path) -> int | None:
    """Return the id of the process that has locked a file.

    Returns:
        ``None`` if the file is not locked; 0 if it is and the id cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        # A shared lock, so that two readers do not take each other for the holder.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
        return int(text) if text.isascii() and text.isdigit() else 0
    except OSError:
        return None
    else:
        return None
    finally:
        os.close(descriptor)
