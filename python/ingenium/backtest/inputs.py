"""The files that a backtest has read, which tie its result to that data."""

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

Paths below the app's folder are relative to it, so that they are equal on every machine."""

_CODE = (".py", ".pyc", ".pyi", ".so", ".pth", ".dist-info", ".egg-link")
_PACKAGE = f"{Path(__file__).resolve().parents[1]}/"
_LOAD, _FILES = "load", "files"

_loaded: dict[str, set[str]] = {}
"""Files opened while an app was loaded, by target: a module is imported once per process."""


class InputWatch:
    """Records the files that one backtest reads.

    Args:
        target: Name of the app, as on a command line.
        folder: The app's folder.
    """

    def __init__(self, target: str, folder: Path) -> None:
        self._target, self._folder = target, folder
        self._watch = FileWatch(ignored=_CODE)
        self._listed: set[str] = set()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Record files within this block."""
        with self._watch.watching():
            yield

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Attribute files to the loading of the app within this block."""
        with self._watch.at_work(_LOAD):
            yield

    def list_files(self, app: App) -> None:
        """Add the files that the ingestors name, and the folders that contain them."""
        with self._watch.at_work(_FILES):
            for ingestor in app.ingestors:
                if isinstance(ingestor, Ingestor):
                    self._listed.update(str(path.resolve()) for path in ingestor.files())

    def inputs(self) -> tuple[Input, ...]:
        """Return the inputs that were read and still exist, sorted."""
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
    """Return inputs with their current digests.

    Args:
        inputs: Inputs of a run.
        folder: The app's folder.
        missing_is_same: Whether a missing file is treated as unchanged: it may be on another
            machine.
    """
    now = []
    for name, digest in inputs:
        found = digest_now(name, folder)
        now.append((name, digest if missing_is_same and not found else found))
    return tuple(now)


def digest_now(name: str, folder: Path) -> str:
    """Return the current digest of an input; empty when it cannot be read."""
    path = folder / name
    try:
        if not name.endswith("/"):
            return file_sha256(path)
        names = sorted(each.name for each in path.iterdir() if _counts(each.name))
    except OSError:
        return ""
    return sha256("\0".join(names).encode("utf-8", "surrogateescape")).hexdigest()


def _counts(name: str) -> bool:
    """Return whether a name in a folder may be a data file."""
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
