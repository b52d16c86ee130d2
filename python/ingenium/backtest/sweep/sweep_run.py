"""One backtest of a sweep: its task, its execution in a separate process, and its result."""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import date, datetime
from hashlib import sha256
from math import isfinite
from typing import Any

from ingenium._version import __version__
from ingenium.backtest.app_sources import app_folder, source_files, sources_digest
from ingenium.backtest.inputs import Input, InputWatch
from ingenium.backtest.run import run
from ingenium.backtest.statistics import is_solvent, simple_returns
from ingenium.backtest.stats import Statistics
from ingenium.backtest.sweep.overfitting import deflated_sharpe, expected_best_sharpe, moments
from ingenium.backtest.sweep.parameters import Point
from ingenium.components import App, check_handlers, load_factory
from ingenium.components.blame import text_of, where
from ingenium.errors import ConfigError, IngeniumError

__all__ = [
    "FIGURES",
    "FIGURES_VERSION",
    "SweepRun",
    "Task",
    "load_task",
    "luck",
    "run_task",
]

FIGURES = tuple(
    each.name for each in fields(Statistics) if each.name not in {"start", "end", "benchmark"}
)
"""Names of the figures that are numbers; durations are in seconds."""
FIGURES_VERSION = 2
"""Incremented when a figure of an equal run changes, so that stored runs are not mixed."""
_TIMES = ("start", "end", "figures_from")


