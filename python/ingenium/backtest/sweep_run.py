"""One backtest of a sweep: how it is asked for, run in a process of its own, and kept."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from hashlib import sha256
from math import isfinite
from multiprocessing.process import BaseProcess
from typing import Any

from ingenium._version import __version__
from ingenium.backtest.manifest import source_digest
from ingenium.backtest.overfitting import deflated_sharpe, expected_best_sharpe, moments
from ingenium.backtest.parameters import Point
from ingenium.backtest.run import run
from ingenium.backtest.statistics import is_solvent, simple_returns
from ingenium.backtest.summary import Statistics
from ingenium.components import App, load_factory
from ingenium.components.blame import text_of, where
from ingenium.errors import ConfigError, IngeniumError

__all__ = ["FIGURES", "FIGURES_VERSION", "SweepRun", "Task", "follow_parent", "luck", "run_task"]

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
        app_digest: SHA-256 of the file that holds it: a result counts only for the app as it was.
        point: The parameters.
        start: What comes before is a warm-up; ``None`` for the first bar.
        end: The last instant; ``None`` for the last bar.
        figures_from: Where the figures begin, while trading begins before; ``None`` when they
            begin with it.
    """

    target: str
    app_digest: str
    point: Point
    start: datetime | None = None
    end: datetime | None = None
    figures_from: datetime | None = None

    @property
    def key(self) -> str:
        """What tells it from other tasks."""
        asked: list[object] = [self.target, self.app_digest, dict(self.point)]
        if self.start is not None or self.end is not None:
            asked += [_text(self.start), _text(self.end)]
        if self.figures_from is not None:
            asked += ["figures from", _text(self.figures_from)]
        return sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()

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
            None if start is None else datetime.fromisoformat(start),
            None if end is None else datetime.fromisoformat(end),
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
    """

    point: Point
    figures: dict[str, Any]
    events_digest: str
    error: str
    moments: tuple[float, float, float, int]
    manifest: dict[str, Any] = field(default_factory=dict, compare=False)
    problems: tuple[str, ...] = ()

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
        return {
            "key": task.key,
            **task.to_json(),
            "version": __version__,
            "figures_version": FIGURES_VERSION,
            "figures": self.figures,
            "events_digest": self.events_digest,
            "error": self.error,
            "moments": list(self.moments),
            "manifest": self.manifest,
            "problems": list(self.problems),
        }

    @classmethod
    def from_json(cls, row: dict[str, Any]) -> tuple[str, SweepRun]:
        """Return key and run of what `to_json` gave.

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
        )
        return row["key"], run


def run_task(task: Task) -> SweepRun:
    """Run a backtest; called in a process of its own.

    Whatever the app raises fails this run and no other.
    """
    point = dict(task.point)
    try:
        factory = load_factory(task.target, point)
        check_same_app(task, factory)
        result = run(
            lambda: factory(**point),
            start=task.start,
            end=task.end,
            figures_from=task.figures_from,
        )
    except IngeniumError as error:
        return SweepRun.failed(point, str(error))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - of the user's code, it may be any
        return SweepRun.failed(point, f"{text_of(error)}{where(error)}")
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
    )


def check_same_app(task: Task, factory: Callable[..., App]) -> None:
    """Refuse to run another app than the one that was asked for.

    Raises:
        ConfigError: The file is not the same.
    """
    if source_digest(factory) != task.app_digest:
        raise ConfigError(
            f"{task.target} is not what the sweep was started with: use the same file everywhere, "
            "and leave it as it is while a sweep runs"
        )


def luck(runs: Sequence[SweepRun], best: SweepRun) -> float | None:
    """Return the deflated Sharpe ratio of the best run: how likely it is more than luck."""
    tried = [run.moments[0] for run in runs if not run.error]
    sharpe, skewness, kurtosis, observations = best.moments
    expected = expected_best_sharpe(tried)
    return deflated_sharpe(sharpe, skewness, kurtosis, observations, expected)


def follow_parent() -> None:
    """Leave Ctrl+C to the parent, and end with it, however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _text(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()
