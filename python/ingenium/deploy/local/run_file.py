"""What a live run on this machine writes down of itself, for commands that look from outside."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from ingenium.deploy.local.run_lock import run_of
from ingenium.private_files import replace_private

__all__ = ["LocalProcess", "LocalRun", "RunFile", "local_run"]

_FILE = "run.json"


class LocalProcess(msgspec.Struct, frozen=True):
    """A component's own process.

    Attributes:
        role: Role of the component.
        process: Process id; 0 when it does not run.
        started: Its last start, UTC.
        restarts: How often it was started again.
    """

    role: str
    process: int
    started: datetime
    restarts: int


class LocalRun(msgspec.Struct, kw_only=True):
    """A live run on this machine.

    Attributes:
        app: Name of the app.
        target: The app as on the command line.
        directory: Working directory of the command.
        process: Process id of the run.
        started: Its start, UTC.
        ready: When all components were ready; ``None`` until then.
        log: File with its output; ``None`` for a run in a terminal.
        components: Own processes by the name of the component; empty in one process.
    """

    app: str
    target: str
    directory: str
    process: int
    started: datetime
    ready: datetime | None = None
    log: str | None = None
    components: dict[str, LocalProcess] = {}


class RunFile:
    """File that a run keeps up to date; one that cannot be written does not harm the run.

    Args:
        directory: The app's folder.
        run: What to write.
    """

    def __init__(self, directory: Path, run: LocalRun) -> None:
        self._directory = directory
        self.run = run
        self.write()

    def is_ready(self) -> None:
        """Note that all components are ready."""
        self.run.ready = datetime.now(UTC)
        self.write()

    def has_process(self, name: str, process: LocalProcess) -> None:
        """Note the process of a component."""
        self.run.components[name] = process
        self.write()

    def write(self) -> None:
        """Replace the file."""
        with suppress(OSError):
            replace_private(self._directory / _FILE, msgspec.json.encode(self.run))


def local_run(directory: Path) -> tuple[LocalRun | None, bool]:
    """Read what the last run of an app folder wrote down.

    Args:
        directory: The app's folder.

    Returns:
        The run, ``None`` if there is none or its file is damaged; and whether it still runs.
    """
    process = run_of(directory)
    try:
        found = msgspec.json.decode((directory / _FILE).read_bytes(), type=LocalRun)
    except (OSError, ValueError):
        return None, process is not None
    return found, process is not None and found.process == process
