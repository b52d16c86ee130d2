"""Live runs in the background: started, awaited, stopped, and their log kept small."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ingenium.config import Settings
from ingenium.deploy.local.child_process import how_of
from ingenium.deploy.local.run_file import LocalRun, local_run
from ingenium.deploy.local.run_lock import run_of
from ingenium.errors import DeployError
from ingenium.private_files import make_folder, open_private

__all__ = ["LOG_BYTES", "rotate_output", "start_in_background", "stop_run"]

LOG_BYTES = 32 << 20
"""Size at which a log is moved to ``<file>.1``, which it replaces."""
_POLL_SECONDS = 0.05
_AT_ONCE_SECONDS = 10.0


def start_in_background(
    app: str,
    arguments: Sequence[str],
    settings: Settings,
    on_line: Callable[[str], None],
) -> LocalRun:
    """Start a live run that outlives this process, and wait until its components are ready.

    Args:
        app: Name of the app.
        arguments: Arguments of ``ingenium`` for the run.
        settings: Settings with the data folder.
        on_line: Receives the lines that it prints until then.

    Returns:
        The run.

    Raises:
        DeployError: It runs already, or ended before it was ready, or the log cannot be written.
    """
    directory = settings.data_directory.absolute() / app
    if (process := run_of(directory)) is not None:
        raise DeployError(
            f"app {app!r} runs here already, process {process}: end it with ingenium stop {app}"
        )
    path = directory / "run.log"
    try:
        make_folder(directory)
        log = open_private(path, os.O_WRONLY | os.O_APPEND)
        start = os.fstat(log).st_size
    except OSError as error:
        raise DeployError(f"cannot write the log {path}: {error.strerror}") from error
    with os.fdopen(log, "wb") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "ingenium", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=settings.for_background(path),
        )
    try:
        with path.open("rb") as file:
            file.seek(start)
            while True:
                code = child.poll()
                for line in file.read().splitlines():
                    on_line(line.decode("utf-8", "backslashreplace"))
                if code is not None:
                    raise DeployError(
                        f"app {app!r} {how_of(code)} before it was ready: its output is above, and "
                        f"in {path}"
                    )
                run, lives = local_run(directory)
                if run is not None and lives and run.process == child.pid and run.ready:
                    return run
                time.sleep(_POLL_SECONDS)
    except KeyboardInterrupt:
        child.terminate()
        child.wait()
        raise


def stop_run(
    directory: Path, *, timeout_seconds: float, on_slow: Callable[[str], None]
) -> int | None:
    """Stop the live run of an app folder: drain its components, and after a timeout end it at once.

    Args:
        directory: The app's folder.
        timeout_seconds: How long it may drain.
        on_slow: Told when it is ended at once.

    Returns:
        Process id of the run; ``None`` if none ran.

    Raises:
        DeployError: It belongs to another user, or does not end.
    """
    process = run_of(directory)
    if process is None:
        return None
    for seconds in (timeout_seconds, _AT_ONCE_SECONDS):
        _signal(process)
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at:
            if run_of(directory) != process:
                return process
            time.sleep(_POLL_SECONDS)
        if seconds == timeout_seconds:
            on_slow(f"process {process} still runs after {seconds:g} s: it is ended at once")
    raise DeployError(f"process {process} does not end: look at it, or kill -9 {process}")


def _signal(process: int) -> None:
    try:
        os.kill(process, signal.SIGTERM)
    except ProcessLookupError:
        pass
    except PermissionError as error:
        raise DeployError(
            f"process {process} belongs to another user, who has to stop it"
        ) from error


def rotate_output(path: Path, limit: int = LOG_BYTES) -> bool:
    """Begin a new log when that of this process has grown to a size.

    Standard output and error go to the new file; nothing is lost. The old one is ``<path>.1``.

    Args:
        path: Log that standard output and error are appended to.
        limit: Size in bytes.

    Returns:
        Whether a new one was begun.
    """
    try:
        if path.stat().st_size < limit:
            return False
        path.replace(f"{path}.1")
        log = open_private(path, os.O_WRONLY | os.O_APPEND)
    except OSError:
        return False
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(log)
    return True
