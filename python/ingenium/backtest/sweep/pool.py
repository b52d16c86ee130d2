"""A pool of processes that run backtests, and survives when one of them is killed."""

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
    """Processes reused across sweeps, since starting them takes longer than a short backtest.

    Use the pool with ``with``, which ends the processes.

    Args:
        workers: Number of processes; each is started when there is work for it.
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
        """End the processes at once, even during a backtest."""
        self._end(is_urgent=True)

    def _end(self, *, is_urgent: bool = False) -> None:
        with without_interrupts():
            executor, self._executor = self._executor, None
            if executor is None:
                return
            # Running backtests would be lost in any case, and may take hours.
            killed = list(executor._processes.values()) if is_urgent else []  # noqa: SLF001
            for process in killed:
                process.kill()
            # The thread of a broken pool fails all futures, and fails itself at a cancelled one.
            executor.shutdown(wait=True, cancel_futures=not killed)

    def submit(self, task: Task) -> Future[SweepRun]:
        """Submit a backtest to a process, which is started if necessary.

        Raises:
            BrokenProcessPool: A process was killed.
        """
        with without_interrupts():
            if self._executor is None:
                self._executor = _make_executor(self._workers)
            return self._executor.submit(run_task, task)

    def run(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, SweepRun]]:
        """Run backtests, and yield each as it ends.

        When a process is killed, usually for lack of memory, the cause may be any running task. So
        each of these is run again, alone; a task whose process is killed again fails.
        """
        queue = iter(tasks)
        ahead = _AHEAD * min(self._workers, max(len(tasks), 1))
        is_over = False
        while not is_over:
            suspects: list[Task] = []
            under_way: dict[Future[SweepRun], Task] = {}
            try:
                while not suspects:
                    # Only a few ahead of the workers, so that a sweep of millions is not in memory.
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
            self._end()
            for suspect in suspects:
                yield suspect, run_alone(suspect)


def _make_executor(workers: int) -> ProcessPoolExecutor:
    """Create a pool of processes that leave Ctrl+C to this one."""
    # Spawned, since a fork inherits threads and connections in an arbitrary state.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=follow_parent)


def run_alone(task: Task) -> SweepRun:
    """Run a backtest in its own process; the run fails when the process is killed."""
    for _ in range(_ATTEMPTS):
        with Pool(1) as pool:
            try:
                return pool.submit(task).result()
            except BrokenProcessPool:
                continue
    return SweepRun.failed(
        task.point, f"its process was killed {_ATTEMPTS} times: is there enough memory?"
    )
