"""Walk-forward: parameters are chosen in sample, and judged on the data that follows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import inf, isfinite, prod

from ingenium.backtest.sweep.parameters import Point
from ingenium.backtest.sweep.sweep import SweepRun
from ingenium.errors import BacktestError, ConfigError

__all__ = ["Fold", "WalkForward", "FoldWindow", "make_windows", "walk_forward"]

_YEAR = timedelta(days=365.25)
_TICK = timedelta(microseconds=1)
_WAYS = ("rolling", "anchored")


@dataclass(frozen=True, slots=True)
class FoldWindow:
    """Two consecutive periods of history.

    Attributes:
        start: Start in sample; trading begins earlier, with the first bar.
        split: The last instant in sample; later data is out of sample.
        end: The last instant out of sample.
    """

    start: datetime
    split: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Fold:
    """Result of a window.

    Attributes:
        window: The window.
        point: The best parameters in sample; empty when none could be chosen.
        inside: Their figures in sample.
        outside: Their figures out of sample.
        failed: Runs in sample that failed, and so could not be chosen.
    """

    window: FoldWindow
    point: Point
    inside: SweepRun
    outside: SweepRun
    failed: Sequence[SweepRun] = ()

    @property
    def error(self) -> str:
        """Why the fold has no result; empty when it has one."""
        return self.inside.error or self.outside.error


@dataclass(frozen=True, slots=True)
class WalkForward:
    """The folds of a walk-forward, in order of time.

    Aggregates exclude failed folds.
    """

    folds: Sequence[Fold]

    @property
    def judged(self) -> list[Fold]:
        """The folds that did not fail."""
        return [fold for fold in self.folds if not fold.error]

    @property
    def total_return(self) -> float:
        """Compound return of the periods out of sample: ``prod(1 + r) - 1``.

        It is -1 once one of them has lost everything.
        """
        return prod(_growth(fold.outside) for fold in self.judged) - 1

    @property
    def efficiency(self) -> float | None:
        """Annual return out of sample over that in sample; below 0.5 suggests overfitting.

        ``None`` without a gain in sample, or if the time is too short for an annual rate.

        References:
            R. Pardo, "The Evaluation and Optimization of Trading Strategies", 2nd ed., 2008,
            chapter 11.
        """
        folds = self.judged
        inside = _annual([(f.inside, f.window.split - f.window.start) for f in folds])
        outside = _annual([(f.outside, f.window.end - f.window.split) for f in folds])
        if inside <= 0 or not isfinite(inside) or not isfinite(outside):
            return None
        return outside / inside

    def mean(self, name: str) -> tuple[float | None, float | None]:
        """Return the mean of a figure in sample and out of sample, over the folds that have it."""
        return (
            _mean([fold.inside.figure(name) for fold in self.judged]),
            _mean([fold.outside.figure(name) for fold in self.judged]),
        )


RunWindow = Callable[[Sequence[Point], datetime, datetime], list[SweepRun]]
"""Runs points up to a time, and returns their runs in that order, with figures from a start time.

Takes the points, the start of the figures, and the last instant. Trading begins earlier, so that
positions open at the start of the figures are included.
"""


def make_windows(
    first: datetime, last: datetime, folds: int, *, inside: float = 0.75, way: str = "rolling"
) -> list[FoldWindow]:
    """Split history into windows whose periods out of sample follow each other without a gap.

    Args:
        first: The first instant of history.
        last: The last instant of history.
        folds: Number of windows.
        inside: Fraction of each rolling window that is in sample.
        way: ``"rolling"`` for windows of one length, ``"anchored"`` to choose from all history
            before each split.

    Raises:
        ConfigError: An argument is invalid.
    """
    if folds < 1:
        raise ConfigError(f"{folds} folds are too few: use at least 1")
    if not 0 < inside < 1:
        raise ConfigError(f"in-sample part {inside} is not valid: use a number between 0 and 1")
    if way not in _WAYS:
        raise ConfigError(f"walk-forward {way!r} is unknown: use {' or '.join(_WAYS)}")
    # length * inside + folds * length * (1 - inside) is all of history.
    length = (last - first) / (inside + folds * (1 - inside))
    step = length * (1 - inside)
    windows: list[FoldWindow] = []
    for number in range(folds):
        start = first if way == "anchored" else first + step * number
        split = first + length * inside + step * number
        end = last if number == folds - 1 else split + step
        windows.append(FoldWindow(start, split, end))
    return windows


def walk_forward(
    points: Sequence[Point],
    windows: Sequence[FoldWindow],
    run_window: RunWindow,
    *,
    by: str,
    on_fold: Callable[[Fold], None] = lambda _fold: None,
) -> WalkForward:
    """Choose parameters in sample in each window, and run them out of sample.

    Args:
        points: Points to choose from.
        windows: The windows; see `make_windows`.
        run_window: Runs points, and returns their figures from one time to another.
        by: Figure to maximize.
        on_fold: Called with each fold once it is judged.

    Returns:
        The folds; one that cannot be judged states why, and does not affect the others.

    Raises:
        BacktestError: No fold can be judged.
    """
    folds: list[Fold] = []
    for window in windows:
        folds.append(_fold(points, window, run_window, by))
        on_fold(folds[-1])
    if all(fold.error for fold in folds):
        raise BacktestError(f"all {len(folds)} folds failed, the first one: {folds[0].error}")
    return WalkForward(folds)


def _fold(points: Sequence[Point], window: FoldWindow, run_window: RunWindow, by: str) -> Fold:
    runs = run_window(points, window.start, window.split)
    scored = [(value, i) for i, run in enumerate(runs) if (value := run.score(by)) is not None]
    if not scored:
        where = f"{window.start:%Y-%m-%d} to {window.split:%Y-%m-%d}"
        reason = f"no run from {where} can be judged by {by!r}: {_why_none(runs, by)}"
        failed = SweepRun.failed({}, reason)
        return Fold(window, {}, failed, failed)
    # The first of equal scores, independent of the number of processes.
    _, best = max(scored, key=lambda item: (item[0], -item[1]))
    point = points[best]
    [outside] = run_window([point], window.split + _TICK, window.end)
    where = f"after {window.split:%Y-%m-%d}"
    if outside.error:
        outside = SweepRun.failed(point, f"the run {where} failed: {outside.error}")
    elif outside.figure("total_return") is None and not outside.is_bust:
        outside = SweepRun.failed(point, f"there are no bars {where}, up to {window.end:%Y-%m-%d}")
    return Fold(window, point, runs[best], outside, [run for run in runs if run.error])


def _why_none(runs: Sequence[SweepRun], by: str) -> str:
    """Return why none of some runs can be judged by a figure."""
    error = next((run.error for run in runs if run.error), "")
    if error:
        return error
    if any(run.is_bust for run in runs):
        return "their equity was at zero or below"
    if all(run.is_idle for run in runs):
        return "no parameters traded in it"
    return f"none has a figure {by!r}"


def _growth(run: SweepRun) -> float:
    """Return final over starting equity; 0 when everything was lost in between."""
    return 0.0 if run.is_bust else max(1 + (run.figure("total_return") or 0.0), 0.0)


def _annual(parts: Sequence[tuple[SweepRun, timedelta]]) -> float:
    """Return the compound annual return of consecutive periods."""
    years = sum((length for _, length in parts), timedelta()) / _YEAR
    growth = prod(_growth(run) for run, _ in parts)
    if growth <= 0 or years <= 0:
        return -1.0
    try:
        return float(growth ** (1 / years)) - 1.0
    except OverflowError:
        return inf


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
