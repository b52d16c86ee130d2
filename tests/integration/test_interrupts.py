"""Ctrl+C at any instant of a command's start ends it with 130, without a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.running import until

APP = """
from ingenium import App
from ingenium.brokers import PaperExecutor
from ingenium.ingestors import CsvIngestor
from ingenium.portfolios import FixedQuantity
from ingenium.strategies import SmaCross

def app(fast: int = 5) -> App:
    return App(name="walk", ingestors=[CsvIngestor("A.csv")], strategies=[SmaCross(fast=fast)],
               portfolio=FixedQuantity(1), executor=PaperExecutor())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    rows = "".join(f"2024-01-{day:02},1,1,1,1,9\n" for day in range(1, 29))
    (tmp_path / "A.csv").write_text("Date,Open,High,Low,Close,Volume\n" + rows)
    return tmp_path


def _is_there(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    ("command", "module"),
    [
        # The first module of ours, and others on the way to the first line of a command.
        ("backtest app.py", "ingenium._interrupt"),
        ("tap", "ingenium.components"),
        ("status walk --watch", "ingenium.cli.run"),
        ("sweep app.py --param fast=5,6", "ingenium.cli.main"),
        # While a command reads the app, and starts what runs it.
        ("backtest app.py", "ingenium.strategies"),
        ("sweep app.py --param fast=5,6", "ingenium.strategies"),
        ("run app.py", "ingenium.deploy"),
        ("run app.py --processes", "ingenium.deploy"),
        ("run app.py --processes", "ingenium.nats_server.embedded"),
    ],
)
def test_interrupt_while_modules_are_imported(folder: Path, command: str, module: str) -> None:
    # Python says each module as soon as it is imported, which is an instant that can be hit.
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "ingenium", *command.split()],
        cwd=folder,
        env={k: v for k, v in os.environ.items() if not k.startswith(("INGENIUM_", "NATS_"))},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        # As a terminal does it: a process group that gets the signal whole.
        start_new_session=True,
    )
    assert process.stderr is not None
    before = []
    for line in process.stderr:
        before.append(line)
        if line.split()[-1] == module:
            break
    assert before[-1].split()[-1] == module, "".join(before[-20:])
    os.killpg(process.pid, signal.SIGINT)
    _, after = process.communicate(timeout=30)
    assert process.returncode == 130, after[-2000:]
    assert "Traceback" not in after
    until(lambda: not _is_there(process.pid), "no process is left", 10)


@pytest.mark.parametrize(
    ("how", "to_group"),
    [(signal.SIGINT, True), (signal.SIGTERM, False), (signal.SIGTERM, True)],
    ids=["Ctrl+C", "SIGTERM", "SIGTERM to all"],
)
def test_sweep_that_is_stopped_twice_leaves_no_process_and_no_semaphore(
    folder: Path, how: signal.Signals, to_group: bool
) -> None:
    begun = folder / "begun"
    (folder / "endless.py").write_text(
        "import time\nfrom pathlib import Path\n\n"
        f"def app(fast=1):\n    Path({str(begun)!r}).touch()\n    time.sleep(1000)\n"
    )
    # Printed by the tracker of shared resources, after this process and beside it, to its output.
    process = subprocess.Popen(
        [sys.executable, "-m", "ingenium", "sweep", "endless.py", "--param", "fast=1:8",
         "--workers", "2", "--where", "fast < 9"],
        cwd=folder,
        env={k: v for k, v in os.environ.items() if not k.startswith(("INGENIUM_", "NATS_"))},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )  # fmt: skip
    send = os.killpg if to_group else os.kill
    until(begun.exists, "a run", 30)
    for _ in range(2):
        send(process.pid, how)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, ""), err
    command = "sweep endless.py --param fast=1:8 --workers 2 --where 'fast < 9'"
    assert err == (
        "stopped after 0 of 8 runs: finished runs are kept in .ingenium/sweep/runs.jsonl; to "
        f"continue: python -m ingenium {command}\n"
    )
    until(lambda: not _is_there(process.pid), "no process is left", 10)


_STARTED = """
import os, signal, sys
from ingenium.backtest.sweep.child_signals import without_interrupts

def stop(number, frame):
    raise KeyboardInterrupt

for each in (signal.SIGINT, signal.SIGTERM):
    signal.signal(each, stop)
done = []
try:
    with without_interrupts():
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)
        done.append("whole")
    done.append("after")
except KeyboardInterrupt:
    done.append("interrupted")
print(*done, signal.getsignal(signal.SIGINT) is stop, signal.pthread_sigmask(signal.SIG_BLOCK, ()))
"""


def test_interrupts_while_processes_are_started_wait_until_they_are() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", _STARTED], capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.stdout == "whole interrupted True set()\n", ended.stderr
