"""Many backtests of one app with other parameters, that can be taken up again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from datetime import datetime
from pathlib import Path

from ingenium.backtest.manifest import source_digest
from ingenium.backtest.parameters import Point
from ingenium.backtest.pool import Pool
from ingenium.backtest.sweep_run import FIGURES_VERSION, SweepRun, Task, luck
from ingenium.components import load_factory
from ingenium.errors import BacktestError, ConfigError

__all__ = ["OnRun", "Sweep", "SweepRun", "luck"]

OnRun = Callable[[int, int], None]
"""Takes how many runs are done, and of how many."""


class Sweep:
    """The backtests of one app over some points.

    Each result is written behind the others in a file as soon as it is there, so a sweep that is
    stopped, or killed, is taken up where it was. A result counts only for the app as it was: its
    key holds the digest of the app's file.

    Args:
        target: Names a function of the parameters that returns the app, as a command line does.
        points: What to run.
        folder: Where ``runs.jsonl`` is kept.
        start: What comes before this is a warm-up. Aware.
        end: The last instant. Aware.
        figures_from: Where the figures begin, while trading begins before. Aware.

    Raises:
        ConfigError: There are no points, or the target is no function of these parameters.
    """

    def __init__(
        self,
        target: str,
        points: Sequence[Point],
        folder: Path,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        figures_from: datetime | None = None,
    ) -> None:
        if not points:
            raise ConfigError("a sweep needs at least one point: pass --param fast=5:50:5")
        source = source_digest(load_factory(target, points[0]))
        self.path = folder / "runs.jsonl"
        tasks = [Task(target, source, point, start, end, figures_from) for point in points]
        self._tasks = {task.key: task for task in tasks}
        self._order = [task.key for task in tasks]
        self._done = self._known()
        self._count = len(self._tasks.keys() & self._done.keys())

    def run(
        self,
        *,
        workers: int | None = None,
        on_run: OnRun = lambda _done, _of: None,
        pool: Pool | None = None,
    ) -> list[SweepRun]:
        """Run what is not done yet, and return all runs in the order of the points.

        Args:
            workers: Processes; one for each core when left out.
            on_run: Called when runs are done, with their number and how many there are.
            pool: Processes to run them in, for several sweeps; those of ``workers`` else.
        """
        on_run(self.count, self.total)
        missing = self.missing()
        if not missing:
            return self.runs()
        with ExitStack() as stack:
            if pool is None:
                most = workers or os.cpu_count() or 1
                pool = stack.enter_context(Pool(min(most, len(missing))))
            for task, run in pool.run(missing):
                self.keep(task.key, run)
                on_run(self.count, self.total)
        return self.runs()

    @property
    def total(self) -> int:
        """How many runs there are, each counted once."""
        return len(self._tasks)

    @property
    def count(self) -> int:
        """How many of them are done."""
        return self._count

    @property
    def keys(self) -> list[str]:
        """The keys of the runs, in the order of the points."""
        return self._order

    def missing(self) -> list[Task]:
        """Return what is not done yet."""
        return [task for key, task in self._tasks.items() if key not in self._done]

    def runs(self) -> list[SweepRun]:
        """Return all runs in the order of the points.

        Raises:
            KeyError: One is missing.
        """
        return [self._done[key] for key in self._order]

    def keep(self, key: str, run: SweepRun) -> None:
        """Keep a run; one that is no task of this sweep, or is here already, is passed over."""
        task = self._tasks.get(key)
        if task is None or key in self._done:
            return
        self._done[key] = run
        self._count += 1
        self._append(json.dumps(run.to_json(task)) + "\n")

    def _append(self, text: str) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise BacktestError(
                f"cannot keep the runs in {self.path}: {error.strerror}: name another folder, or "
                "make room and give the same command again, which goes on from what is kept"
            ) from error

    def _known(self) -> dict[str, SweepRun]:
        """Read the runs that are done already, by their keys."""
        found: dict[str, SweepRun] = {}
        try:
            text = self.path.read_text("utf-8", errors="replace")
        except FileNotFoundError:
            return found
        except OSError as error:
            raise BacktestError(
                f"cannot read the runs in {self.path}: {error.strerror}: name another folder"
            ) from error
        for line in text.splitlines():
            # The last line of a sweep that was killed may be torn.
            with suppress(ValueError, LookupError, TypeError):
                row = json.loads(line)
                # What another version has kept may be counted otherwise.
                if row["figures_version"] == FIGURES_VERSION:
                    key, run = SweepRun.from_json(row)
                    found[key] = run
        if text and not text.endswith("\n"):
            self._append("\n")
        return found
