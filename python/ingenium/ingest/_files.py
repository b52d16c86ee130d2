"""Finds, opens and counts files of text, compressed or not."""

from __future__ import annotations

import glob
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from gzip import GzipFile
from io import BufferedReader, RawIOBase, TextIOWrapper
from os import PathLike, fspath
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from ingenium.errors import ConfigError, DataFileError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = [
    "READ_ERRORS",
    "SUFFIXES",
    "PathArgument",
    "TextFile",
    "absolute_paths",
    "find_files",
    "stem_of",
]

SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
"""What a folder is searched for."""
READ_ERRORS = (OSError, EOFError, zlib.error)
"""What reading a file may raise; a damaged gzip file raises any of them."""
_KNOWN_SUFFIXES = (*SUFFIXES, ".txt.gz", ".txt", ".dat", ".gz")
_HEAD = 65_536
_CHUNK = 1 << 20
_BUFFER = 16_384
_MAGIC = {
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow file",
    b"%PDF": "a PDF document",
    b"\xd0\xcf\x11\xe0": "an Excel workbook",
    b"SQLite format 3": "a SQLite database",
}

PathArgument = str | PathLike[str]
"""What names a file."""


def absolute_paths(paths: PathArgument | Sequence[PathArgument]) -> list[Path]:
    """Return the paths, a relative one as seen from the folder that is current now.

    Raises:
        ConfigError: There is none.
    """
    try:
        many = [paths] if isinstance(paths, str | PathLike) else list(paths)
        is_path = [bool(fspath(path)) for path in many]
    except TypeError:  # such as None
        is_path = []
    if not is_path or not all(is_path):
        raise ConfigError(f"path {paths!r} names no file: pass one such as 'data/AAPL.csv'")
    return [Path(path).expanduser().absolute() for path in many]


def find_files(paths: Sequence[Path]) -> list[Path]:
    """Return the files that the paths, folders and patterns name, in a steady order, each once.

    Raises:
        DataFileError: A path names nothing.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = [file for file in path.iterdir() if file.name.lower().endswith(SUFFIXES)]
            if not inside:
                raise DataFileError(
                    f"folder {path} has no CSV files: put some ending in {', '.join(SUFFIXES)} "
                    "there, or name another folder"
                )
            found += sorted(inside)
        elif path.exists():
            found.append(path)
        elif glob.has_magic(str(path)):
            # Path.glob takes no absolute pattern.
            matches = sorted(map(Path, glob.glob(str(path), recursive=True)))  # noqa: PTH207
            matches = [match for match in matches if match.is_file()]
            if not matches:
                raise DataFileError(f"no file matches {path}: check the pattern and the folder")
            found += matches
        else:
            raise DataFileError(f"no such file: {path}: check the name and the current folder")
    return list(dict.fromkeys(found))


def stem_of(path: Path) -> str:
    """Return the name of a file without the suffixes of its format: ``"BRK.B"``."""
    name = path.name
    for suffix in _KNOWN_SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


class _Reopened(RawIOBase):
    """A file that is open only while it is read, so that thousands can be merged at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        with self._path.open("rb", buffering=0) as file:
            file.seek(self._place)
            count = file.readinto(buffer) or 0
        self._place += count
        return count


class TextFile:
    """A file of text: its compression and encoding, found out by its first bytes.

    Args:
        path: Where it is.

    Raises:
        DataFileError: It cannot be read, or is no text.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.name
        try:
            with path.open("rb") as file:
                self._zipped = file.read(2) == b"\x1f\x8b"
            with self._open() as stream:
                head = stream.read(_HEAD)
        except READ_ERRORS as error:
            raise self.failed(error) from error
        for magic, kind in _MAGIC.items():
            if head.startswith(magic):
                raise DataFileError(f"{self.name} is {kind}, not CSV: export it as CSV")
        if head.startswith((b"\xff\xfe", b"\xfe\xff")):
            self.encoding = "utf-16"
        elif b"\x00" in head:
            raise DataFileError(f"{self.name} is binary, not CSV: export it as CSV")
        else:
            self.encoding = "utf-8-sig"
        text = head.decode(self.encoding, "replace")
        self.head = text
        """The first 64 KB; the last line may be cut."""

    def _open(self) -> IO[bytes]:
        plain = BufferedReader(_Reopened(self.path), _BUFFER)
        return cast("IO[bytes]", GzipFile(fileobj=plain) if self._zipped else plain)

    @contextmanager
    def open(self) -> Iterator[TextIOWrapper]:
        """Open it as text, from the start, line ends as they are.

        A letter in another encoding becomes a mark that no number or symbol may hold, so names in
        columns that nobody reads do no harm.
        """
        with self._open() as stream:
            yield TextIOWrapper(stream, self.encoding, "replace", newline="")

    @contextmanager
    def open_seekable(self) -> Iterator[IO[bytes]]:
        """Open it as bytes of UTF-8 in which one can jump about; a compressed one is unpacked."""
        if not self._zipped and self.encoding != "utf-16":
            with self.path.open("rb") as stream:
                yield stream
            return
        with tempfile.TemporaryFile() as copy, self._open() as source:
            if self.encoding == "utf-16":
                for text in TextIOWrapper(source, "utf-16", "replace", newline=""):
                    copy.write(text.encode("utf-8", "replace"))
            else:
                while chunk := source.read(_CHUNK):
                    copy.write(chunk)
            copy.flush()
            copy.seek(0)
            yield copy

    def count_lines(self) -> int:
        """Return how many lines it has, not counting empty ones at the end.

        Raises:
            DataFileError: It cannot be read.
        """
        count = pending = 0
        seen = False
        try:
            with self._open() as stream:
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

    def failed(self, error: BaseException, line: int = 0) -> DataFileError:
        """Return the error for one that came up while reading."""
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        place = f", line {line}" if line else ""
        return DataFileError(f"{self.name}{place}: cannot read {self.path}: {why}")
