"""The server of a live app dies: it is started again, or the run ends and says why."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest
from support.live_app import APP, status_in
from support.plain_server import PlainServer
from support.running import ingenium, running, until

from ingenium.backoff import RestartPolicy
from ingenium.bus import NatsBus
from ingenium.deploy.local.server_keeper import ServerKeeper
from ingenium.deploy.local.supervisor import CrashLoopError
from ingenium.errors import BusConnectError
from ingenium.nats_server import EmbeddedServer

# 200 bars a second, each with a signal, most of them with an order.
BUSY = APP.replace("asyncio.sleep(0.05)", "asyncio.sleep(0.005)")
JETSTREAM = 'jetstream {{ store_dir: "{}" }}'


def _server_process(folder: Path) -> int:
    """Return the number of the nats-server's process, which the name of its ports file holds."""
    [ports] = (folder / "nats" / "ports").glob("*.ports")
    return int(ports.stem.rpartition("_")[2])


def _stream_end(folder: Path) -> int:
    return status_in(folder).stream_end or 0


def _until_trading(folder: Path, after: int) -> int:
    until(lambda: _stream_end(folder) > after + 100, "100 more messages in the stream")
    return _stream_end(folder)


@pytest.mark.parametrize(
    ("flags", "kills"), [((), 2), (("--processes",), 1)], ids=["one process", "processes"]
)
def test_killed_server_is_started_again_and_nothing_is_lost(
    tmp_path: Path, flags: Sequence[str], kills: int
) -> None:
    (tmp_path / "app.py").write_text(BUSY)
    with running("run", "app.py:app", *flags, cwd=tmp_path) as run:
        run.until_line("all is ready")
        end = _until_trading(tmp_path, 0)
        for count in range(1, kills + 1):
            process = _server_process(tmp_path / ".ingenium" / "live")
            os.kill(process, signal.SIGKILL)
            until(lambda count=count: run.err.count("runs again") == count, "the server is back")  # type: ignore[misc]
            end = _until_trading(tmp_path, end)
        assert run.err.count("was killed by SIGKILL") == kills
        status = status_in(tmp_path)
        assert (status.trading, status.is_well) == ("active", True), status
        verified = ingenium("verify", "app.py:app", "--json", cwd=tmp_path)
        assert verified.code == 0, verified
        assert json.loads(verified.out)["equal"] is True
        run.send(signal.SIGINT)
        assert run.wait().code == 0


