"""Processes that run backtests, and go on when one of them is killed."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Self

from ingenium.backtest.sweep.child_signals import follow_parent, without_interrupts
from ingenium.backtest.sweep.sweep_run import SweepRun, Task, run_task

__all__ = ["Pool"]

_AHEAD = 4
_ATTEMPTS = 2


class Pool:
    """Processes for one sweep after another: to start them takes longer than a short backtest.

    Use it with ``with``, which ends them.

    Args:
        workers: How many; they are started when there is something to do for them.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._executor: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end(is_urgent=error is not None)

    def end_now(self) -> None:
        """End the processes, whatever they are at."""
        self._end(is_urgent=True)

    def _end(self, *, is_urgent: bool = False) -> None:
        with without_interrupts():
            executor, self._executor = self._executor, None
            if executor is None:
                return
            if is_urgent:
                # What is under way would be lost in any case, and may take hours.
                for process in list(executor._processes.values()):  # noqa: SLF001
                    process.kill()
            executor.shutdown(wait=True, cancel_futures=True)

    def submit(self, task: Task) -> Future[SweepRun]:
        """Give a backtest to a process, and start that if it is not there yet.

        Raises:
            BrokenProcessPool: A process was killed.
        """
        with without_interrupts():
            if self._executor is None:
                self._executor = _make_executor(self._workers)
            return self._executor.submit(run_task, task)

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, SweepRun]]:
        """Run backtests, and yield each as it ends.

        When a process is killed, for its memory as a rule, nobody knows by which task. So each one
        that was under way is run again, alone; what kills its process then again, fails.
        """
        queue = iter(tasks)
        ahead = _AHEAD * min(self._workers, max(len(tasks), 1))
        is_over = False
        while not is_over:
            suspects: list[Task] = []
            under_way: dict[Future[SweepRun], Task] = {}
            try:
                while not suspects:
                    # A few ahead of the workers, so that a sweep of millions is not in memory.
                    while len(under_way) < ahead:
                        task = next(queue, None)
                        if task is None:
                            is_over = True
                            break
                        under_way[self.submit(task)] = task
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
                for future in under_way:
                    future.cancel()
            self._end()
            for suspect in suspects:
                yield suspect, run_alone(suspect)


def _make_executor(workers: int) -> ProcessPoolExecutor:
    """Make a pool of processes that leave Ctrl+C to this one."""
    # Spawned, since a fork takes over threads and connections in whatever state they are.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=follow_parent)


def run_alone(task: Task) -> SweepRun:
    """Run a backtest in a process of its own, and fail it when that is killed."""
    for _ in range(_ATTEMPTS):
        with Pool(1) as pool:
            try:
                return pool.submit(task).result()
            except BrokenProcessPool:
                continue
    return SweepRun.failed(
        task.point, f"its process was killed {_ATTEMPTS} times: is there enough memory?"
    )
