"""Open text files, compressed or not, standalone or in an archive."""

from __future__ import annotations

import csv
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from os import PathLike, fspath
from pathlib import Path, PurePosixPath
from typing import IO

from ingenium.errors import ConfigError, DataFileError
from ingenium.ingestors.csv._archives import Archive
from ingenium.ingestors.csv._columns import Layout
from ingenium.ingestors.csv._groups import Rows, block_rows, find_groups
from ingenium.ingestors.csv._reopened import COMPRESSED, READ_ERRORS, is_packed, open_bytes, unpack

__all__ = [
    "READ_ERRORS",
    "TEXT_SUFFIXES",
    "BarFile",
    "PathArgument",
    "Source",
    "TextFile",
    "absolute_paths",
]

TEXT_SUFFIXES = (".csv", ".tsv", ".txt", ".dat", ".prn", ".json", ".jsonl", ".ndjson")
"""Suffixes of text files, which may also be compressed."""
_OTHER_SUFFIXES = (".parquet", ".pq", ".feather", ".arrow", ".arrows", ".ipc", ".zip")
_PACKED = {
    b"\x28\xb5\x2f\xfd": "compressed with zstd",
    b"7z\xbc\xaf": "a 7z archive",
    b"Rar!": "a RAR archive",
}
_UTF8 = "utf-8-sig"
_ENCODINGS = ("cp1252", "gb18030", "cp932", "cp949", "cp1251", "cp1250", "cp1254", "big5")
_HEAD = 65_536
_CHUNK = 1 << 20
_MAGIC = {
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow file",
    b"%PDF": "a PDF document",
    b"\xd0\xcf\x11\xe0": "an Excel workbook",
    b"SQLite format 3": "a SQLite database",
    b"\x89HDF": "an HDF5 file",
    b"FEA1": "a Feather file of version 1",
}

PathArgument = str | PathLike[str]
"""A path of a file."""


def absolute_paths(paths: PathArgument | Sequence[PathArgument]) -> list[Path]:
    """Return absolute paths, relative ones resolved against the current folder.

    Raises:
        ConfigError: There are no paths.
    """
    try:
        many = [paths] if isinstance(paths, str | PathLike) else list(paths)
        is_path = [bool(fspath(path)) for path in many]
    except TypeError:  # such as None
        is_path = []
    if not is_path or not all(is_path):
        raise ConfigError(f"path {paths!r} names no file: pass one such as 'data/AAPL.csv'")
    return [Path(path).expanduser().absolute() for path in many]


@dataclass(frozen=True)
class Source:
    """A file, or a member of an archive.

    Attributes:
        path: Path of the file, or of the archive.
        archive: The archive; ``None`` for a standalone file.
        member: Name in the archive.
    """

    path: Path
    archive: Archive | None = None
    member: str = ""

    @property
    def name(self) -> str:
        """Name in errors and notes: ``"AAPL.csv"`` or ``"archive.zip/AAPL.csv"``."""
        return f"{self.path.name}/{self.member}" if self.archive else self.path.name

    @property
    def stem(self) -> str:
        """Name without folder and suffixes of the format: ``"BRK.B"``."""
        name = PurePosixPath(self.member or self.path.name).name
        for suffix in COMPRESSED:
            if name.lower().endswith(suffix):
                name = name[: -len(suffix)]
                break
        for suffix in (*TEXT_SUFFIXES, *_OTHER_SUFFIXES):
            if name.lower().endswith(suffix):
                return name[: -len(suffix)]
        return name

    def open(self) -> IO[bytes]:
        """Open the stored bytes.

        Raises:
            DataFileError: A member of an archive cannot be decompressed.
        """
        return self.archive.open(self.member) if self.archive else open_bytes(self.path)

    def failed(self, error: BaseException, line: int = 0) -> DataFileError:
        """Return a `DataFileError` for an error raised while reading."""
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        place = f", line {line}" if line else ""
        return DataFileError(f"{self.name}{place}: cannot read {self.path}: {why}")


