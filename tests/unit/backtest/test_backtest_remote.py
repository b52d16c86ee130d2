"""A sweep that is spread over workers: what is put on the queue, and what comes of each job."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from ingenium.backtest.sweep import remote
from ingenium.backtest.sweep.sweep import Sweep
from ingenium.backtest.sweep.sweep_run import SweepRun, Task
from ingenium.errors import BusTimeoutError, ConfigError

APP = """
def app(fast=1):
    raise RuntimeError("no backtest is run here")
"""


@pytest.fixture
def target(tmp_path: Path) -> str:
    path = tmp_path / "swept_app.py"
    path.write_text(APP)
    return str(path)


def sweep_of(target: str, folder: Path, count: int = 3) -> Sweep:
    return Sweep(target, [{"fast": number} for number in range(count)], folder)


def done(task: Task, worker: str, digest: str = "none", error: str = "") -> bytes:
    run = replace(SweepRun.failed(task.point, error), events_digest=digest)
    return json.dumps(run.to_json(task) | {"worker": worker}).encode()


class FakeJob:
    """A job, and what was done with it."""

    def __init__(self, payload: bytes, attempts: int = 1) -> None:
        self.payload = payload
        self.attempts = attempts
        self.log: list[Any] = []
        self.results: list[dict[str, Any]] = []

    async def still_at_it(self) -> None:
        self.log.append("still at it")

    async def give_back(self, seconds: float = 0.0) -> None:
        self.log.append(("given back", seconds))

    async def drop(self) -> None:
        self.log.append("dropped")

    async def finish(self, result: bytes) -> None:
        self.results.append(json.loads(result))
        self.log.append("finished")


class FakeQueue:
    """A queue in memory.

    Attributes:
        story: What `results` gives: payloads, ``None`` when nothing comes for a second.
        jobs: What `take` gives: jobs, ``None`` or errors; afterwards it waits.
    """

    def __init__(self) -> None:
        self.story: list[Callable[[], bytes | None]] = []
        self.jobs: list[Any] = []
        self.log: list[str] = []
        self.put_keys: list[str] = []
        self.is_empty = asyncio.Event()

    async def results(self, name: str) -> AsyncIterator[bytes | None]:
        while self.story:
            yield self.story.pop(0)()

    async def take_back(self, name: str) -> None:
        self.log.append("taken back")

    async def put(self, name: str, key: str, payload: bytes) -> None:
        assert Task.from_json(json.loads(payload)).key == key
        self.put_keys.append(key)

    async def forget_results(self, name: str) -> None:
        self.log.append("forgotten")

    async def take(self) -> Any:
        if not self.jobs:
            self.is_empty.set()
            await asyncio.Event().wait()
        job = self.jobs.pop(0)
        if isinstance(job, Exception):
            raise job
        return job


async def test_what_is_missing_is_put_on_the_queue_and_each_run_counts_once(
    target: str, tmp_path: Path
) -> None:
    sweep = sweep_of(target, tmp_path)
    first, second, third = sweep.missing()
    queue: Any = FakeQueue()
    queue.story = [
        lambda: done(first, "a:1:0", "done before"),
        lambda: None,
        lambda: done(third, "b:1:0"),
        lambda: b"{}",
        lambda: b"no JSON",
        lambda: done(first, "b:1:0", "again"),
        lambda: None,
        lambda: done(second, "a:1:0"),
        lambda: pytest.fail("all are there"),
    ]
    counts: list[tuple[int, int]] = []
    workers: list[str] = []
    idle: list[int] = []
    runs = await remote.run_remotely(
        sweep,
        queue,
        on_run=lambda number, total: counts.append((number, total)),
        on_worker=workers.append,
        on_idle=lambda: idle.append(1),
    )
    assert queue.put_keys == [second.key, third.key], "not what was done before"
    assert queue.log == ["taken back", "taken back", "forgotten"]
    assert [run.point for run in runs] == [{"fast": 0}, {"fast": 1}, {"fast": 2}]
    assert [run.events_digest for run in runs] == ["done before", "none", "none"]
    assert counts[0] == (0, 3)
    assert counts[-1] == (3, 3)
    assert [name for name in workers if name] == ["a:1:0", "b:1:0"]
    assert idle == [1]


async def test_run_that_failed_in_an_older_sweep_is_put_on_the_queue_again(
    target: str, tmp_path: Path
) -> None:
    sweep = sweep_of(target, tmp_path, 1)
    (task,) = sweep.missing()
    queue: Any = FakeQueue()
    queue.story = [
        lambda: done(task, "a:1:0", error="no such file"),
        lambda: None,
        lambda: done(task, "b:1:0", "mended"),
    ]
    (run,) = await remote.run_remotely(sweep, queue)
    assert queue.put_keys == [task.key]
    assert (run.events_digest, run.error) == ("mended", "")


async def test_sweep_that_is_done_asks_no_server(target: str, tmp_path: Path) -> None:
    sweep = sweep_of(target, tmp_path)
    for task in sweep.missing():
        sweep.keep(task.key, SweepRun.failed(task.point, ""))
    nothing: Any = None
    assert len(await remote.run_remotely(sweep_of(target, tmp_path), nothing)) == 3


# Workers.


class FakeChild:
    """A process that answers as a test says."""

    answers: ClassVar[list[Any]] = []
    made: ClassVar[list[FakeChild]] = []

    def __init__(self) -> None:
        self.is_alive = True
        self.made.append(self)

    async def run(self, task: Task) -> SweepRun:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            self.is_alive = not isinstance(answer, EOFError | OSError)
            raise answer
        if isinstance(answer, asyncio.Event):
            await answer.wait()
        return SweepRun.failed(task.point, "")

    def end(self) -> None:
        self.is_alive = False


class Worker:
    """A worker with one process, on a queue in memory."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: Any) -> None:
        FakeChild.answers, FakeChild.made = list(answers), []
        monkeypatch.setattr(remote, "_SweepProcess", FakeChild)
        monkeypatch.setattr(remote, "_RETRY_SECONDS", 0)
        self.queue = FakeQueue()
        self.lines: list[str] = []
        self.problems: list[str] = []

    async def run(self, *jobs: Any, until: asyncio.Event | None = None) -> None:
        self.queue.jobs = list(jobs)
        queue: Any = self.queue
        task = asyncio.create_task(
            remote.work(queue, 1, on_run=self.lines.append, on_problem=self.problems.append)
        )
        async with asyncio.timeout(5):
            await (until or self.queue.is_empty).wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert all(not child.is_alive for child in FakeChild.made)


