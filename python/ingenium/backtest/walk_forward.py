"""Walk-forward: parameters are chosen on the past, and judged on what came after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import prod

from ingenium.backtest.parameters import Point
from ingenium.backtest.sweep import SweepRun
from ingenium.errors import BacktestError, ConfigError

__all__ = ["Fold", "WalkForward", "Window", "make_windows", "walk_forward"]

_YEAR = timedelta(days=365.25)
_TICK = timedelta(microseconds=1)
_WAYS = ("rolling", "anchored")


@dataclass(frozen=True, slots=True)
class Window:
    """Two stretches of history, one after the other.

    Attributes:
        start: Where parameters are chosen from; what comes before is a warm-up.
        split: The last instant of that; what comes after it is out of sample.
        end: The last instant out of sample.
    """

    start: datetime
    split: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Fold:
    """What a window gave.

    Attributes:
        window: The window.
        point: The parameters that were best in sample.
        inside: Their run in sample.
        outside: Their run out of sample.
    """

    window: Window
    point: Point
    inside: SweepRun
    outside: SweepRun


@dataclass(frozen=True, slots=True)
class WalkForward:
    """The folds of a walk-forward, in the order of time."""

    folds: Sequence[Fold]

    @property
    def total_return(self) -> float:
        """Return of the stretches out of sample one after the other: ``prod(1 + r) - 1``."""
        return prod(1 + _return(fold.outside) for fold in self.folds) - 1

    @property
    def efficiency(self) -> float | None:
        """Annual return out of sample over that in sample; below 0.5 it is likely overfitted.

        ``None`` when there was no gain in sample.

        References:
            R. Pardo, "The Evaluation and Optimization of Trading Strategies", 2nd ed., 2008,
            chapter 11.
        """
        inside = _annual([(f.inside, f.window.split - f.window.start) for f in self.folds])
        outside = _annual([(f.outside, f.window.end - f.window.split) for f in self.folds])
        return outside / inside if inside > 0 else None

    def mean(self, name: str) -> tuple[float | None, float | None]:
        """Return the mean of a figure in sample and out of sample, over the folds that have it."""
        return (
            _mean([fold.inside.figure(name) for fold in self.folds]),
            _mean([fold.outside.figure(name) for fold in self.folds]),
        )


RunWindow = Callable[[Sequence[Point], datetime, datetime], list[SweepRun]]
"""Runs points from a time to another, and returns their runs in that order."""


def make_windows(
    first: datetime, last: datetime, folds: int, *, inside: float = 0.75, way: str = "rolling"
) -> list[Window]:
    """Cut history into windows whose stretches out of sample follow each other without a gap.

    Args:
        first: The first instant of history.
        last: The last one.
        folds: How many windows.
        inside: Part of each rolling window that is in sample.
        way: ``"rolling"`` for windows of one length, ``"anchored"`` to choose from all history
            before each split.

    Raises:
        ConfigError: An argument makes no sense.
    """
    if folds < 1:
        raise ConfigError(f"{folds} folds do not fit: use at least 1")
    if not 0 < inside < 1:
        raise ConfigError(f"a part of {inside} in sample does not fit: use one between 0 and 1")
    if way not in _WAYS:
        raise ConfigError(f"walk-forward {way!r} is unknown: use {' or '.join(_WAYS)}")
    # length * inside + folds * length * (1 - inside) is all of history.
    length = (last - first) / (inside + folds * (1 - inside))
    step = length * (1 - inside)
    windows: list[Window] = []
    for number in range(folds):
        start = first if way == "anchored" else first + step * number
        split = first + length * inside + step * number
        end = last if number == folds - 1 else split + step
        windows.append(Window(start, split, end))
    return windows


def walk_forward(
    points: Sequence[Point],
    windows: Sequence[Window],
    run_window: RunWindow,
    *,
    by: str,
) -> WalkForward:
    """Choose parameters in each window, and run them on what comes after it.

    Args:
        points: What to choose from.
        windows: Where; see `make_windows`.
        run_window: Runs points from a time to another.
        by: The figure to choose by, the higher the better.

    Raises:
        BacktestError: In a window no run in sample has that figure, or the run out of sample
            failed.
    """
    folds: list[Fold] = []
    for window in windows:
        where = f"{window.start:%Y-%m-%d} to {window.split:%Y-%m-%d}"
        runs = run_window(points, window.start, window.split)
        scored = [(value, i) for i, run in enumerate(runs) if (value := run.figure(by)) is not None]
        if not scored:
            reason = next((run.error for run in runs if run.error), f"none has a figure {by!r}")
            raise BacktestError(f"no run from {where} can be judged by {by!r}: {reason}")
        # The first of equals, whatever the number of processes.
        _, best = max(scored, key=lambda item: (item[0], -item[1]))
        [outside] = run_window([points[best]], window.split + _TICK, window.end)
        if outside.error:
            raise BacktestError(f"the run after {window.split:%Y-%m-%d} failed: {outside.error}")
        folds.append(Fold(window, points[best], runs[best], outside))
    return WalkForward(folds)


def _return(run: SweepRun) -> float:
    return run.figure("total_return") or 0.0


def _annual(parts: Sequence[tuple[SweepRun, timedelta]]) -> float:
    """Return the compound annual return of stretches one after the other."""
    years = sum((length for _, length in parts), timedelta()) / _YEAR
    growth = prod(1 + _return(run) for run, _ in parts)
    if growth <= 0 or years <= 0:
        return -1.0
    return float(growth ** (1 / years)) - 1.0


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