class BarFile(ABC):
    """A file whose rows are bars, whatever its format.

    Args:
        source: The file.
    """

    head: str
    """Header and first rows as CSV; the last line may be truncated."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.name = source.name

    @abstractmethod
    def open_rows(self, layout: Layout) -> AbstractContextManager[Rows]:
        """Open the rows after the header."""

    @abstractmethod
    def open_groups(self, layout: Layout) -> AbstractContextManager[dict[str, Rows] | None]:
        """Open the rows of each symbol; ``None`` when symbols are mixed."""

    @abstractmethod
    def count_rows(self, layout: Layout) -> int:
        """Return the number of rows after the header.

        Raises:
            DataFileError: The file cannot be read.
        """

    def other_encodings(self) -> Iterator[str]:
        """Try other text encodings, each until the next is yielded; none by default."""
        return iter(())

    def failed(self, error: BaseException, line: int = 0) -> DataFileError:
        """Return a `DataFileError` for an error raised while reading."""
        return self.source.failed(error, line)


class TextFile(BarFile):
    """Text file, with compression and encoding detected from its first bytes.

    A character not in UTF-8 becomes a mark that no number or symbol may contain, so names in unread
    columns do no harm; `other_encodings` lists the possible encodings.

    Args:
        source: The file.

    Raises:
        DataFileError: The file cannot be read, or is not text.
    """

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        try:
            with source.open() as stream:
                self._magic = stream.read(6)
            with self.open_bytes() as stream:
                head = stream.read(_HEAD)
        except READ_ERRORS as error:
            raise self.failed(error) from error
        for magic, kind in _MAGIC.items():
            if head.startswith(magic):
                raise DataFileError(f"{self.name} is {kind}, not CSV: export it as CSV")
        for magic, kind in _PACKED.items():
            if head.startswith(magic):
                raise DataFileError(f"{self.name} is {kind}, which cannot be read: unpack it")
        if head[257:262] == b"ustar":
            raise DataFileError(f"{self.name} is a tar archive: unpack it and name its folder")
        if head.startswith((b"\xff\xfe", b"\xfe\xff")):
            self.encoding = "utf-16"
        elif b"\x00" in head:
            raise DataFileError(f"{self.name} is binary, not CSV: export it as CSV")
        else:
            self.encoding = _UTF8
        self._head = head
        self.head = head.decode(self.encoding, "replace")

    def other_encodings(self) -> Iterator[str]:
        """Try the encodings of vendors one by one, if the text is not UTF-8.

        Yields:
            The encoding used for `head` and the rows until the next one is yielded.
        """
        # The last character may be truncated.
        if self.encoding != _UTF8 or "\ufffd" not in self.head[:-4]:
            return
        for encoding in _ENCODINGS:
            self.encoding = encoding
            self.head = self._head.decode(encoding, "replace")
            yield encoding
        self.encoding = _UTF8
        self.head = self._head.decode(_UTF8, "replace")

    def open_bytes(self) -> IO[bytes]:
        """Open the decompressed bytes."""
        return unpack(self.source.open(), self._magic)

    @contextmanager
    def open_text(self) -> Iterator[TextIOWrapper]:
        """Open the file as text, from the start, with line ends unchanged."""
        with self.open_bytes() as stream:
            yield TextIOWrapper(stream, self.encoding, "replace", newline="")

    @contextmanager
    def open_rows(self, layout: Layout) -> Iterator[Rows]:
        """Open the rows after the header."""
        with self.open_text() as text:
            rows = csv.reader(text, delimiter=layout.delimiter, skipinitialspace=True)
            while rows.line_num < layout.first_line - 1:
                next(rows, None)
            yield rows

    @contextmanager
    def open_groups(self, layout: Layout) -> Iterator[dict[str, Rows] | None]:
        """Open the rows of each symbol; ``None`` when symbols are mixed."""
        with self._open_seekable() as stream:
            groups = find_groups(stream, layout)
            yield None if groups is None else block_rows(stream, groups, layout)

    @contextmanager
    def _open_seekable(self) -> Iterator[IO[bytes]]:
        """Open the file as seekable UTF-8 bytes; a compressed one is copied."""
        packed = self.source.archive or is_packed(self._magic)
        if not packed and self.encoding == _UTF8:
            with self.source.path.open("rb") as stream:
                yield stream
            return
        with tempfile.TemporaryFile() as copy, self.open_bytes() as source:
            if self.encoding != _UTF8:
                for text in TextIOWrapper(source, self.encoding, "replace", newline=""):
                    copy.write(text.encode("utf-8", "replace"))
            else:
                while chunk := source.read(_CHUNK):
                    copy.write(chunk)
            copy.flush()
            copy.seek(0)
            yield copy

    def count_rows(self, layout: Layout) -> int:
        """Return the number of lines after the header, without empty ones at the end."""
        return max(self.count_lines() - layout.first_line + 1, 0)

    def count_lines(self) -> int:
        """Return the number of lines, without empty ones at the end.

        Raises:
            DataFileError: The file cannot be read.
        """
        count = pending = 0
        seen = False
        try:
            with self.open_bytes() as stream:
                while chunk := stream.read(_CHUNK):
                    body = chunk.rstrip()
                    if body:
                        seen = True
                        count += pending + body.count(b"\n")
                        pending = 0
                    pending += chunk.count(b"\n", len(body))
        except READ_ERRORS as error:
            raise self.failed(error) from error
        return count + 1 if seen else 0
