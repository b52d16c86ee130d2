"""Members of zip archives as files."""

from __future__ import annotations

from pathlib import Path
from typing import IO
from zipfile import ZipFile, ZipInfo

from ingenium.errors import DataFileError
from ingenium.ingestors.csv._reopened import READ_ERRORS, open_bytes

__all__ = ["ZIP_MAGIC", "Archive"]

ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")
"""First bytes of a zip archive; the second are those of an empty one."""
_LARGE = 1 << 26
_RATIO = 250
"""Text of prices compresses 5 to 20 times; a far higher ratio is suspicious."""
_OFFICE = {
    "xl/": "an Excel workbook",
    "word/": "a Word document",
    "content.xml": "an OpenDocument file",
}


class Archive:
    """A zip archive, whose directory is read once and whose members are read as streams.

    Args:
        path: Path of the archive.

    Raises:
        DataFileError: The archive is damaged, or is a workbook, which is also a zip archive.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._zip = ZipFile(open_bytes(path))
        except (*READ_ERRORS, NotImplementedError, ValueError) as error:
            raise DataFileError(
                f"{path.name} is a damaged zip archive: {error}; download the file again"
            ) from error
        self.members: dict[str, ZipInfo] = {
            info.filename: info for info in self._zip.infolist() if not info.is_dir()
        }
        for name in self.members:
            for start, kind in _OFFICE.items():
                if name.startswith(start):
                    raise DataFileError(
                        f"{path.name} is {kind}, which cannot be read: export it as CSV"
                    )

    def open(self, member: str) -> IO[bytes]:
        """Open a member as bytes.

        Raises:
            DataFileError: The member is encrypted, compressed by an unknown method, or suspiciously
                large.
        """
        info = self.members[member]
        name = f"{self.path.name}/{member}"
        if info.flag_bits & 0x1:
            raise DataFileError(f"{name} is encrypted: unpack it with its password first")
        if info.file_size > _LARGE and info.file_size > _RATIO * info.compress_size:
            raise DataFileError(
                f"{name} would grow from {info.compress_size:,} to {info.file_size:,} bytes, as a "
                "zip bomb does: unpack it first if that is right"
            )
        try:
            return self._zip.open(info)
        except NotImplementedError as error:
            raise DataFileError(
                f"{name} uses an unknown compression method ({error}): compress it again with "
                "deflate, or unpack it"
            ) from error
