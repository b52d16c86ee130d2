"""Sweeps over NATS: workers that die, differ or come late change nothing in the result."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from running import ingenium, running, until

from ingenium.bus import EmbeddedServer

APP = """
from pathlib import Path
from ingenium import App
from ingenium.brokers import PaperExecutor
from ingenium.ingest import CsvIngestor
from ingenium.portfolios import FixedQuantity
from ingenium.strategies import SmaCross

def app(fast=5, slow=20):
    if fast == 4:
        raise RuntimeError("four is not for me")
    return App(ingestors=[CsvIngestor(Path(__file__).with_name("IBM.csv"))],
               strategies=[SmaCross(fast=fast, slow=slow)],
               portfolio=FixedQuantity(100), executor=PaperExecutor())
"""
POINTS = ["--param", "fast=3,4", "--param", "slow=10:34:2"]
COUNT = 26

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data = Path(__file__).parents[2] / "examples" / "data" / "IBM.csv"
    (tmp_path / "IBM.csv").write_text(data.read_text())
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


def rows(folder: Path, name: str) -> list[str]:
    """Return the kept runs, sorted; each key is there once."""
    path = folder / name / "runs.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    keys = [json.loads(line)["key"] for line in lines]
    assert len(set(keys)) == len(keys)
    return sorted(lines)


def local(folder: Path) -> list[str]:
    ended = ingenium("sweep", "app.py", *POINTS, "--folder", "local", "--json", cwd=folder)
    assert ended.code == 0, ended.err
    return rows(folder, "local")


def test_sweep_over_nats_with_a_killed_worker_keeps_what_a_local_one_keeps(folder: Path) -> None:
    with running(
        "sweep", "app.py", *POINTS, "--folder", "remote", "--nats", "--json", cwd=folder
    ) as sweep:
        sweep.until_line("for workers on")
        with (
            running("worker", "--workers", "1", cwd=folder) as first,
            running("worker", "--workers", "1", cwd=folder) as second,
        ):
            until(lambda: len(rows(folder, "remote")) >= 3, "three runs")
            first.send(signal.SIGKILL)
            ended = sweep.wait()
            second.send(signal.SIGINT)
            stopped = second.wait()
    assert ended.code == 0, ended.err
    assert (stopped.code, "what was under way is left to others" in stopped.err) == (0, True)
    assert rows(folder, "remote") == local(folder)
    assert len(ended.out.splitlines()) == COUNT
    assert "RuntimeError: four is not for me (app.py, line 11)" in ended.out


def test_sweep_over_nats_that_is_killed_goes_on_with_what_workers_did_meanwhile(
    folder: Path, nats_server: EmbeddedServer
) -> None:
    env = {"NATS_SERVER": nats_server.url}
    sweep = ("sweep", "app.py", *POINTS, "--folder", "remote", "--nats", "--json")
    with running("worker", "--workers", "2", cwd=folder, env=env) as worker:
        with running(*sweep, cwd=folder, env=env) as killed:
            until(lambda: len(rows(folder, "remote")) >= 3, "three runs")
            killed.send(signal.SIGKILL)
            killed.wait()
        again = ingenium(*sweep, cwd=folder, env=env)
        worker.send(signal.SIGTERM)
        worker.wait()
    assert again.code == 0, again.err
    assert rows(folder, "remote") == local(folder)


def test_worker_with_another_app_leaves_the_runs_to_others(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "app.py").write_text(APP + "\n# changed\n")
    data = {"INGENIUM_DATA_DIR": str(folder / ".ingenium")}
    with running(
        "sweep", "app.py", *POINTS, "--folder", "remote", "--nats", "--json", cwd=folder
    ) as sweep:
        sweep.until_line("for workers on")
        with running("worker", "--workers", "1", cwd=elsewhere, env=data) as other:
            other.until_line("is not what the sweep was started with")
            assert rows(folder, "remote") == []
        with running("worker", "--workers", "2", cwd=folder) as worker:
            ended = sweep.wait()
            worker.send(signal.SIGINT)
            worker.wait()
    assert ended.code == 0, ended.err
    assert rows(folder, "remote") == local(folder)


def test_worker_without_a_server_says_how_to_get_one(folder: Path) -> None:
    ended = ingenium("worker", cwd=folder)
    assert ended.code == 2
    assert "set NATS_SERVER, or start ingenium sweep --nats" in ended.err


def test_sweep_on_a_server_without_jetstream_says_what_it_lacks(folder: Path, make_server) -> None:
    env = {"NATS_SERVER": make_server().url}
    ended = ingenium("sweep", "app.py", *POINTS, "--nats", cwd=folder, env=env)
    assert ended.code == 1
    assert "no JetStream" in ended.err
    assert "nats-server -js" in ended.err


def test_sweep_whose_server_is_down_says_so(folder: Path, unused_port: int) -> None:
    env = {"NATS_SERVER": f"nats://127.0.0.1:{unused_port}"}
    ended = ingenium("sweep", "app.py", *POINTS, "--nats", cwd=folder, env=env)
    assert ended.code == 1
    assert f"cannot reach nats://127.0.0.1:{unused_port}" in ended.err
