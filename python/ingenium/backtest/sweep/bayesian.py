"""Bayesian search: each choice of parameters uses the results of earlier runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from ingenium.backtest.sweep.conditions import Condition
from ingenium.backtest.sweep.parameters import Point, Value, grid
from ingenium.backtest.sweep.sweep import OnRun, SweepRun
from ingenium.errors import ConfigError, MissingDependencyError

if TYPE_CHECKING:
    import optuna

__all__ = ["search"]

RunPoints = Callable[[Sequence[Point]], list[SweepRun]]
"""Runs some points, and returns their runs in the same order."""


def search(
    parameters: Mapping[str, Sequence[Value]],
    run_points: RunPoints,
    *,
    by: str,
    count: int,
    at_once: int = 1,
    seed: int = 1,
    where: Condition | None = None,
    on_run: OnRun = lambda _done, _of: None,
) -> list[SweepRun]:
    """Search for the point with the highest figure, with a tree-structured Parzen estimator.

    Equal arguments choose equal points, so starting a stopped search again resumes it: stored runs
    are not repeated.

    Args:
        parameters: Values by name.
        run_points: Runs some points.
        by: Figure to maximize.
        count: Number of runs; fewer when all points have been run.
        at_once: Number of points to choose together, for as many processes.
        seed: Seed of the choices.
        where: Whether a point may be run; all may when left out.
        on_run: Called when runs are done, with their number and the total.

    Returns:
        The runs, each point once, in the order in which they were chosen.

    Raises:
        ConfigError: No run has this figure.
        MissingDependencyError: optuna is not installed.

    References:
        J. Bergstra, R. Bardenet, Y. Bengio, B. Kegl, "Algorithms for Hyper-Parameter
        Optimization", NIPS 2011.
    """
    study = _study(seed)
    total = 1
    for values in parameters.values():
        total *= len(values)
    if where is not None and total <= _MOST_COUNTED:
        total = sum(map(where, grid(parameters)))
    count = min(count, total)
    found: dict[tuple[Value, ...], SweepRun] = {}
    on_run(0, count)
    repeats = 0
    most = (_MOST_REPEATS if where is None else _MOST_REFUSED) * count
    while len(found) < count and repeats < most:
        trials = [study.ask() for _ in range(min(at_once, count - len(found)))]
        chosen = [_point(trial, parameters) for trial in trials]
        new = {
            key: point
            for point in chosen
            if (key := tuple(point.values())) not in found and (where is None or where(point))
        }
        if new:
            found |= dict(zip(new, run_points(list(new.values())), strict=True))
        repeats += len(chosen) - len(new)
        on_run(len(found), count)
        for trial, point in zip(trials, chosen, strict=True):
            _tell(study, trial, found.get(tuple(point.values())), by)
    runs = list(found.values())
    good = [run for run in runs if not run.error]
    if good and not any(by in run.figures for run in good):
        raise ConfigError(f"no run has a figure {by!r}: use --by with one such as 'sharpe'")
    return runs


_MOST_REPEATS = 5
_MOST_REFUSED = 100
_MOST_COUNTED = 100_000
_WORST = -1e300


def _study(seed: int) -> optuna.Study:
    try:
        import optuna
    except ImportError as error:
        raise MissingDependencyError(
            "a Bayesian search needs optuna: pip install 'ingenium[search]'"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed, constant_liar=True)
    )


def _point(trial: optuna.Trial, parameters: Mapping[str, Sequence[Value]]) -> Point:
    point: dict[str, Value] = {}
    for name, values in parameters.items():
        if all(isinstance(value, int | float) for value in values):
            # By index, so that the sampler knows which values are near each other.
            point[name] = values[trial.suggest_int(name, 0, len(values) - 1)]
        else:
            point[name] = values[trial.suggest_categorical(name, range(len(values)))]
    return point


def _tell(study: optuna.Study, trial: optuna.Trial, run: SweepRun | None, by: str) -> None:
    from optuna.trial import TrialState

    value = None if run is None else run.score(by)
    if run is None or run.error:
        study.tell(trial, state=TrialState.FAIL)
    else:
        # Only ranks count, so runs without a score rank below all others, and are avoided.
        study.tell(trial, _WORST if value is None else value)