@dataclass(frozen=True, slots=True)
class Task:
    """A backtest to run.

    Attributes:
        target: Name of a function of the parameters that returns the app, as on a command line.
        app_digest: SHA-256 of the app's source files: a result counts only for these.
        point: The parameters.
        start: End of the warm-up; ``None`` for the first bar. A date for the beginning of that day
            in the time zone of the data, or an aware datetime.
        end: The last instant; ``None`` for the last bar. A date for the end of that day.
        figures_from: Start of the figures, if trading begins earlier; ``None`` when they begin
            together.
    """

    target: str
    app_digest: str
    point: Point
    start: date | None = None
    end: date | None = None
    figures_from: datetime | None = None

    @property
    def key(self) -> str:
        """Key that distinguishes the task from others, and from those of other versions."""
        asked: list[object] = [self.target, self.app_digest, dict(self.point)]
        asked += [__version__, FIGURES_VERSION]
        asked += map(_text, (self.start, self.end, self.figures_from))
        return sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()

    def key_with(self, inputs: Sequence[Input]) -> str:
        """Return the key of a stored result, made of the task and its input data."""
        return sha256(json.dumps([self.key, list(inputs)]).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """Return the task as JSON values."""
        return asdict(self) | {
            "point": dict(self.point),
            "start": _text(self.start),
            "end": _text(self.end),
            "figures_from": _text(self.figures_from),
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Task:
        """Return the task that `to_json` wrote.

        Raises:
            ValueError: The values are not a task.
            LookupError: The values are not a task.
            TypeError: The values are not a task.
        """
        target = str(values["target"])
        start, end, figures_from = (values.get(name) for name in _TIMES)
        return cls(
            target,
            str(values["app_digest"]),
            dict(values["point"]),
            _time(start),
            _time(end),
            None if figures_from is None else datetime.fromisoformat(figures_from),
        )


@dataclass(frozen=True, slots=True)
class SweepRun:
    """One backtest of a sweep.

    Attributes:
        point: Its parameters.
        figures: Its statistics by name, as JSON values; empty when it failed.
        events_digest: Digest of its events; empty when it failed.
        error: Why it failed; empty when it did not.
        moments: Sharpe ratio per day, skewness and kurtosis of its returns, and their number.
        manifest: Its inputs, as JSON values; empty when it failed.
        problems: Problems that may affect its result; see `BacktestResult`.
        inputs: Files that it has read, with their digests; empty when it failed.
        denied_orders: Number of orders that risk limits stopped.
    """

    point: Point
    figures: dict[str, Any]
    events_digest: str
    error: str
    moments: tuple[float, float, float, int]
    manifest: dict[str, Any] = field(default_factory=dict, compare=False)
    problems: tuple[str, ...] = ()
    inputs: tuple[Input, ...] = field(default=(), compare=False)
    denied_orders: int = 0

    @classmethod
    def failed(cls, point: Point, error: str) -> SweepRun:
        """Return a failed run of a point."""
        return cls(point, {}, "", error, (0.0, 0.0, 3.0, 0))

    def figure(self, name: str) -> float | None:
        """Return a numeric figure; ``None`` when it is undefined or the run failed."""
        value = self.figures.get(name)
        if not isinstance(value, int | float) or not isfinite(value):
            return None
        return float(value)

    @property
    def is_bust(self) -> bool:
        """Whether equity was ever at zero or below."""
        start, final, deepest = (
            self.figure(name) for name in ("starting_equity", "final_equity", "max_drawdown")
        )
        return (
            (start is not None and start <= 0)
            or (final is not None and final <= 0)
            or (deepest is not None and deepest <= -1)
        )

    @property
    def is_idle(self) -> bool:
        """Whether there were no trades and no positions."""
        return self.figure("fills") == 0 and self.figure("exposure") == 0

    def score(self, name: str) -> float | None:
        """Return a figure to rank by; ``None`` ranks last.

        ``None`` is returned for a run that failed or has no such figure, and for one whose equity
        was ever at zero or below, whatever its figure.
        """
        return None if self.is_bust else self.figure(name)

    def to_json(self, task: Task) -> dict[str, Any]:
        """Return the run and its task as JSON values."""
        denied = {"denied_orders": self.denied_orders} if self.denied_orders else {}
        return denied | {
            "key": task.key_with(self.inputs),
            "task": task.key,
            **task.to_json(),
            "version": __version__,
            "figures_version": FIGURES_VERSION,
            "figures": self.figures,
            "events_digest": self.events_digest,
            "error": self.error,
            "moments": list(self.moments),
            "manifest": self.manifest,
            "problems": list(self.problems),
            "inputs": list(map(list, self.inputs)),
        }

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> tuple[str, SweepRun]:
        """Return the key of the task, and the run, that `to_json` wrote.

        Raises:
            ValueError: The row is not a run.
            LookupError: The row is not a run.
            TypeError: The row is not a run.
        """
        run = cls(
            row["point"],
            row["figures"],
            row["events_digest"],
            row["error"],
            tuple(row["moments"]),
            row.get("manifest", {}),
            tuple(map(str, row.get("problems", ()))),
            tuple((str(name), str(digest)) for name, digest in row["inputs"]),
            int(row.get("denied_orders", 0)),
        )
        return row["task"], run


def run_task(task: Task) -> SweepRun:
    """Run a backtest; called in a separate process.

    Any error that the app raises fails only this run.
    """
    point = dict(task.point)
    watch = InputWatch(task.target, app_folder(task.target))
    made: list[App] = []
    try:
        with watch.watching():
            with watch.loading():
                factory = load_task(task)

            def make() -> App:
                made.append(factory(**point))
                check_handlers(made[-1])
                return made[-1]

            result = run(make, start=task.start, end=task.end, figures_from=task.figures_from)
            for app in made:
                watch.list_files(app)
    except IngeniumError as error:
        return SweepRun.failed(point, str(error))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - of the user's code, it may be any
        return SweepRun.failed(point, f"{text_of(error)}{where(error)}")
    if result.hopeless and task.figures_from is None:
        return SweepRun.failed(point, result.hopeless)
    values = result.to_json(trades=False)
    daily, _ = result.equity.daily()
    returns = simple_returns(daily) if is_solvent(daily) else []
    manifest = values["manifest"] | {"app": task.target, "app_digest": task.app_digest}
    return SweepRun(
        point,
        values["stats"],
        result.events_digest,
        "",
        (*moments(returns), len(returns)),
        manifest,
        tuple(values["problems"]),
        watch.inputs(),
        result.denied_orders,
    )


_loaded: dict[str, str] = {}
"""Digest of the app that this process loaded last, by its target."""


def load_task(task: Task) -> Callable[..., App]:
    """Return the function that makes a task's app, from the current source files.

    Raises:
        ConfigError: There is no such function, or the source files differ from those of the task.
    """
    factory = load_factory(task.target, task.point)
    digest = sources_digest(task.target, factory)
    if _loaded.setdefault(task.target, digest) != digest:
        # A process reused across sweeps may have loaded the modules of an earlier one.
        _forget_modules({str(path) for path in source_files(task.target, factory)})
        factory = load_factory(task.target, task.point)
        _loaded[task.target] = digest
    if digest != task.app_digest:
        raise ConfigError(
            f"{task.target} is not what the sweep was started with: use the same files everywhere, "
            "and leave them as they are while a sweep runs"
        )
    return factory


def _forget_modules(files: set[str]) -> None:
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and os.path.realpath(file) in files:
            del sys.modules[name]
    importlib.invalidate_caches()


def luck(runs: Sequence[SweepRun], best: SweepRun) -> float | None:
    """Return the deflated Sharpe ratio of the best run: the probability that it is not luck."""
    tried = [run.moments[0] for run in runs if not run.error]
    sharpe, skewness, kurtosis, observations = best.moments
    expected = expected_best_sharpe(tried)
    return deflated_sharpe(sharpe, skewness, kurtosis, observations, expected)


def _text(time: date | None) -> str | None:
    return None if time is None else time.isoformat()


def _time(text: str | None) -> date | None:
    """Parse the text that `_text` wrote; a date has no time of day."""
    if text is None:
        return None
    return datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)
