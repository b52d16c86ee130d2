"""A real nats-server for tests: to kill, stop, reconfigure and start again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from ingenium.nats_server.binary import find_binary

__all__ = ["PlainServer"]

_START_SECONDS = 30


class PlainServer:
    """A nats-server on a port that it keeps.

    Args:
        directory: Where its files are.
        config: What its configuration has beside the address.
    """

    def __init__(self, directory: Path, config: str = "") -> None:
        self.directory = directory
        self.port = -1
        self.config = config
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"nats://{self.address}"

    @property
    def path(self) -> Path:
        return self.directory / "server.conf"

    def write(self, config: str) -> None:
        self.config = config
        ports = self.directory / "ports"
        ports.mkdir(exist_ok=True)
        self.path.write_text(
            f'listen: "127.0.0.1:{self.port}"\nports_file_dir: "{ports}"\n{config}\n'
        )

    def start(self) -> PlainServer:
        self.write(self.config)
        for old in (self.directory / "ports").iterdir():
            old.unlink()
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [find_binary(), "-c", self.path], stdout=log, stderr=log
            )
        ends_at = time.monotonic() + _START_SECONDS
        while not (found := [p for p in (self.directory / "ports").iterdir() if p.read_text()]):
            assert self.process.poll() is None, (self.directory / "log").read_text()
            assert time.monotonic() < ends_at
            time.sleep(0.01)
        self.port = int(found[0].read_text().split('"nats":["')[1].split('"')[0].split(":")[-1])
        return self

    def reload(self, config: str) -> None:
        self.write(config)
        self._send(signal.SIGHUP)

    def pause(self) -> None:
        self._send(signal.SIGSTOP)
        assert self.process is not None
        # Until then some of its threads go on.
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED)

    def go_on(self) -> None:
        self._send(signal.SIGCONT)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def _send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)
