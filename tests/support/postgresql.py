"""A PostgreSQL server of one's own, from the system's package."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from time import monotonic, sleep

__all__ = ["PostgresServer", "find_programs"]

_LIMIT_SECONDS = 30.0


def find_programs() -> Path | None:
    """Return the folder of the newest server that is installed; ``None`` for none."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3])
    )
    if found:
        return found[-1].parent
    program = shutil.which("initdb")
    return None if program is None else Path(program).resolve().parent


class PostgresServer:
    """One server, on a free port of this machine, until `stop`.

    Args:
        programs: The folder of its programs.
    """

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._directory = Path(tempfile.mkdtemp(prefix="postgresql"))
        self._process: subprocess.Popen[bytes] | None = None
        # It does not run as root.
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user:
            entry = pwd.getpwnam(self._user)
            os.chown(self._directory, entry.pw_uid, entry.pw_gid)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            self._port = taken.getsockname()[1]
        self._run("initdb", "--no-sync", "--auth=trust", "--username=test", "--encoding=UTF8",
                  "--locale=C.UTF-8", str(self._data))  # fmt: skip

    @property
    def _data(self) -> Path:
        return self._directory / "data"

    def url(self, database: str = "postgres") -> str:
        """Return the URL of a database."""
        return f"postgresql://test@127.0.0.1:{self._port}/{database}"

    def start(self) -> PostgresServer:
        """Start it, or start it again, and wait until it answers."""
        end = monotonic() + _LIMIT_SECONDS
        self._process = self._launch()
        while True:
            ready = subprocess.run(
                [self._programs / "pg_isready", "-h", "127.0.0.1", "-p", str(self._port)],
                capture_output=True,
                check=False,
            )
            if ready.returncode == 0:
                return self
            assert monotonic() < end, "PostgreSQL does not start"
            if self._process.poll() is not None:
                # Processes of the one that was killed are still ending.
                self._process = self._launch()
            sleep(0.05)

    def _launch(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [
                self._programs / "postgres", "-D", self._data, "-p", str(self._port),
                "-k", self._directory, "-c", "listen_addresses=127.0.0.1",
                # A process that is killed loses nothing of what the system has taken.
                "-c", "fsync=off",
            ],
            user=self._user,
            cwd=self._directory,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def make_database(self, name: str) -> str:
        """Make a database, and return its URL."""
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self._port), "-U", "test", name)
        return self.url(name)

    def kill(self) -> None:
        """Kill it with all its processes, as a power failure does."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        pids = [int(pid) for pid in children.read_text().split()]
        self._process.kill()
        self._process.wait()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def stop(self) -> None:
        """End it, and take its files away."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(_LIMIT_SECONDS)
        shutil.rmtree(self._directory, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._programs / program, *arguments],
            user=self._user if program == "initdb" else None,
            cwd=self._directory,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