@pytest.fixture
def job(target: str, tmp_path: Path) -> FakeJob:
    [task] = sweep_of(target, tmp_path, 1).missing()
    return FakeJob(json.dumps(task.to_json()).encode())


async def test_job_is_run_and_its_result_sent_with_the_name_of_the_worker(
    monkeypatch: pytest.MonkeyPatch, job: FakeJob, target: str
) -> None:
    worker = Worker(monkeypatch, "done")
    await worker.run(None, job)
    assert job.log == ["finished"]
    [row] = job.results
    key, run = SweepRun.from_json(row)
    assert key == Task.from_json(json.loads(job.payload)).key
    assert (run.point, run.error) == ({"fast": 0}, "")
    assert row["worker"].endswith(":0")
    assert worker.lines == [f"{target} {{'fast': 0}}: done"]
    assert len(FakeChild.made) == 1


@pytest.mark.parametrize("payload", [b"no JSON", b"{}", b"[]", b'{"target": 1}'])
async def test_job_that_cannot_be_read_is_dropped(
    monkeypatch: pytest.MonkeyPatch, payload: bytes
) -> None:
    worker, job = Worker(monkeypatch), FakeJob(payload)
    await worker.run(job)
    assert job.log == ["dropped"]
    assert "was it sent by another version?" in worker.problems[0]


@pytest.mark.parametrize(("attempts", "log"), [(4, ["finished"]), (5, ["finished"])])
async def test_job_whose_process_was_killed_too_often_has_failed(
    monkeypatch: pytest.MonkeyPatch, job: FakeJob, attempts: int, log: list[str]
) -> None:
    worker = Worker(monkeypatch, "done")
    job.attempts = attempts
    await worker.run(job)
    assert job.log == log
    [row] = job.results
    killed = "its process was killed 4 times: is there enough memory?"
    assert row["error"] == ("" if attempts == 4 else killed)


@pytest.mark.parametrize("error", [EOFError(), BrokenPipeError()])
async def test_job_whose_process_dies_is_given_back_and_the_next_has_a_new_one(
    monkeypatch: pytest.MonkeyPatch, job: FakeJob, error: Exception
) -> None:
    worker = Worker(monkeypatch, error, "done")
    again = FakeJob(job.payload, attempts=2)
    await worker.run(job, again)
    assert job.log == [("given back", 0.0)]
    assert again.log == ["finished"]
    assert "its process was killed" in worker.problems[0]
    assert len(FakeChild.made) == 2


async def test_job_of_another_app_is_left_to_others_for_a_while(
    monkeypatch: pytest.MonkeyPatch, job: FakeJob
) -> None:
    worker = Worker(monkeypatch, ConfigError("left to other workers: not the same file"))
    await worker.run(job)
    assert job.log == [("given back", 5.0)]
    assert worker.problems == ["left to other workers: not the same file"]
    assert len(FakeChild.made) == 1


async def test_server_that_is_away_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, job: FakeJob
) -> None:
    worker = Worker(monkeypatch, "done")
    await worker.run(BusTimeoutError("no answer"), job)
    assert worker.problems == ["no answer; trying again"]
    assert job.log == ["finished"]


async def test_job_under_way_is_kept_and_given_back_when_the_worker_ends(
    monkeypatch: pytest.MonkeyPatch, job: FakeJob
) -> None:
    worker = Worker(monkeypatch, asyncio.Event())
    monkeypatch.setattr(remote, "_beat_seconds", lambda: 0)
    kept = asyncio.Event()
    say = job.still_at_it

    async def still_at_it() -> None:
        await say()
        kept.set()

    job.still_at_it = still_at_it  # type: ignore[method-assign]
    await worker.run(job, until=kept)
    assert job.log[0] == "still at it"
    assert job.log[-1] == ("given back", 0.0)
    assert not job.results


def test_process_says_why_a_backtest_is_not_for_it(target: str, tmp_path: Path) -> None:
    [task] = sweep_of(target, tmp_path, 1).missing()
    assert remote._problem(task) == ""
    Path(target).write_text(APP + "\n# changed\n")
    assert "is not what the sweep was started with" in remote._problem(task)
    Path(target).unlink()
    assert remote._problem(task).startswith("left to other workers: ")
