"""Watch which files are opened, and by which component, while an app is loaded and run."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["FileWatch"]

_CODE = (".py", ".pyc", ".pyi", ".so", ".pth", ".dist-info", ".toml", ".egg-link")
_LISTINGS = ("os.listdir", "os.scandir")
_SYSTEM = ("/proc/", "/dev/", "/sys/", "/etc/", "/usr/share/zoneinfo/")


class FileWatch:
    """Records the files that are opened for reading.

    Attributes:
        by: The component now running; empty for none.
        opened: Files by the component that opened them, in the order of their first opening.
        listed: Folders by the component that listed them, likewise.

    Args:
        ignored: Suffixes of file names to ignore.
    """

    def __init__(self, ignored: tuple[str, ...] = _CODE) -> None:
        self._ignored = ignored
        self.by = ""
        self.opened: dict[str, dict[str, None]] = {}
        self.listed: dict[str, dict[str, None]] = {}

    def note(self, path: object, mode: object) -> None:
        """Record that a file is opened."""
        if not isinstance(path, str | bytes | os.PathLike):
            return
        if isinstance(mode, str) and not ("r" in mode or "+" in mode):
            return
        name = os.path.realpath(os.fsdecode(path))
        if name.endswith(self._ignored) or name.startswith(_SYSTEM) or "site-packages" in name:
            return
        if name.startswith(sys.base_prefix) or Path(name).is_dir():
            return
        self.opened.setdefault(self.by, {})[name] = None

    def note_folder(self, path: object) -> None:
        """Record that a folder is listed."""
        if isinstance(path, str | bytes | os.PathLike):
            self.listed.setdefault(self.by, {})[os.path.realpath(os.fsdecode(path))] = None

    @contextmanager
    def watching(self) -> Iterator[FileWatch]:
        """Record files within this block."""
        _install()
        _watches.append(self)
        try:
            yield self
        finally:
            _watches.remove(self)

    @contextmanager
    def at_work(self, who: str) -> Iterator[None]:
        """Attribute files to ``who`` within this block."""
        before, self.by = self.by, who
        try:
            yield
        finally:
            self.by = before


_watches: list[FileWatch] = []
_installed = False


def _install() -> None:
    """Install an audit hook for opened files; Python cannot remove such a hook."""
    global _installed  # noqa: PLW0603
    if not _installed:
        _installed = True
        sys.addaudithook(_on_event)


def _on_event(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and _watches:
        for watch in _watches:
            watch.note(arguments[0], arguments[1])
    elif event in _LISTINGS and _watches:
        for watch in _watches:
            watch.note_folder(arguments[0])
