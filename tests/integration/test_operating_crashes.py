"""Live apps whose components die, and whose server can no longer keep what is sent."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.live_app import APP, status_in
from support.running import Running, running, until

from ingenium.nats_server import running_servers

LOOPS = """
import os
count = 0
def on_bar(bar):
    global count
    count += 1
    if count > 3:
        os._exit(3)
"""

IMPATIENT = """
import asyncio
from ingenium.cli.main import main
from ingenium.components import load_app
from ingenium.config import Settings
from ingenium.deploy.local import run_app
from ingenium.deploy.local.supervisor import RestartPolicy
from ingenium.errors import IngeniumError

policy = RestartPolicy(first_seconds=0.01, longest_seconds=0.01, crashes=2)
try:
    asyncio.run(run_app(
        load_app("app.py:app"), "app.py:app", Settings.from_environment(), processes=True,
        restarts=policy, on_line=lambda name, line: print(name, "|", line, flush=True),
        on_notice=lambda text: print(text, flush=True),
    ))
except IngeniumError as error:
    print("ended:", error)
    raise SystemExit(1)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


def _child(it: Running, text: str) -> int:
    listed = subprocess.run(
        ["ps", "-ww", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    ).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()]
    mine, grown = {it.pid}, True
    while grown:
        more = {int(pid) for pid, parent, _ in rows if int(parent) in mine} - mine
        mine |= more
        grown = bool(more)
    # A guard names the program that it runs; the program itself comes last.
    return max(int(pid) for pid, _, args in rows if int(pid) in mine and text in args)


def test_component_that_is_killed_is_started_again_and_goes_on(folder: Path) -> None:
    with running("run", "app.py:app", "--processes", cwd=folder) as it:
        until(lambda: bool(running_servers(folder / ".ingenium")), "a server")
        until(lambda: (status_in(folder).stream_end or 0) > 5, "orders")
        os.kill(_child(it, "--component turns"), signal.SIGKILL)
        it.until_line("turns | was killed by SIGKILL; it is started again in 1 s")
        it.until_line("turns | is ready again")
        end = status_in(folder).stream_end or 0
        until(lambda: (status_in(folder).stream_end or 0) > end, "more orders")
        it.send(signal.SIGTERM)
        assert it.wait().code == 0


def test_component_that_dies_in_a_loop_ends_the_run_and_halts_trading(folder: Path) -> None:
    with (folder / "app.py").open("a") as file:
        file.write(LOOPS)
    (folder / "impatient.py").write_text(IMPATIENT)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("INGENIUM_", "NATS_"))}
    ended = subprocess.run(
        [sys.executable, "impatient.py"],
        cwd=folder, env=kept, capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    output = ended.stdout + ended.stderr
    assert ended.returncode == 1, output
    assert "'turns' ended with 3, 2 times within 120 s" in output
    assert "TRADING IS HALTED: 'turns' ended with 3" in output
    assert "ingenium resume live" in output
    # The server is gone with the app; what the components have written down still says it.
    ended_status = status_in(folder)
    assert (ended_status.runs, ended_status.trading) == (False, "halted")
    (folder / "app.py").write_text(APP)
    with running("run", "app.py:app", cwd=folder) as it:
        until(lambda: bool(running_servers(folder / ".ingenium")), "a server")
        until(lambda: status_in(folder).said is not None, "the last word")
        status = status_in(folder)
        assert status.trading == "halted"
        assert status.said is not None
        assert "@" not in status.said.sender
        end = status.stream_end or 0
        until(lambda: (status_in(folder).stream_end or 0) > end, "signals and denials")
        it.send(signal.SIGTERM)
        assert it.wait().code == 0


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits another process: Linux only")
def test_server_that_can_keep_no_more_halts_trading(folder: Path) -> None:
    with running("run", "app.py:app", cwd=folder) as it:
        until(lambda: bool(running_servers(folder / ".ingenium")), "a server")
        until(lambda: (status_in(folder).stream_end or 0) > 5, "orders")
        server = _child(it, "nats-server -c")
        size = max(path.stat().st_size for path in (folder / ".ingenium/live/nats").rglob("*.blk"))
        resource.prlimit(server, resource.RLIMIT_FSIZE, (size, size))
        it.until_line("TRADING IS HALTED: the server is not well: JetStream stream")
        it.until_line("file too large")
        it.send(signal.SIGKILL)