def test_run_whose_server_is_away_is_not_taken_for_one_that_is_gone(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    with running("run", "app.py:app", cwd=tmp_path) as run:
        run.until_line("all is ready")
        until(lambda: status_in(tmp_path).is_well, "all is well")
        assert status_in(tmp_path).run == run.pid
        # It lives, and starts no server as long as it stands still.
        run.send(signal.SIGSTOP)
        os.kill(_server_process(tmp_path / ".ingenium" / "live"), signal.SIGKILL)
        why = (
            f"the embedded server of app 'live' does not answer: process {run.pid}, which runs the "
            "app, starts it, or starts it again, or is just ending"
        )
        until(lambda: status_in(tmp_path).server_error == why, "the server is gone")
        status = status_in(tmp_path)
        assert (status.runs, status.run, status.trading) == (True, run.pid, "unknown")
        assert {each.liveness.value for each in status.components} == {"unknown"}
        shown = ingenium("status", "live", cwd=tmp_path)
        assert shown.code == 1
        assert shown.out.splitlines()[0] == f"live: it is unknown whether it trades: {why}"
        halted = ingenium("halt", "live", "--reason", "no server", cwd=tmp_path)
        assert halted.code == 1
        assert halted.out.splitlines()[0] == "live: halted on this machine only, by the file"
        assert why in halted.err
        status = status_in(tmp_path)
        assert (status.trading, status.why, status.is_well) == ("halted", why, False)
        run.send(signal.SIGCONT)
        run.until_line("runs again after")
        until(lambda: status_in(tmp_path).is_well, "all is well again")
        assert status_in(tmp_path).trading == "halted"
        run.send(signal.SIGKILL)
        run.wait()
    until(
        lambda: status_in(tmp_path).server_error.startswith("app 'live' has no server"), "the end"
    )
    status = status_in(tmp_path)
    assert (status.runs, status.run, status.trading) == (False, None, "halted")


def test_server_that_cannot_start_again_halts_and_ends_the_run(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    folder = tmp_path / ".ingenium" / "live"
    with running("run", "app.py:app", cwd=tmp_path) as run:
        run.until_line("all is ready")
        (folder / "nats" / "jetstream").rename(folder / "nats" / "gone")
        (folder / "nats" / "jetstream").write_text("no folder")
        os.kill(_server_process(folder), signal.SIGKILL)
        ended = run.wait()
    assert ended.code == 1
    assert ended.err.count("it is started again in") == 5
    [last] = [line for line in ended.err.splitlines() if line.startswith("error:")]
    assert "storage directory is not a directory" in last
    assert "5 restarts within 120 s did not help, so the run ends" in last
    assert "TRADING IS HALTED" in ended.err
    assert "halted" in (folder / "HALT").read_text()
    # The next start finds it so.
    (folder / "nats" / "jetstream").unlink()
    (folder / "nats" / "gone").rename(folder / "nats" / "jetstream")
    with running("run", "app.py:app", cwd=tmp_path) as run:
        run.until_line("STARTED WHILE HALTED")
        run.until_line("all is ready")
        assert status_in(tmp_path).trading == "halted"


async def test_restarted_server_has_its_port_its_passwords_and_its_store(tmp_path: Path) -> None:
    async with EmbeddedServer(tmp_path) as server:
        url, monitor_url = server.url, server.monitor_url
        bus = await NatsBus.connect(url)
        js = bus.client.jetstream()
        await js.add_stream(name="KEPT", subjects=["kept"])
        await js.publish("kept", b"1")
        os.kill(_server_process(tmp_path), signal.SIGKILL)
        assert await server.ended() == 128 + signal.SIGKILL
        await server.restart()
        assert (server.url, server.monitor_url) == (url, monitor_url)
        await bus.flush()
        assert (await js.stream_info("KEPT")).state.messages == 1
        await bus.close()


async def test_restart_on_a_port_that_another_program_has_taken_fails_and_can_be_repeated(
    tmp_path: Path,
) -> None:
    async with EmbeddedServer(tmp_path) as server:
        os.kill(_server_process(tmp_path), signal.SIGKILL)
        await server.ended()
        port = int(server.safe_url.rpartition(":")[2])
        taken = pytest.raises(BusConnectError, match="address already in use")
        with socket.create_server(("127.0.0.1", port)), taken:
            await server.restart()
        await server.restart()
        assert server.is_running


async def test_keeper_gives_up_after_five_restarts_that_do_not_help(tmp_path: Path) -> None:
    notices: list[str] = []
    pauses: list[float] = []
    restarted = 0

    async def on_restarted() -> None:
        nonlocal restarted
        restarted += 1
        os.kill(_server_process(tmp_path), signal.SIGKILL)

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    async with EmbeddedServer(tmp_path) as server:
        policy = RestartPolicy(first_seconds=0.25, crashes=6)
        keeper = ServerKeeper(server, notices.append, on_restarted, policy, pause)
        os.kill(_server_process(tmp_path), signal.SIGKILL)
        with pytest.raises(CrashLoopError, match="5 restarts within 120 s did not help"):
            async with asyncio.timeout(30):
                await keeper.run()
        assert keeper.is_away()
    assert restarted == 5
    assert pauses == [0.25, 0.5, 1.0, 2.0, 4.0]


def _plain(tmp_path: Path) -> PlainServer:
    folder = tmp_path / "server"
    folder.mkdir()
    return PlainServer(folder, JETSTREAM.format(folder / "store")).start()


def test_server_of_somebody_else_that_stays_away_is_said_and_halts_if_asked(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    server = _plain(tmp_path)
    env = {"NATS_SERVER": server.url, "INGENIUM_HALT_AWAY_SECONDS": "3"}
    try:
        with running("run", "app.py:app", cwd=tmp_path, env=env) as run:
            run.until_line("all is ready")
            server.kill()
            run.until_line(f"NO SERVER: {server.url} is away since ")
            assert ingenium("status", "live", cwd=tmp_path).code == 1
            run.until_line("TRADING IS HALTED on this machine")
            assert (tmp_path / ".ingenium" / "live" / "HALT").exists()
            run.until_line("(4 s)")  # it is said again
            server.start()
            run.until_line(f"the server at {server.url} is back after ")
            until(lambda: status_in(tmp_path).trading == "halted", "components say halted")
            released = ingenium("resume", "live", "--yes", "live", cwd=tmp_path)
            assert released.code == 0, released
            until(lambda: status_in(tmp_path).is_well, "all is well")
            run.send(signal.SIGINT)
            assert run.wait().code == 0
    finally:
        server.kill()
