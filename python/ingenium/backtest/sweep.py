"""Many backtests of one app with other parameters, on all cores, that can be taken up again."""

from __future__ import annotations

import inspect
import json
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from ingenium._version import __version__
from ingenium.backtest.overfitting import deflated_sharpe, expected_best_sharpe, moments
from ingenium.backtest.parameters import Point
from ingenium.backtest.run import run
from ingenium.backtest.statistics import simple_returns
from ingenium.components import load_factory
from ingenium.errors import ConfigError, IngeniumError

__all__ = ["Sweep", "SweepRun", "luck"]


@dataclass(frozen=True, slots=True)
class SweepRun:
    """One backtest of a sweep.

    Attributes:
        point: Its parameters.
        figures: Its statistics by name, as JSON values; empty when it failed.
        events_digest: Of its events; empty when it failed.
        error: Why it failed; empty when it did not.
        moments: Sharpe ratio per day, skewness and kurtosis of its returns, and their number.
    """

    point: Point
    figures: dict[str, Any]
    events_digest: str
    error: str
    moments: tuple[float, float, float, int]

    def figure(self, name: str) -> float | None:
        """Return a figure that is a number; ``None`` when it has no meaning or the run failed."""
        value = self.figures.get(name)
        return float(value) if isinstance(value, int | float) else None


class Sweep:
    """The backtests of one app over some points.

    Each result is written behind the others in a file as soon as it is there, so a sweep that is
    stopped, or killed, is taken up where it was. A result counts only for the app as it was: its
    key holds the digest of the app's file.

    Args:
        target: Names a function of the parameters that returns the app, as a command line does.
        points: What to run.
        folder: Where ``runs.jsonl`` is kept.

    Raises:
        ConfigError: There are no points, or the target is no function of these parameters.
    """

    def __init__(self, target: str, points: Sequence[Point], folder: Path) -> None:
        if not points:
            raise ConfigError("a sweep needs at least one point: pass --param fast=5:50:5")
        factory = load_factory(target, points[0])
        self.target = target
        self.points = list(points)
        self.path = folder / "runs.jsonl"
        self._source = _digest_of(factory)

    def known(self) -> dict[str, SweepRun]:
        """Return the runs that are done already, by their keys."""
        found: dict[str, SweepRun] = {}
        if not self.path.exists():
            return found
        for line in self.path.read_text("utf-8").splitlines():
            try:
                row = json.loads(line)
                run = SweepRun(
                    row["point"],
                    row["figures"],
                    row["events_digest"],
                    row["error"],
                    tuple(row["moments"]),
                )
            except (ValueError, LookupError, TypeError):
                continue  # the last line of a sweep that was killed
            found[row["key"]] = run
        return found

    def run(
        self,
        *,
        workers: int | None = None,
        on_run: Callable[[int, int], None] = lambda _done, _of: None,
    ) -> list[SweepRun]:
        """Run what is not done yet, and return all runs in the order of the points.

        Args:
            workers: Processes; one for each core when left out.
            on_run: Called when runs are done, with their number and how many there are.
        """
        done = self.known()
        keys = [self._key(point) for point in self.points]
        missing = [
            (key, point) for key, point in zip(keys, self.points, strict=True) if key not in done
        ]
        count = len(keys) - len(missing)
        on_run(count, len(keys))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._end_torn_line()
        with self.path.open("a", encoding="utf-8") as file:
            for key, each in self._results(missing, workers or os.cpu_count() or 1):
                done[key] = each
                file.write(json.dumps(self._row(key, each)) + "\n")
                file.flush()
                count += 1
                on_run(count, len(keys))
        return [done[key] for key in keys]

    def _results(
        self, missing: Sequence[tuple[str, Point]], workers: int
    ) -> Iterator[tuple[str, SweepRun]]:
        # Spawned, since a fork takes over threads and connections in whatever state they are.
        context = multiprocessing.get_context("spawn")
        queue = iter(missing)
        with ProcessPoolExecutor(
            min(workers, len(missing) or 1), mp_context=context, initializer=_ignore_interrupt
        ) as pool:
            futures: dict[Future[SweepRun], str] = {}
            try:
                while True:
                    # A few ahead of the workers, so that a sweep of millions is not in memory.
                    while len(futures) < 4 * workers:
                        item = next(queue, None)
                        if item is None:
                            break
                        futures[pool.submit(run_point, self.target, dict(item[1]))] = item[0]
                    if not futures:
                        return
                    for future in wait(futures, return_when=FIRST_COMPLETED).done:
                        yield futures.pop(future), future.result()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _key(self, point: Point) -> str:
        text = json.dumps([self.target, self._source, dict(point)], sort_keys=True)
        return sha256(text.encode()).hexdigest()

    def _row(self, key: str, run: SweepRun) -> dict[str, Any]:
        return {
            "key": key,
            "target": self.target,
            "app_digest": self._source,
            "version": __version__,
            "point": dict(run.point),
            "figures": run.figures,
            "events_digest": run.events_digest,
            "error": run.error,
            "moments": list(run.moments),
        }

    def _end_torn_line(self) -> None:
        """End the line that a killed sweep left behind, so that the next one stands alone."""
        if self.path.exists() and (text := self.path.read_bytes()) and not text.endswith(b"\n"):
            with self.path.open("ab") as file:
                file.write(b"\n")


def _ignore_interrupt() -> None:
    """Leave Ctrl+C to the parent, which lets the runs that are under way end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def run_point(target: str, point: dict[str, Any]) -> SweepRun:
    """Run one backtest; called in a process of its own."""
    try:
        factory = load_factory(target, point)
        result = run(lambda: factory(**point))
    except IngeniumError as error:
        return SweepRun(point, {}, "", str(error), (0.0, 0.0, 3.0, 0))
    figures = result.to_json()["stats"]
    daily, _ = result.equity.daily()
    returns = simple_returns(daily)
    return SweepRun(point, figures, result.events_digest, "", (*moments(returns), len(returns)))


def luck(runs: Sequence[SweepRun], best: SweepRun) -> float | None:
    """Return the deflated Sharpe ratio of the best run: how likely it is more than luck."""
    tried = [run.moments[0] for run in runs if not run.error]
    sharpe, skewness, kurtosis, observations = best.moments
    expected = expected_best_sharpe(tried)
    return deflated_sharpe(sharpe, skewness, kurtosis, observations, expected)


def _digest_of(factory: Callable[..., object]) -> str:
    name = inspect.getsourcefile(inspect.unwrap(factory))
    return "" if name is None else sha256(Path(name).read_bytes()).hexdigest()
