"""Walks a sweep forward in the process of a job, as ``ingenium sweep --walk-forward`` does."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from math import isfinite
from pathlib import Path
from typing import Any

from ingenium.backtest.sweep.parameters import Point
from ingenium.backtest.sweep.pool import Pool
from ingenium.backtest.sweep.sweep import Sweep, SweepRun
from ingenium.backtest.sweep.walk_forward import Fold, WalkForward, make_windows, walk_forward
from ingenium.errors import BacktestError
from ingenium.private_files import replace_private
from ingenium.recorder.instants import nanoseconds

__all__ = ["finite_figures", "run_walk_forward"]


def run_walk_forward(
    job: Mapping[str, Any], folder: Path, say: Callable[[Mapping[str, Any]], None]
) -> dict[str, Any]:
    """Run the job, and write its folds into ``folds.json`` as they are judged.

    Args:
        job: See `ingenium.control.job_process`.
        folder: Receives the files.
        say: Receives the progress.

    Raises:
        BacktestError: No fold can be judged.
    """
    options: Mapping[str, Any] = job["walk_forward"]
    points: Sequence[Point] = job["points"]
    start, end = (date.fromisoformat(job[name]) if job[name] else None for name in ("start", "end"))
    folds: list[Fold] = []
    done, total = 0, options["folds"] * (len(points) + 1)

    def on_fold(fold: Fold) -> None:
        folds.append(fold)
        say({"folds": len(folds)})
        _write(folder, WalkForward(folds))

    with Pool(job["workers"]) as pool:

        def run_window(chosen: Sequence[Point], begin: datetime, last: datetime) -> list[SweepRun]:
            nonlocal done
            before = done
            done += len(chosen)
            sweep = Sweep(job["target"], chosen, folder, start=start, end=last, figures_from=begin)

            def on_run(count: int, _of: int) -> None:
                say({"done": before + count, "total": total})

            return sweep.run(pool=pool, on_run=on_run)

        whole = Sweep(job["target"], points[:1], folder, start=start, end=end).run(pool=pool)[0]
        if whole.error:
            raise BacktestError(whole.error)
        first, last = whole.figures["start"], whole.figures["end"]
        if not first or first == last:
            raise BacktestError("there is too little history to walk forward: use more days")
        windows = make_windows(
            datetime.fromisoformat(first),
            datetime.fromisoformat(last),
            options["folds"],
            inside=options["inside"],
            way=options["way"],
        )
        walk_forward(points, windows, run_window, by=job["rank_by"], on_fold=on_fold)
    return {"deflated_sharpe": None}


def finite_figures(run: SweepRun) -> dict[str, float]:
    """Return the figures of a run that are numbers."""
    return {
        name: value
        for name, value in run.figures.items()
        if isinstance(value, int | float) and isfinite(value)
    }


def _write(folder: Path, walk: WalkForward) -> None:
    rows = [
        {
            "start": nanoseconds(fold.window.start),
            "split": nanoseconds(fold.window.split),
            "end": nanoseconds(fold.window.end),
            "point": dict(fold.point),
            "inside": finite_figures(fold.inside),
            "outside": finite_figures(fold.outside),
            "error": fold.error,
        }
        for fold in walk.folds
    ]
    found = {
        "folds": rows,
        "total_return": walk.total_return if walk.judged else None,
        "efficiency": walk.efficiency if walk.judged else None,
    }
    replace_private(folder / "folds.json", json.dumps(found).encode())
