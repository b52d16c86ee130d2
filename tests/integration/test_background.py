"""Live apps in the background, and components that follow their code."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.live_app import APP, status_in
from support.running import ingenium, running, until

from ingenium.deploy.local.run_file import LocalRun, local_run


def _run(folder: Path) -> LocalRun:
    run, lives = local_run(folder / ".ingenium" / "live")
    assert run is not None
    assert lives
    return run


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "app.py").write_text(APP)
    yield tmp_path
    run, lives = local_run(tmp_path / ".ingenium" / "live")
    if run is not None and lives:
        os.kill(run.process, signal.SIGKILL)


def test_app_runs_in_the_background_until_it_is_stopped(folder: Path) -> None:
    assert "no live app runs" in ingenium("ps", cwd=folder).err
    started = ingenium("run", "app.py:app", "--processes", "--detach", cwd=folder)
    assert started.code == 0, started.err
    assert "all is ready: ingestor ticks, strategy turns" in started.err + started.out
    run = _run(folder)
    assert f"process {run.process}" in started.err + started.out

    listed = json.loads(ingenium("ps", "--json", cwd=folder).out)["runs"]
    assert [each["app"] for each in listed] == ["live"]
    processes = {name: each["process"] for name, each in listed[0]["components"].items()}
    assert set(processes) == {"ticks", "turns", "fixed-quantity", "fill-all"}
    for process in processes.values():
        assert os.getsid(process) == process

    again = ingenium("run", "app.py:app", "--detach", cwd=folder)
    assert again.code == 1
    assert f"runs here already, process {run.process}: end it with ingenium stop live" in again.err

    os.kill(processes["turns"], signal.SIGKILL)
    until(lambda: _run(folder).components["turns"].restarts == 1, "a restart is written down")
    with running("logs", "live", "turns", "--follow", cwd=folder) as logs:
        logs.until_line("turns | was killed by SIGKILL; it is started again in 1 s")
        logs.until_line("turns | is ready again")
        stopped = ingenium("stop", "live", cwd=folder)
        assert (stopped.code, stopped.out) == (0, f"live has stopped, process {run.process}\n")
        ended = logs.wait()
    assert ended.code == 0
    assert {line.partition(" | ")[0] for line in ended.out.splitlines()} == {"turns"}
    assert "live has ended" in ended.err
    for process in processes.values():
        assert not Path(f"/proc/{process}").exists()
    assert ingenium("stop", "live", cwd=folder).code == 3
    assert "last" in ingenium("logs", cwd=folder).out


def test_app_that_does_not_start_says_why_in_the_terminal(folder: Path) -> None:
    (folder / "app.py").write_text(APP + "\nTicks.on_start = lambda self: 1 / 0\n")
    started = ingenium("run", "app.py:app", "--detach", cwd=folder)
    assert started.code == 1
    assert "ZeroDivisionError" in started.err
    assert "app 'live' ended with 1 before it was ready: its output is above" in started.err
    wrong = ingenium("run", "app.py:app", "--detach", "--json", cwd=folder)
    assert wrong.code == 2
    assert "--json does nothing with --detach" in wrong.err


def test_log_is_only_there_for_a_run_in_the_background(folder: Path) -> None:
    unknown = ingenium("logs", "live", cwd=folder)
    assert unknown.code == 2
    assert "app 'live' has not run with the data folder" in unknown.err
    with running("run", "app.py:app", cwd=folder) as run:
        run.until_line("all is ready")
        refused = ingenium("logs", cwd=folder)
        assert refused.code == 2
        assert "runs in a terminal" in refused.err
        assert ingenium("stop", cwd=folder).code == 0
        assert run.wait().code == 0


def test_component_is_restarted_when_its_code_changes_and_nothing_is_lost(folder: Path) -> None:
    app = folder / "app.py"
    with running("run", "app.py:app", "--reload", cwd=folder) as run:
        run.until_line("all is ready")
        before = _run(folder).components
        until(lambda: (status_in(folder).stream_end or 0) > 10, "it trades")
        app.write_text(APP.replace("bar.close > 103", "bar.close > 104"))
        run.until_line("app.py changed: turns restarted with it")
        run.until_line("turns | is ready again")
        now = _run(folder).components
        assert now["turns"].process != before["turns"].process
        assert {name for name in now if now[name] == before[name]} == set(now) - {"turns"}

        app.write_text(APP.replace("class Turns", "class Turns("))
        run.until_line("app.py changed, and cannot be loaded, so what runs goes on")
        assert _run(folder).components == now

        # The portfolio books what was filled while it was away.
        app.write_text(APP.replace("FixedQuantity(10)", "FixedQuantity(20)"))
        run.until_line("fixed-quantity, turns restarted with it")
        run.until_line("fixed-quantity | is ready again")
        end = status_in(folder).stream_end or 0
        until(lambda: (status_in(folder).stream_end or 0) > end + 10, "it trades on")
        assert ingenium("verify", "app.py:app", cwd=folder).code == 0

        # The name of a component is of the app, so the app is started again.
        app.write_text(APP.replace("FixedQuantity(10)", 'FixedQuantity(10, name="books")'))
        run.until_line("component fixed-quantity is gone; books is new")
        run.until_line("portfolio books")
        run.send(signal.SIGINT)
        assert run.wait().code == 0


def test_run_tells_its_service_manager_that_it_is_ready_and_alive(folder: Path) -> None:
    address = folder / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(address))
        manager.settimeout(30)
        extra = {"NOTIFY_SOCKET": str(address), "WATCHDOG_USEC": "30000000"}
        with running("run", "app.py:app", "--processes", cwd=folder, env=extra) as run:
            told: list[str] = []
            while not any(each.startswith("READY=1") for each in told):
                told.append(manager.recv(4096).decode())
            assert told[0] == "WATCHDOG=1"
            assert "STATUS=all is ready: ingestor ticks" in told[-1]
            run.send(signal.SIGTERM)
            while told[-1] != "STOPPING=1":
                told.append(manager.recv(4096).decode())
            assert run.wait().code == 0
