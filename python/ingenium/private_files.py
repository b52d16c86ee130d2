"""Create files and folders that only their owner may change, independent of the umask."""

from __future__ import annotations

import os
import stat
from pathlib import Path

__all__ = ["make_folder", "open_private", "open_readable"]

_FOLDER = 0o700
_PRIVATE = 0o600
_READABLE = 0o644


def make_folder(path: Path) -> None:
    """Create a folder and its missing parents, for their owner only.

    An existing folder keeps its mode, which was chosen by its creator.

    Args:
        path: The folder.

    Raises:
        OSError: The folder cannot be created.
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
            continue  # Another process has just created it.
        if stat.S_IMODE(folder.stat().st_mode) != _FOLDER:
            folder.chmod(_FOLDER)  # A umask such as 777 has removed the owner's rights.


def open_private(path: Path, flags: int) -> int:
    """Open or create a file that only its owner may read and write.

    Args:
        path: The file; access of others is removed.
        flags: Flags of `os.open`, such as ``os.O_RDWR``.

    Returns:
        A file descriptor.

    Raises:
        OSError: It cannot be opened.
    """
    descriptor = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, _PRIVATE)
    try:
        found = os.fstat(descriptor)
        # A file of another owner is not changed, since it may be shared on purpose.
        if stat.S_IMODE(found.st_mode) != _PRIVATE and found.st_uid == os.geteuid():
            os.fchmod(descriptor, _PRIVATE)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def replace_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read; readers see the old content or the new.

    Args:
        path: The file; its folder is created if missing.
        content: What to write.

    Raises:
        OSError: It cannot be written, and the old file is as it was.
    """
    make_folder(path.parent)
    part = path.with_name(f"{path.name}.part")
    with os.fdopen(open_private(part, os.O_WRONLY | os.O_TRUNC), "wb") as file:
        file.write(content)
    part.replace(path)


def open_readable(path: Path) -> int:
    """Create or truncate a file that others may read but not write.

    The umask may remove the read right of others; the owner keeps both rights.

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
