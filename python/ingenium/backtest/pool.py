"""Processes that run backtests, and go on when one of them is killed."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from ingenium.backtest.sweep_run import SweepRun, Task, ignore_interrupt, run_task

__all__ = ["make_pool", "run_tasks"]

_AHEAD = 4
_ATTEMPTS = 2


def make_pool(workers: int) -> ProcessPoolExecutor:
    """Make a pool of processes that leave Ctrl+C to this one."""
    # Spawned, since a fork takes over threads and connections in whatever state they are.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=ignore_interrupt)


def run_tasks(tasks: Sequence[Task], workers: int) -> Iterator[tuple[Task, SweepRun]]:
    """Run backtests in processes, and yield each as it ends.

    When a process is killed, for its memory as a rule, nobody knows by which task. So each one
    that was under way is run again, alone; what kills its process then again, fails.
    """
    queue = iter(tasks)
    workers = min(workers, len(tasks)) or 1
    is_over = False
    while not is_over:
        suspects: list[Task] = []
        with make_pool(workers) as pool:
            under_way: dict[Future[SweepRun], Task] = {}
            try:
                while not suspects:
                    # A few ahead of the workers, so that a sweep of millions is not in memory.
                    while len(under_way) < _AHEAD * workers:
                        task = next(queue, None)
                        if task is None:
                            is_over = True
                            break
                        under_way[pool.submit(run_task, task)] = task
                    if not under_way:
                        return
                    for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                        task = under_way[future]
                        try:
                            run = future.result()
                        except BrokenProcessPool:
                            suspects = list(under_way.values())
                            break
                        del under_way[future]
                        yield task, run
            except BrokenProcessPool:  # on submit
                suspects = list(under_way.values())
                if task is not None:
                    suspects.append(task)
            finally:
                pool.shutdown(wait=True, cancel_futures=True)
        for suspect in suspects:
            yield suspect, run_alone(suspect)


def run_alone(task: Task) -> SweepRun:
    """Run a backtest in a process of its own, and fail it when that is killed."""
    for _ in range(_ATTEMPTS):
        with make_pool(1) as pool:
            try:
                return pool.submit(run_task, task).result()
            except BrokenProcessPool:
                continue
    return SweepRun.failed(
        task.point, f"its process was killed {_ATTEMPTS} times: is there enough memory?"
    )
