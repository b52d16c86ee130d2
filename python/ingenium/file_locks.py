"""Files that a process keeps locked while it needs them, with its number inside.

The system releases such a lock when the process ends in whatever way, kill -9 included, so it says
reliably that a process lives, which a number alone does not.
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
    """Lock a file, and write the number of this process into it.

    Args:
        path: The file; it is made if need be, in a folder that exists.
        wait_seconds: How long to wait for a process that is just ending.

    Returns:
        A file descriptor, locked until it and all its copies are closed; ``None`` when another
        process has it.

    Raises:
        OSError: The file cannot be made, or locked.
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
    """Return the number of the process that has locked a file.

    Returns:
        ``None`` when no process has; 0 when one has and its number cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        # Shared, so that two who look do not take each other for the holder.
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
