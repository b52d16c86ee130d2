"""The files that a backtest has read, so that its result is taken for no other data."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from ingenium.backtest.file_watch import FileWatch
from ingenium.backtest.manifest import file_sha256
from ingenium.components import App, Ingestor

__all__ = ["Input", "InputWatch", "digest_now", "present"]

Input = tuple[str, str]
"""A file and the SHA-256 of its bytes, or a folder, ending in ``/``, and that of its names.

Files below the app's folder are named from there, so that they are equal on every machine."""

_CODE = (".py", ".pyc", ".pyi", ".so", ".pth", ".dist-info", ".egg-link")
_PACKAGE = f"{Path(__file__).resolve().parents[1]}/"
_LOAD, _FILES = "load", "files"

_loaded: dict[str, set[str]] = {}
"""What was opened while an app was loaded, by its target: a module is imported once a process."""


class InputWatch:
    """Collects what one backtest reads.

    Args:
        target: Names the app, as on a command line.
        folder: The app's folder.
    """

    def __init__(self, target: str, folder: Path) -> None:
        self._target, self._folder = target, folder
        self._watch = FileWatch(ignored=_CODE)
        self._listed: set[str] = set()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Collect while this lasts."""
        with self._watch.watching():
            yield

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Say that the app is loaded while this lasts."""
        with self._watch.at_work(_LOAD):
            yield

    def list_files(self, app: App) -> None:
        """Take the files that the ingestors name, and the folders they found them in."""
        with self._watch.at_work(_FILES):
            for ingestor in app.ingestors:
                if isinstance(ingestor, Ingestor):
                    self._listed.update(str(path.resolve()) for path in ingestor.files())

    def inputs(self) -> tuple[Input, ...]:
        """Return what was read and is still there, sorted."""
        loaded = _loaded.setdefault(self._target, set())
        loaded.update(self._watch.opened.get(_LOAD, ()))
        names = loaded | self._listed | set(_modules_of(self._folder))
        for who, opened in self._watch.opened.items():
            if who != _FILES:
                names.update(opened)
        found = {
            _name(Path(name), self._folder)
            for name in names
            if not name.startswith(_PACKAGE) and Path(name).is_file()
        }
        found |= {
            f"{_name(Path(name), self._folder)}/" for name in self._watch.listed.get(_FILES, ())
        }
        return tuple((name, digest_now(name, self._folder)) for name in sorted(found))


def present(
    inputs: Sequence[Input], folder: Path, *, missing_is_same: bool = False
) -> tuple[Input, ...]:
    """Return inputs as they are now.

    Args:
        inputs: What a run has read.
        folder: The app's folder.
        missing_is_same: Whether a file that is not here is taken to be the same: it may be on
            another machine.
    """
    now = []
    for name, digest in inputs:
        found = digest_now(name, folder)
        now.append((name, digest if missing_is_same and not found else found))
    return tuple(now)


def digest_now(name: str, folder: Path) -> str:
    """Return the digest of an input as it is now; empty when it cannot be read."""
    path = folder / name
    try:
        if not name.endswith("/"):
            return file_sha256(path)
        names = sorted(each.name for each in path.iterdir() if _counts(each.name))
    except OSError:
        return ""
    return sha256("\0".join(names).encode("utf-8", "surrogateescape")).hexdigest()


def _counts(name: str) -> bool:
    """Whether a name in a folder may be one of data."""
    return not name.startswith((".", "__pycache__"))


def _name(path: Path, folder: Path) -> str:
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)


def _modules_of(folder: Path) -> Iterable[str]:
    """Yield the files of the modules that were imported from a folder."""
    inside = f"{folder}/"
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and "site-packages" not in file:
            path = str(Path(file).resolve())
            if path.startswith(inside) and path.endswith(".py"):
                yield path
