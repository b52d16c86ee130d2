"""Distributed sweeps: one process puts the backtests on a queue, and workers run them."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from hashlib import sha256
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from ingenium.backtest.sweep.child_signals import follow_parent, without_interrupts
from ingenium.backtest.sweep.sweep import OnRun, Sweep
from ingenium.backtest.sweep.sweep_run import SweepRun, Task, load_task, run_task
from ingenium.errors import BusError, ConfigError

if TYPE_CHECKING:
    from ingenium.bus.nats.work_queue import Job, WorkQueue

__all__ = ["run_remotely", "work"]

_NAME_LENGTH = 32
_ATTEMPTS = 4
_OTHER_APP_SECONDS = 5.0
_RETRY_SECONDS = 1.0

OnText = Callable[[str], None]


async def run_remotely(
    sweep: Sweep,
    queue: WorkQueue,
    *,
    on_run: OnRun = lambda _done, _of: None,
    on_worker: OnText = lambda _name: None,
    on_idle: Callable[[], None] = lambda: None,
) -> list[SweepRun]:
    """Run the missing runs on workers, and return all runs in the order of the points.

    Each run counts once, by its key, however often it was run. After a restart the sweep collects
    the results made meanwhile, and puts the rest on the queue again.

    Args:
        sweep: The sweep to run.
        queue: The queue of the workers.
        on_run: Called when runs are done, with their number and the total.
        on_worker: Called with the name of a worker when its first result arrives.
        on_idle: Called about once a second while no result arrives; an error that it raises ends
            the sweep.

    Raises:
        BusError: The server does not answer.
    """
    on_run(sweep.count, sweep.total)
    if sweep.count == sweep.total:
        return sweep.runs()
    name = sha256("".join(sweep.keys).encode()).hexdigest()[:_NAME_LENGTH]
    workers: set[str] = set()
    is_queued = False
    async for payload in queue.results(name):
        if payload is not None:
            worker = _take(sweep, payload, is_old=not is_queued)
            if worker not in workers:
                workers.add(worker)
                on_worker(worker)
            on_run(sweep.count, sweep.total)
        elif not is_queued:
            # Earlier results have been read, so these are the remaining tasks.
            await queue.take_back(name)
            for task in sweep.missing():
                await queue.put(name, task.key, json.dumps(task.to_json()).encode())
            is_queued = True
        else:
            on_idle()
        if sweep.count == sweep.total:
            break
    await queue.take_back(name)
    await queue.forget_results(name)
    return sweep.runs()


def _take(sweep: Sweep, payload: bytes, *, is_old: bool) -> str:
    """Store a result, and return the name of its worker.

    Args:
        sweep: The sweep of the result.
        payload: The result.
        is_old: Whether it may be from an earlier sweep: a run that failed then, or used other
            data, is repeated.
    """
    with suppress(ValueError, LookupError, TypeError):
        row = json.loads(payload)
        key, run = SweepRun.from_json(row)
        worker = str(row["worker"])
        is_current = sweep.is_current(run)
        if is_old and (run.error or not is_current):
            return worker
        if not is_current:
            run = SweepRun.failed(
                run.point,
                f"worker {worker} has read different data files: give the worker the same files",
            )
        sweep.keep(key, run)
        return worker
    return ""


async def work(
    queue: WorkQueue,
    processes: int,
    *,
    on_run: OnText = lambda _text: None,
    on_problem: OnText = lambda _text: None,
) -> None:
    """Run backtests from a queue until canceled; running ones are then returned to the queue.

    Args:
        queue: The queue of backtests.
        processes: Number of backtests to run at the same time.
        on_run: Called with a line for each backtest that ends.
        on_problem: Called with a line for each backtest that cannot be run here.
    """
    slots = [_Slot(queue, number, on_run, on_problem) for number in range(processes)]
    tasks = [asyncio.create_task(slot.run()) for slot in slots]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Slot:
    """One process, and the backtest that it runs."""

    def __init__(self, queue: WorkQueue, number: int, on_run: OnText, on_problem: OnText) -> None:
        self._queue = queue
        self._name = f"{socket.gethostname()}:{os.getpid()}:{number}"
        self._on_run, self._on_problem = on_run, on_problem

    async def run(self) -> None:
        """Run jobs until canceled."""
        child = _SweepProcess()
        try:
            while True:
                try:
                    job = await self._queue.take()
                    if job is not None:
                        await self._do(job, child)
                except BusError as error:
                    self._on_problem(f"{error}; trying again")
                    await asyncio.sleep(_RETRY_SECONDS)
                if not child.is_alive:
                    child = _SweepProcess()
        finally:
            child.end()

    async def _do(self, job: Job, child: _SweepProcess) -> None:
        try:
            task = Task.from_json(json.loads(job.payload))
        except (ValueError, LookupError, TypeError) as error:
            self._on_problem(f"a job cannot be read: {error}; was it sent by another version?")
            await job.drop()
            return
        what = f"{task.target} {dict(task.point)}"
        if job.attempts > _ATTEMPTS:
            reason = f"its process was killed {_ATTEMPTS} times: is there enough memory?"
            await self._finish(job, task, SweepRun.failed(task.point, reason))
            return
        answer = asyncio.ensure_future(child.run(task))
        try:
            while not answer.done():
                await asyncio.wait({answer}, timeout=_beat_seconds())
                if not answer.done():
                    await job.still_at_it()
        except asyncio.CancelledError:
            answer.cancel()
            await job.give_back()
            raise
        try:
            run = answer.result()
        except (EOFError, OSError):
            self._on_problem(f"{what}: its process was killed")
            child.end()
            await job.give_back()
        except ConfigError as error:
            self._on_problem(str(error))
            await job.give_back(_OTHER_APP_SECONDS)
        else:
            await self._finish(job, task, run)
            self._on_run(f"{what}: {run.error or 'done'}")

    async def _finish(self, job: Job, task: Task, run: SweepRun) -> None:
        row = run.to_json(task) | {"worker": self._name}
        await job.finish(json.dumps(row).encode())


def _beat_seconds() -> float:
    from ingenium.bus.nats.work_queue import TAKEN_SECONDS

    return TAKEN_SECONDS / 4


class _SweepProcess:
    """A process that runs backtests one by one, and can be ended during one."""

    def __init__(self) -> None:
        # Spawned, since a fork inherits threads and connections in an arbitrary state.
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other,), daemon=True)
        with without_interrupts():
            self._process.start()
        other.close()

    @property
    def is_alive(self) -> bool:
        """Whether the process can run another backtest."""
        return self._process.is_alive()

    async def run(self, task: Task) -> SweepRun:
        """Run a backtest.

        Raises:
            ConfigError: The task belongs to another version of the app.
            EOFError: The process was killed.
            OSError: The process was killed.
        """
        self._pipe.send(task)
        run = await asyncio.to_thread(self._pipe.recv)
        if not isinstance(run, SweepRun):
            raise ConfigError(run)
        return run

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()


def _serve(pipe: Connection) -> None:
    follow_parent()
    with suppress(EOFError, OSError):  # the parent has ended
        while True:
            task = pipe.recv()
            pipe.send(_problem(task) or run_task(task))


def _problem(task: Task) -> str:
    """Return why this worker cannot run a backtest; empty when it can."""
    try:
        load_task(task)
    except ConfigError as error:
        return f"left to other workers: {error}"
    return ""
