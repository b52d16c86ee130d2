"""Find the files of paths, folders, patterns and archives."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path, PurePosixPath

from ingenium.errors import DataFileError
from ingenium.ingestors.csv._archives import ZIP_MAGIC, Archive
from ingenium.ingestors.csv._arrow import ARROW_MAGIC, ArrowFile
from ingenium.ingestors.csv._files import BarFile, Source, TextFile
from ingenium.ingestors.csv._json import JsonFile, is_json
from ingenium.ingestors.csv._notes import ReadingNotes
from ingenium.ingestors.csv._reopened import COMPRESSED, READ_ERRORS

__all__ = ["find_sources", "open_file"]

WhyNot = Callable[[Source], str]
"""Returns why a file contains no bars; empty when it does."""

_DATA = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".pq", ".feather", ".arrow", ".arrows")
"""Suffixes to find in a folder, compressed or not."""
_PERHAPS = (".txt", ".dat", ".prn", ".json", ".gz", ".bz2", ".xz", ".ipc")
"""Suffixes of files that are read if they contain bars, and noted otherwise."""
_UNREADABLE = (
    ".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".h5", ".hdf5", ".hdf", ".pkl", ".pickle", ".npy",
    ".npz", ".sqlite", ".sqlite3", ".duckdb", ".zst", ".7z", ".rar", ".tar", ".tgz", ".orc",
    ".avro", ".bi5", ".hst", ".scid", ".dbn", ".rds", ".rdata", ".mat", ".dta",
)  # fmt: skip
"""Suffixes of unsupported data formats: an error, since a gap in history is worse."""
_HARMLESS = (
    ".md", ".rst", ".py", ".pyc", ".ipynb", ".sh", ".log", ".toml", ".yaml", ".yml", ".ini", ".cfg",
    ".html", ".pdf", ".png", ".jpg", ".svg", ".checksum", ".sha256", ".md5", ".sig", "desktop.ini",
    "thumbs.db",
)  # fmt: skip
_HARMLESS_NAMES = ("readme", "licence", "license", "copying", "notice", "changelog", "_")
_HIDDEN = (".", "~$")
_SEARCHED = 10_000


def open_file(source: Source) -> BarFile:
    """Open a file in the format detected from its first bytes.

    Raises:
        DataFileError: The file cannot be read, or its format is unknown.
        MissingDependencyError: Its format needs a library that is not installed.
    """
    try:
        with source.open() as stream:
            magic = stream.read(6)
    except READ_ERRORS as error:
        raise source.failed(error) from error
    if magic.startswith(ARROW_MAGIC):
        return ArrowFile(source, magic)
    text = TextFile(source)
    return JsonFile(text) if is_json(text.head) else text


def find_sources(
    paths: Sequence[Path], why_not: WhyNot, notes: ReadingNotes | None = None
) -> list[Source]:
    """Return the sources in paths, folders, patterns and archives, in a stable order, each once.

    Args:
        paths: Files, folders and patterns.
        why_not: Called for files whose names do not show whether they contain bars.
        notes: Collects files of a folder that are not read.

    Raises:
        DataFileError: A path matches nothing, or a folder contains data that cannot be read.
    """
    search = _FileSearch(why_not, notes)
    for path in paths:
        if path.is_dir():
            search.add_folder(path)
        elif path.exists():
            search.add_file(path)
        elif glob.has_magic(str(path)):
            # Path.glob does not accept an absolute pattern.
            matches = sorted(map(Path, glob.glob(str(path), recursive=True)))  # noqa: PTH207
            matches = [match for match in matches if match.is_file()]
            if not matches:
                raise DataFileError(f"no file matches {path}: check the pattern and the folder")
            for match in matches:
                search.add_file(match)
        else:
            search.add_member(path)
    return list(search.found.values())


class _FileSearch:
    def __init__(self, why_not: WhyNot, notes: ReadingNotes | None) -> None:
        self._why_not = why_not
        self._notes = notes
        self._left: list[str] = []
        self.found: dict[tuple[Path, str], Source] = {}

    def _add(self, source: Source) -> None:
        self.found.setdefault((source.path, source.member), source)

    def _leave(self, name: str, reason: str) -> None:
        self._left.append(f"{name}: {reason}")
        if self._notes is not None:
            self._notes.leave(name, reason)

    def add_file(self, path: Path) -> None:
        """Add a file that the user named, or the members of an archive."""
        if not _is_zip(path):
            self._add(Source(path))
            return
        archive = Archive(path)
        members = self._members(archive, named=True)
        if not members:
            raise DataFileError(
                f"{path.name} holds no file of prices: it has "
                f"{', '.join(islice(archive.members, 5)) or 'no file'}"
            )
        for source in members:
            self._add(source)

    def add_member(self, path: Path) -> None:
        """Add a member of an archive: ``archive.zip/AAPL.csv``.

        Raises:
            DataFileError: Neither such a file nor such a member exists.
        """
        parent = next((parent for parent in path.parents if parent.is_file()), None)
        if parent is None or not _is_zip(parent):
            raise DataFileError(f"no such file: {path}: check the name and the current folder")
        archive = Archive(parent)
        member = path.relative_to(parent).as_posix()
        if member not in archive.members:
            raise DataFileError(
                f"{parent.name} has no member {member}: it has "
                f"{', '.join(islice(archive.members, 5)) or 'no file'}"
            )
        self._add(Source(parent, archive, member))

    def _members(self, archive: Archive, *, named: bool) -> list[Source]:
        """Return the members of an archive that contain bars."""
        sources = [
            Source(archive.path, archive, member)
            for member in sorted(archive.members)
            if not member.startswith("__MACOSX/") and not _is_harmless(member)
        ]
        for source in sources:
            name = source.member.lower()
            if name.endswith((*_UNREADABLE, ".zip")):
                raise DataFileError(
                    f"{source.name} cannot be read: unpack {archive.path.name}, export what is in "
                    "it as CSV, and name that"
                )
        if named and len(sources) == 1:
            return sources
        return [source for source in sources if self._holds_bars(source)]

    def _holds_bars(self, source: Source) -> bool:
        """Return whether to read a file found in a folder or archive; if not, note why."""
        name = (source.member or source.path.name).lower()
        if _plain(name).endswith(_DATA):
            return True
        if not name.endswith(_PERHAPS):
            self._leave(source.name, "its name is not that of a file of prices")
            return False
        reason = self._why_not(source)
        if reason:
            self._leave(source.name, reason)
        return not reason

    def add_folder(self, folder: Path) -> None:
        """Add the files of a folder that contain bars.

        Raises:
            DataFileError: There are none, or some contain data that cannot be read.
        """
        before = len(self.found)
        self._left.clear()
        folders: list[Path] = []
        for path in sorted(folder.iterdir()):
            if _is_harmless(path.name):
                continue
            if path.is_dir():
                folders.append(path)
            elif path.name.lower().endswith(_UNREADABLE):
                raise DataFileError(
                    f"folder {folder} holds {path.name}, which cannot be read: export it as CSV, "
                    f"take it away, or name the others with a pattern such as {folder / '*.csv'}"
                )
            elif _is_zip(path):
                archive = Archive(path)
                members = self._members(archive, named=False)
                for source in members:
                    self._add(source)
                if all(map(_is_harmless, archive.members)):
                    self._leave(path.name, "it holds no file of prices")
            elif self._holds_bars(source := Source(path)):
                self._add(source)
        deeper = next(filter(None, map(_first_data, folders)), None)
        if deeper is not None:
            pattern = folder / "**" / f"*{_suffix(deeper)}"
            if len(self.found) == before:
                raise DataFileError(
                    f"folder {folder} has files in folders of its own, such as "
                    f"{deeper.relative_to(folder)}: name them with the pattern {pattern}"
                )
            name = deeper.relative_to(folder).parts[0]
            self._leave(
                f"{name}/", f"a folder within a folder; the pattern {pattern} reads it, too"
            )
        if len(self.found) == before:
            raise DataFileError(
                f"folder {folder} has no CSV files: put some ending in {', '.join(_DATA)} or .zip "
                "there, or name another folder" + "".join(f"; {left}" for left in self._left[:1])
            )


def _is_zip(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) in ZIP_MAGIC
    except OSError:
        return False  # reported when it is read


def _plain(name: str) -> str:
    """Return a name without the compression suffix."""
    return next((name[: -len(end)] for end in COMPRESSED if name.endswith(end)), name)


def _suffix(path: Path) -> str:
    return "".join(path.suffixes[-2:]) if path.suffix in COMPRESSED else path.suffix


def _is_harmless(name: str) -> bool:
    """Return whether a name is that of a hidden file, documentation, code or a checksum."""
    own = PurePosixPath(name).name.lower()
    if own.startswith(_HIDDEN) or own.endswith(_HARMLESS):
        return True
    return own.startswith(_HARMLESS_NAMES) and not _plain(own).endswith((*_DATA, ".zip"))


def _first_data(folder: Path) -> Path | None:
    """Return a data file anywhere below a folder."""
    for path in islice(_walk(folder), _SEARCHED):
        if _plain(path.name.lower()).endswith((*_DATA, ".zip")):
            return path
    return None


def _walk(folder: Path) -> Iterator[Path]:
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not _is_harmless(name))
        yield from (Path(where, name) for name in sorted(files) if not _is_harmless(name))
