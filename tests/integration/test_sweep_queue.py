"""Sweeps over NATS: workers that die, differ or come late change nothing in the result."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import nats
import pytest
from support.running import ingenium, running, until

from ingenium.bus.nats.work_queue import WorkQueue
from ingenium.nats_server import EmbeddedServer

APP = """
from pathlib import Path
from ingenium import App
from ingenium.brokers import PaperExecutor
from ingenium.ingestors import CsvIngestor
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
    assert (stopped.code, "unfinished runs are left to other workers" in stopped.err) == (0, True)
    assert rows(folder, "remote") == local(folder)
    assert len(json.loads(ended.out)["runs"]) == COUNT
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


def test_sweep_whose_server_goes_and_comes_loses_nothing(folder: Path, make_server) -> None:
    server = make_server(f'jetstream {{ store_dir: "{folder}/js" }}')
    env = {"NATS_SERVER": server.url}
    with (
        running(
            "sweep",
            "app.py",
            *POINTS,
            "--folder",
            "remote",
            "--nats",
            "--json",
            cwd=folder,
            env=env,
        ) as sweep,
        running("worker", "--workers", "2", cwd=folder, env=env) as worker,
    ):
        until(lambda: len(rows(folder, "remote")) >= 3, "three runs")
        server.kill()
        sweep.until_line("waiting for it")
        server.start()
        ended = sweep.wait()
        worker.send(signal.SIGINT)
        worker.wait()
    assert ended.code == 0, ended.err
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


async def test_streams_of_another_version_are_brought_up_to_date(make_server, tmp_path) -> None:
    server = make_server(f'jetstream {{ store_dir: "{tmp_path}/js" }}')
    client = await nats.connect(server.url)
    stream = client.jetstream()
    await stream.add_stream(
        name="INGENIUM_SWEEP_JOBS", subjects=["_ingenium.sweep.job.*"], retention="workqueue",
        max_age=60,
    )  # fmt: skip
    async with WorkQueue.connect(server.url, name="test") as queue:
        await queue.put("work", "key", b"do it")
        job = await queue.take()
        assert job is not None
        assert (job.work, job.payload, job.attempts) == ("work", b"do it", 1)
        await job.finish(b"done")
        assert await anext(queue.results("work")) == b"done"
    assert (await stream.stream_info("INGENIUM_SWEEP_JOBS")).config.max_age == 0
    await client.close()
