"""A file that halts trading on this machine while it exists, with or without a server."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import msgspec

from ingenium.errors import StoreError
from ingenium.events import TradingState
from ingenium.private_files import make_folder, open_readable

__all__ = ["HALT_FILE", "KillFile", "Restriction"]

HALT_FILE = "HALT"
"""Name of the file, in the folder of the app."""

_LARGEST_BYTES = 65_536


class Restriction(msgspec.Struct, frozen=True):
    """The content of a kill file.

    Attributes:
        state: How far trading is restricted.
        reason: Why, in words.
        sender: The author, ``"ann@trader-1"``.
        time: When it was written, UTC; ``None`` when not stated.
    """

    state: TradingState = TradingState.HALTED
    reason: str = ""
    sender: str = ""
    time: datetime | None = None


class KillFile:
    """The file ``HALT`` of an app.

    Anyone with write access to the folder can halt: an empty file, or one that cannot be read,
    halts too.

    Args:
        path: Path of the file, which need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._name = os.fspath(path)
        self._known: tuple[tuple[int, int, int], Restriction] | None = None

    @classmethod
    def of(cls, folder: Path) -> KillFile:
        """Return the kill file of an app, in the app's folder below the data folder."""
        return cls(folder / HALT_FILE)

    def observe(self) -> Restriction | None:
        """Return its present content; ``None`` when it does not exist.

        Cheap enough to call before each order: the file is read only when it has changed.
        """
        try:
            found = os.stat(self._name)  # noqa: PTH116 - half the time of Path.stat
        except FileNotFoundError:
            self._known = None
            return None
        except OSError as error:
            # An unreadable folder may hold one.
            return Restriction(reason=f"cannot look for {self.path}: {error.strerror}")
        version = (found.st_mtime_ns, found.st_size, found.st_ino)
        if self._known is None or self._known[0] != version:
            self._known = version, self._read()
        return self._known[1]

    def is_there(self) -> bool:
        """Whether the file exists; false when its folder cannot be read."""
        return os.path.isfile(self._name)  # noqa: PTH113 - Path.is_file raises without permission

    def state(self) -> TradingState:
        """Return the trading state that it allows: active when it does not exist."""
        found = self.observe()
        return TradingState.ACTIVE if found is None else found.state

    def write(self, restriction: Restriction) -> None:
        """Write or replace the file.

        Raises:
            StoreError: The file cannot be written.
        """
        beside = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            make_folder(self.path.parent)
            with os.fdopen(open_readable(beside), "wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(restriction)) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            # Whole or not at all, for concurrent readers.
            beside.replace(self.path)
            _sync_folder(self.path.parent)
        except OSError as error:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
            text = f"cannot write {self.path}: {error.strerror}"
            if restriction.state is TradingState.HALTED and self._put_empty():
                text += ", so the file is empty and gives no reason, and halts anyway"
            raise StoreError(text) from error

    def _put_empty(self) -> bool:
        """Create an empty file, for which a full disk has room."""
        try:
            os.close(open_readable(self.path))
        except OSError:
            return False
        return True

    def remove(self) -> bool:
        """Remove the file.

        Returns:
            Whether it existed.

        Raises:
            StoreError: The file cannot be removed.
        """
        try:
            self.path.unlink()
            _sync_folder(self.path.parent)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StoreError(f"cannot remove {self.path}: {error.strerror}") from error
        return True

    def _read(self) -> Restriction:
        try:
            with self.path.open("rb") as file:
                found = msgspec.json.decode(file.read(_LARGEST_BYTES), type=Restriction)
        except (OSError, msgspec.MsgspecError, UnicodeError):
            return Restriction(reason=f"{self.path} is there")
        if found.state is TradingState.ACTIVE:
            # The presence of the file means that trading must not continue.
            return msgspec.structs.replace(found, state=TradingState.HALTED)
        return found


def _sync_folder(path: Path) -> None:
    """Sync the folder, so that a created or removed file survives a power failure."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
