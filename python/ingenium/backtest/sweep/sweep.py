"""Many backtests of one app with different parameters, which can be resumed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from datetime import date, datetime
from pathlib import Path

from ingenium.backtest.app_sources import app_folder, sources_digest
from ingenium.backtest.inputs import Input, present
from ingenium.backtest.sweep.child_signals import without_interrupts
from ingenium.backtest.sweep.parameters import Point
from ingenium.backtest.sweep.pool import Pool
from ingenium.backtest.sweep.sweep_run import FIGURES_VERSION, SweepRun, Task, luck
from ingenium.components import load_factory
from ingenium.errors import BacktestError, ConfigError

__all__ = ["OnRun", "Sweep", "SweepRun", "luck"]

_PROBE_BYTES = 64 * 1024

OnRun = Callable[[int, int], None]
"""Called with the number of runs done, and the total."""


class Sweep:
    """The backtests of one app over some points.

    Each result is appended to a file as soon as it arrives, so a sweep that was stopped or killed
    resumes where it ended. A result counts only for its inputs: its key contains the digests of the
    app's source files and of the data read, the parameters, the times and the version of Ingenium.
    Failed runs are repeated.

    Args:
        target: Name of a function of the parameters that returns the app, as on a command line.
        points: Points to run.
        folder: Folder of ``runs.jsonl``.
        start: End of the warm-up; an aware datetime, or a date for the beginning of that day in the
            time zone of the data.
        end: The last instant, likewise; a date for the end of that day.
        figures_from: Start of the figures, while trading begins earlier. Aware.
        elsewhere: Whether the runs are made on other machines, so that missing data is treated as
            unchanged.

    Raises:
        BacktestError: The stored runs cannot be read.
        ConfigError: There are no points, or the target is not a function of these parameters.
    """

    def __init__(
        self,
        target: str,
        points: Sequence[Point],
        folder: Path,
        *,
        start: date | None = None,
        end: date | None = None,
        figures_from: datetime | None = None,
        elsewhere: bool = False,
    ) -> None:
        if not points:
            raise ConfigError("a sweep needs at least one point: pass --param fast=5:50:5")
        source = sources_digest(target, load_factory(target, points[0]))
        self._folder, self._elsewhere = app_folder(target), elsewhere
        self.path = folder / "runs.jsonl"
        tasks = [Task(target, source, point, start, end, figures_from) for point in points]
        self._tasks = {task.key: task for task in tasks}
        self._order = [task.key for task in tasks]
        self._failed: dict[str, str] = {}
        self._done = self._known()
        self._count = len(self._tasks.keys() & self._done.keys())

    def run(
        self,
        *,
        workers: int | None = None,
        on_run: OnRun = lambda _done, _of: None,
        pool: Pool | None = None,
    ) -> list[SweepRun]:
        """Run the missing runs, and return all runs in the order of the points.

        Args:
            workers: Number of processes; one for each core when left out.
            on_run: Called when runs are done, with their number and the total.
            pool: Pool to run in, shared by several sweeps; a new one of ``workers`` when left out.
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
        """Number of runs, each counted once."""
        return len(self._tasks)

    @property
    def count(self) -> int:
        """Number of runs that are done."""
        return self._count

    @property
    def keys(self) -> list[str]:
        """Keys of the runs, in the order of the points."""
        return self._order

    def missing(self) -> list[Task]:
        """Return the tasks that are not done yet."""
        return [task for key, task in self._tasks.items() if key not in self._done]

    def runs(self) -> list[SweepRun]:
        """Return all runs in the order of the points.

        Raises:
            KeyError: A run is missing.
        """
        return [self._done[key] for key in self._order]

    def done(self) -> list[SweepRun]:
        """Return the runs that are done, in the order of the points."""
        return [self._done[key] for key in self._order if key in self._done]

    def is_current(self, run: SweepRun) -> bool:
        """Return whether the data that a run has read is unchanged."""
        return run.inputs == self._now(run)

    def check_folder(self) -> None:
        """Check that runs can be stored, before the first one is run.

        Raises:
            BacktestError: The folder cannot be written to, or its disk is full.
        """
        probe = self.path.with_name(".probe")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8"):
                pass
            try:
                probe.write_bytes(bytes(_PROBE_BYTES))
            finally:
                probe.unlink(missing_ok=True)
        except OSError as error:
            raise self._unkept(error) from error

    def keep(self, key: str, run: SweepRun) -> None:
        """Store a run; one of another sweep, or already stored, is ignored."""
        task = self._tasks.get(key)
        if task is None or key in self._done:
            return
        # So that a run counts as done only if it is in the file, and complete.
        with without_interrupts():
            self._done[key] = run
            self._count += 1
            if run.error and self._failed.get(key) == run.error:
                return  # already in the file, from an earlier sweep
            self._append(json.dumps(run.to_json(task)) + "\n")

    def _append(self, text: str) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise self._unkept(error) from error

    def _unkept(self, error: OSError) -> BacktestError:
        return BacktestError(
            f"cannot save the runs in {self.path}: {error.strerror}: pass another --folder, or "
            "free disk space and repeat the command, which resumes from the saved runs"
        )

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
                # Runs stored by another version may be computed differently.
                if row["figures_version"] != FIGURES_VERSION:
                    continue
                key, run = SweepRun.from_json(row)
                task = self._tasks.get(key)
                if task is None:
                    continue
                if run.error:
                    self._failed[key] = run.error
                elif row["key"] == task.key_with(self._now(run)):
                    found[key] = run
        if text and not text.endswith("\n"):
            self._append("\n")
        return found

    def _now(self, run: SweepRun) -> Sequence[Input]:
        return present(run.inputs, self._folder, missing_is_same=self._elsewhere)
