"""Fixtures that all tests share."""

import asyncio
import signal
import socket
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from support.plain_server import PlainServer
from xdist.scheduler import LoadScopeScheduling

from ingenium.bus import NatsBus
from ingenium.nats_server import EmbeddedServer

# A test that is slow on a busy machine has not failed.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


class ModuleScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Runs the tests of a module in one process, and those that build in shared folders in one."""

    def _split_scope(self, nodeid):
        room, _, _ = nodeid.partition("/")
        return "builds" if room in ("conformance", "interop") else nodeid.partition("::")[0]


def pytest_xdist_make_scheduler(config, log):
    """Keep the order of the modules: those that take longest come early."""
    config.option.loadscopereorder = False
    return ModuleScheduling(config, log)


def pytest_sessionstart():
    """Refuse to test extension modules that are older than their sources; take Ctrl+C."""
    # A shell starts what it runs in the background with SIGINT ignored, and programs inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.path.insert(0, str(Path(__file__).parents[1] / "python"))
    import compiling

    if compiling.libraries() and not compiling.are_fresh():
        pytest.exit("what is compiled is not what is written: make compile, or COMPILE=0", 2)


@pytest.fixture(autouse=True)
def no_export_outlives_its_test():
    """Wait for the threads that still export telemetry to a dead collector.

    Their retries draw from `random`, which Hypothesis refuses while it draws for a later test.
    """
    yield
    for thread in threading.enumerate():
        if thread.name.startswith(("Otel", "telemetry-close")):
            thread.join(40)
            assert not thread.is_alive(), f"the test leaves {thread.name} behind"


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
