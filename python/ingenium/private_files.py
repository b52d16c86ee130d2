"""Files and folders that only their owner may change, whatever the umask is."""

from __future__ import annotations

import os
import stat
from pathlib import Path

__all__ = ["make_folder", "open_private", "open_readable"]

_FOLDER = 0o700
_PRIVATE = 0o600
_READABLE = 0o644


def make_folder(path: Path) -> None:
    """Make a folder, and those above it that are missing, for their owner only.

    One that is there already keeps its mode: whoever made it decided that.

    Args:
        path: The folder.

    Raises:
        OSError: It cannot be made.
    """
    missing = []
    while not path.is_dir():
        missing.append(path)
        if path == path.parent:
            break
        path = path.parent
    for folder in reversed(missing):
        try:
            folder.mkdir(mode=_FOLDER)
        except FileExistsError:
            if not folder.is_dir():
                raise
            continue  # Another process has made it in this moment.
        if stat.S_IMODE(folder.stat().st_mode) != _FOLDER:
            folder.chmod(_FOLDER)  # A umask such as 777 has taken the owner's own rights.


def open_private(path: Path, flags: int) -> int:
    """Open a file that only its owner may read and write; make it if need be.

    Args:
        path: The file. One that others may read or write is closed to them.
        flags: Those of `os.open`, such as ``os.O_RDWR``.

    Returns:
        A file descriptor.

    Raises:
        OSError: It cannot be opened.
    """
    descriptor = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, _PRIVATE)
    try:
        found = os.fstat(descriptor)
        # A file of another owner is left as it is: that one may have shared it on purpose.
        if stat.S_IMODE(found.st_mode) != _PRIVATE and found.st_uid == os.geteuid():
            os.fchmod(descriptor, _PRIVATE)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def open_readable(path: Path) -> int:
    """Make a file, or empty the one that is there, that others may read but never write.

    The umask may take the right to read from others; the owner keeps both rights.

    Args:
        path: The file.

    Returns:
        A file descriptor.

    Raises:
        OSError: It cannot be opened.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    descriptor = os.open(path, flags, _READABLE)
    mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
    if mode & _PRIVATE != _PRIVATE:
        os.fchmod(descriptor, mode | _PRIVATE)
    return descriptor
