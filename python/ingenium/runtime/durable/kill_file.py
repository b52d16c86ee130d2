"""A file that halts trading on this machine as long as it is there, with or without a server."""

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
    """What a kill file says.

    Attributes:
        state: How far trading is restricted.
        reason: Why, in words.
        sender: Who says so, ``"ann@trader-1"``.
        time: Since when, UTC; ``None`` when it is not stated.
    """

    state: TradingState = TradingState.HALTED
    reason: str = ""
    sender: str = ""
    time: datetime | None = None


class KillFile:
    """The file ``HALT`` of an app.

    Anybody who can write into the folder can halt: an empty file, or one that cannot be read, halts
    too.

    Args:
        path: Where it is, if it is there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._name = os.fspath(path)
        self._known: tuple[tuple[int, int, int], Restriction] | None = None

    @classmethod
    def of(cls, folder: Path) -> KillFile:
        """Return that of an app, which is in the app's folder below the data folder."""
        return cls(folder / HALT_FILE)

    def observe(self) -> Restriction | None:
        """Return what it says now; ``None`` when it is not there.

        Cheap enough to be asked before each order: it is read when it has changed only.
        """
        try:
            found = os.stat(self._name)  # noqa: PTH116 - half the time of Path.stat
        except FileNotFoundError:
            self._known = None
            return None
        except OSError as error:
            # A folder that cannot be looked into may hold one.
            return Restriction(reason=f"cannot look for {self.path}: {error.strerror}")
        version = (found.st_mtime_ns, found.st_size, found.st_ino)
        if self._known is None or self._known[0] != version:
            self._known = version, self._read()
        return self._known[1]

    def is_there(self) -> bool:
        """Whether there is such a file; not when its folder cannot be looked into."""
        return os.path.isfile(self._name)  # noqa: PTH113 - Path.is_file raises without permission

    def state(self) -> TradingState:
        """Return what it allows: everything, when it is not there."""
        found = self.observe()
        return TradingState.ACTIVE if found is None else found.state

    def write(self, restriction: Restriction) -> None:
        """Put it there, or another one in its place.

        Raises:
            StoreError: It cannot be written.
        """
        beside = self.path.with_name(f"{self.path.name}.{os.getpid()}")
        try:
            make_folder(self.path.parent)
            with os.fdopen(open_readable(beside), "wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(restriction)) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            # Whole or not at all, for whoever looks meanwhile.
            beside.replace(self.path)
            _sync_folder(self.path.parent)
        except OSError as error:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
            text = f"cannot write {self.path}: {error.strerror}"
            if restriction.state is TradingState.HALTED and self._put_empty():
                text += ", so it is there without the reason, and halts all the same"
            raise StoreError(text) from error

    def _put_empty(self) -> bool:
        """Put an empty file there, for which a full disk has room."""
        try:
            os.close(open_readable(self.path))
        except OSError:
            return False
        return True

    def remove(self) -> bool:
        """Take it away.

        Returns:
            Whether it was there.

        Raises:
            StoreError: It cannot be taken away.
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
            # Whoever puts such a file there does not want trading to go on.
            return msgspec.structs.replace(found, state=TradingState.HALTED)
        return found


def _sync_folder(path: Path) -> None:
    """Let a file that was put there or taken away outlive a power failure."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
