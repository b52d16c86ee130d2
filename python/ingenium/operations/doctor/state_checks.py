"""Checks of the files of an app: state files, locks, and what a killed process has left."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ingenium.bus.nats.stream_layout import MONEY_STREAM
from ingenium.components import App, External
from ingenium.errors import StoreError
from ingenium.file_locks import holder_of
from ingenium.nats_server.files import is_locked
from ingenium.operations.apps import LocalApp
from ingenium.operations.doctor.findings import Examination
from ingenium.runtime.durable.store import STATE_CURE, Store, StreamPosition

__all__ = ["check_files"]

_OTHERS = 0o077


def check_files(
    examination: Examination, place: LocalApp, app: App | None
) -> dict[str, StreamPosition]:
    """Check the files of an app on this machine, without changing any.

    Args:
        examination: Receives the findings.
        place: The app's folder.
        app: The app, if its definition is available.

    Returns:
        Positions in the stream of orders, by component.
    """
    if (halted := place.kill_file.observe()) is not None:
        reason = f": {halted.reason}" if halted.reason else ""
        examination.warning(
            "halt file",
            f"{place.kill_file.path} restricts trading ({halted.state.value}){reason}",
            f"ingenium resume {place.app}, once its reason is gone",
        )
    _check_server_files(examination, place)
    positions: dict[str, StreamPosition] = {}
    for path in place.states:
        found = _check_state(examination, place, path, app)
        if found is not None:
            positions[path.stem] = found
    _check_left_over(examination, place)
    return positions


def _check_server_files(examination: Examination, place: LocalApp) -> None:
    folder = place.directory / "nats"
    if is_locked(folder):
        if place.run is None and not place.is_told:
            examination.warning(
                "locks",
                f"process {holder_of(folder / 'lock') or 'unknown'} runs an embedded server in "
                f"{folder}, and no run of the app is here",
                "end that process, or wait until it has ended",
            )
    elif left := sorted(path.name for path in folder.glob("address*")):
        examination.warning(
            "stale files",
            f"{folder} has {len(left)} addresses of a server that was killed",
            f"rm {folder}/address*, or start the app, which replaces them",
        )


def _check_state(
    examination: Examination, place: LocalApp, path: Path, app: App | None
) -> StreamPosition | None:
    lock = path.with_name(f"{path.name}.lock")
    holder = holder_of(lock)
    if app is not None:
        own = {each.name for each in app.components if not isinstance(each, External)}
        if path.stem not in own:
            examination.warning(
                "stale files",
                f"{path} is the state of {path.stem!r}, which is no component of {app.name!r}: "
                "its positions and orders are not read",
                "give the component its old name again, or move the file away",
            )
    if path.stat().st_mode & _OTHERS:
        examination.warning(
            "permissions",
            f"other users of this machine may read {path}",
            f"chmod 600 {path}",
        )
    try:
        with _read(path, is_open=holder is not None) as store:
            if store is None:
                examination.warning(
                    "state",
                    f"{path} has no content",
                    "start the component, or move the file away",
                )
                return None
            store.check()
            owner = store.meta("owner")
            wanted = f"component {path.stem} of {place.app}"
            if owner not in {"", wanted}:
                examination.error(
                    "state",
                    f"{path} holds the state of {owner}, not of {wanted}",
                    "move the file back to its folder, or set INGENIUM_DATA_DIR to another one",
                )
                return None
            return store.position(MONEY_STREAM.name)
    except StoreError as error:
        # An error of a store ends with its cure.
        problem, _, cure = str(error).rpartition(": ")
        examination.error("state", problem or cure, cure if problem else STATE_CURE)
    except (OSError, sqlite3.Error) as error:
        examination.error("state", f"{path} cannot be read: {error}", STATE_CURE)
    return None


@contextmanager
def _read(path: Path, *, is_open: bool) -> Iterator[Store | None]:
    """Open a store for reading, without a file beside it being made; ``None`` for an empty one.

    Args:
        path: The file.
        is_open: Whether a component has it open.
    """
    if is_open:
        with closing(Store.read(path)) as store:
            yield store
        return
    with TemporaryDirectory() as folder:
        log = path.with_name(f"{path.name}-wal")
        # A component that was killed has left a log, which SQLite would apply to the file.
        if log.exists() and log.stat().st_size:
            shutil.copy(log, Path(folder) / log.name)
            name = shutil.copy(path, folder)
        else:
            name = str(path.absolute())
        uri = f"{Path(name).as_uri()}?mode=ro" + "&immutable=1" * (name == str(path.absolute()))
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            connection.execute("PRAGMA query_only = ON")
            if connection.execute("PRAGMA user_version").fetchone()[0]:
                yield Store(connection, str(path))
            else:
                yield None


def _check_left_over(examination: Examination, place: LocalApp) -> None:
    folder = place.directory / "state"
    for log in sorted(folder.glob("*.db-wal")):
        if log.stat().st_size and not log.with_name(log.name.removesuffix("-wal")).exists():
            examination.error(
                "state",
                f"{log} is the log of a state file that is gone, with its newest changes",
                "put the state file back before the next start, or move the log away",
            )
    for lock in sorted(folder.glob("*.db.lock")):
        holder = holder_of(lock)
        if holder is not None and not lock.with_name(lock.name.removesuffix(".lock")).exists():
            examination.error(
                "locks",
                f"a process holds {lock}, and its state file is gone",
                "stop that component before it loses its state, and put the file back",
            )
