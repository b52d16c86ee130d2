"""Bytes of files that are open only during reads, and decompressed on the fly."""

from __future__ import annotations

import os
import zlib
from bz2 import BZ2File
from collections.abc import Callable
from gzip import GzipFile
from io import BufferedReader, RawIOBase
from lzma import LZMAError, LZMAFile
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast
from zipfile import BadZipFile

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["COMPRESSED", "READ_ERRORS", "is_packed", "open_bytes", "unpack"]

COMPRESSED = (".gz", ".bz2", ".xz")
"""Suffixes of compressed files that are decompressed while read."""
READ_ERRORS = (OSError, EOFError, zlib.error, LZMAError, BadZipFile)
"""Errors of reading a file; a damaged archive may raise any of them."""
_BUFFER = 16_384
_UNPACK: dict[bytes, Callable[[IO[bytes]], object]] = {
    b"\x1f\x8b": lambda stream: GzipFile(fileobj=stream),
    b"BZh": BZ2File,
    b"\xfd7zXZ\x00": LZMAFile,
}


class _Reopened(RawIOBase):
    """A file that is open only during reads, so that thousands can be merged at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        with self._path.open("rb", buffering=0) as file:
            file.seek(self._place)
            count = file.readinto(buffer) or 0
        self._place += count
        return count

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_CUR:
            offset += self._place
        elif whence == os.SEEK_END:
            offset += self._path.stat().st_size
        if offset < 0:
            raise OSError("negative seek position")
        self._place = offset
        return offset

    def tell(self) -> int:
        return self._place


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file without keeping a file descriptor."""
    return cast("IO[bytes]", BufferedReader(_Reopened(path), _BUFFER))


def is_packed(magic: bytes) -> bool:
    """Return whether these are the first bytes of gzip, bzip2 or xz."""
    return magic.startswith(tuple(_UNPACK))


def unpack(stream: IO[bytes], magic: bytes) -> IO[bytes]:
    """Return the stream, decompressed if its first bytes are those of gzip, bzip2 or xz."""
    for start, unpacked in _UNPACK.items():
        if magic.startswith(start):
            return cast("IO[bytes]", unpacked(stream))
    return stream
