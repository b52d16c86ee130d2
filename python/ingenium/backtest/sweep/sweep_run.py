"""One backtest of a sweep: how it is asked for, run in a process of its own, and kept."""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from datetime import date, datetime
from hashlib import sha256
from math import isfinite
from multiprocessing.process import BaseProcess
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
    "follow_parent",
    "load_task",
    "luck",
    "run_task",
    "without_interrupts",
]

FIGURES = tuple(
    each.name for each in fields(Statistics) if each.name not in {"start", "end", "benchmark"}
)
"""Names of the figures that are numbers; durations are in seconds."""
FIGURES_VERSION = 2
"""Goes up when a figure of an equal run changes, so that runs that are kept are not mixed."""
_TIMES = ("start", "end", "figures_from")


@dataclass(frozen=True, slots=True)
class Task:
    """A backtest that is to be run.

    Attributes:
        target: Names a function of the parameters that returns the app, as a command line does.
        app_digest: SHA-256 of the app's source files: a result counts only for the app as it was.
        point: The parameters.
        start: What comes before is a warm-up; ``None`` for the first bar. A date for the beginning
            of that day in the zone of the data, or an aware datetime.
        end: The last instant; ``None`` for the last bar. A date for the end of that day.
        figures_from: Where the figures begin, while trading begins before; ``None`` when they
            begin with it.
    """

    target: str
    app_digest: str
    point: Point
    start: date | None = None
    end: date | None = None
    figures_from: datetime | None = None

    @property
    def key(self) -> str:
        """What tells it from other tasks, and from those of another version."""
        asked: list[object] = [self.target, self.app_digest, dict(self.point)]
        asked += [__version__, FIGURES_VERSION]
        asked += map(_text, (self.start, self.end, self.figures_from))
        return sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()

    def key_with(self, inputs: Sequence[Input]) -> str:
        """Return what a result is stored under: the task, and the data that it was run on."""
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
        """Return the task that `to_json` gave.

        Raises:
            ValueError: It is none.
            LookupError: It is none.
            TypeError: It is none.
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
        events_digest: Of its events; empty when it failed.
        error: Why it failed; empty when it did not.
        moments: Sharpe ratio per day, skewness and kurtosis of its returns, and their number.
        manifest: What went into it, as JSON values; empty when it failed.
        problems: What its result says never happened or may be wrong; see `BacktestResult`.
        inputs: The files that it has read, with their digests; empty when it failed.
        denied_orders: How many orders limits of risk stopped.
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
        """Return the run of a point that failed."""
        return cls(point, {}, "", error, (0.0, 0.0, 3.0, 0))

    def figure(self, name: str) -> float | None:
        """Return a figure that is a number; ``None`` when it has no meaning or the run failed."""
        value = self.figures.get(name)
        if not isinstance(value, int | float) or not isfinite(value):
            return None
        return float(value)

    @property
    def is_bust(self) -> bool:
        """Whether its equity was at zero or below at some time."""
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
        """Whether nothing was traded and nothing was held."""
        return self.figure("fills") == 0 and self.figure("exposure") == 0

    def score(self, name: str) -> float | None:
        """Return a figure to rank by; ``None`` for what ranks last.

        That is a run that failed or has no such figure, and one whose equity was at zero or below,
        whatever its figure says.
        """
        return None if self.is_bust else self.figure(name)

    def to_json(self, task: Task) -> dict[str, Any]:
        """Return the run, and what was asked for, as JSON values."""
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
        """Return the key of the task, and the run, of what `to_json` gave.

        Raises:
            ValueError: It is none.
            LookupError: It is none.
            TypeError: It is none.
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
    """Run a backtest; called in a process of its own.

    Whatever the app raises fails this run and no other.
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
"""Digest of the app that this process has loaded last, by its target."""


def load_task(task: Task) -> Callable[..., App]:
    """Return the function that makes a task's app, as its source files are now.

    Raises:
        ConfigError: There is none, or the files are not those that the task was made from.
    """
    factory = load_factory(task.target, task.point)
    digest = sources_digest(task.target, factory)
    if _loaded.setdefault(task.target, digest) != digest:
        # A process that serves one sweep after another has the modules of an older one.
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
    """Return the deflated Sharpe ratio of the best run: how likely it is more than luck."""
    tried = [run.moments[0] for run in runs if not run.error]
    sharpe, skewness, kurtosis, observations = best.moments
    expected = expected_best_sharpe(tried)
    return deflated_sharpe(sharpe, skewness, kurtosis, observations, expected)


@contextmanager
def without_interrupts() -> Iterator[None]:
    """Start processes that leave Ctrl+C to this one from their first instant.

    A process inherits the signals that are blocked; `follow_parent` comes only after its imports.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def follow_parent() -> None:
    """Leave Ctrl+C to the parent, and end with it, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _text(time: date | None) -> str | None:
    return None if time is None else time.isoformat()


def _time(text: str | None) -> date | None:
    """Return what `_text` wrote; a date has no time of day."""
    if text is None:
        return None
    return datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)
