"""Fixtures that all tests share."""

import asyncio
import signal
import socket
import subprocess
import time

import pytest
from hypothesis import settings

from ingenium.bus import EmbeddedServer, NatsBus
from ingenium.bus.server_binary import find_binary

# A test that is slow on a busy machine has not failed.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory):
    """One embedded server for the whole run."""
    server = EmbeddedServer(tmp_path_factory.mktemp("server"))
    asyncio.run(server.__aenter__())
    yield server
    asyncio.run(server.stop())


@pytest.fixture
async def nats_bus(nats_server):
    """A fresh connection to the session's server."""
    bus = await NatsBus.connect(nats_server.url, name="test")
    yield bus
    await bus.close()


class PlainServer:
    """A nats-server to kill, stop and reconfigure, on a port that it keeps."""

    def __init__(self, directory, config=""):
        self.directory = directory
        self.port = -1
        self.config = config
        self.process = None

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def url(self):
        return f"nats://{self.address}"

    @property
    def path(self):
        return self.directory / "server.conf"

    def write(self, config):
        self.config = config
        ports = self.directory / "ports"
        ports.mkdir(exist_ok=True)
        self.path.write_text(
            f'listen: "127.0.0.1:{self.port}"\nports_file_dir: "{ports}"\n{config}\n'
        )

    def start(self):
        self.write(self.config)
        for old in (self.directory / "ports").iterdir():
            old.unlink()
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [find_binary(), "-c", self.path], stdout=log, stderr=log
            )
        ends_at = time.monotonic() + 10
        while not (found := [p for p in (self.directory / "ports").iterdir() if p.read_text()]):
            assert self.process.poll() is None, (self.directory / "log").read_text()
            assert time.monotonic() < ends_at
            time.sleep(0.01)
        self.port = int(found[0].read_text().split('"nats":["')[1].split('"')[0].split(":")[-1])
        return self

    def reload(self, config):
        self.write(config)
        self.process.send_signal(signal.SIGHUP)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def make_server(tmp_path):
    """Start nats-servers with a configuration of one's own."""
    servers = []

    def make(config=""):
        directory = tmp_path / f"server{len(servers)}"
        directory.mkdir()
        servers.append(PlainServer(directory, config))
        return servers[-1].start()

    yield make
    for server in servers:
        server.go_on()
        server.kill()


@pytest.fixture
def unused_port():
    """A port on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]
