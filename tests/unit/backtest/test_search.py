"""Bayesian search: equal choices for equal seeds, each point once, and better than chance."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from statistics import fmean

import pytest

from ingenium.backtest.sweep.bayesian import search
from ingenium.backtest.sweep.parameters import Point, Value, grid
from ingenium.backtest.sweep.sweep import SweepRun
from ingenium.errors import ConfigError

PARAMETERS: dict[str, Sequence[Value]] = {
    "x": list(range(50)), "y": [i / 10 for i in range(40)], "kind": ["a", "b"],
}  # fmt: skip


def height(point: Point) -> float:
    x, y = float(point["x"]), float(point["y"])
    return -((x - 31) ** 2) / 100 - (y - 2.5) ** 2 - (0.0 if point["kind"] == "b" else 3.0)


def run_points(points: Sequence[Point]) -> list[SweepRun]:
    return [
        SweepRun(point, {"sharpe": height(point)}, "", "", (0.0, 0.0, 3.0, 0)) for point in points
    ]


def test_search_with_equal_seeds_chooses_equal_points_each_once() -> None:
    told: list[tuple[int, int]] = []
    first = search(PARAMETERS, run_points, by="sharpe", count=30, at_once=2, seed=5,
                   on_run=lambda done, of: told.append((done, of)))  # fmt: skip
    again = search(PARAMETERS, run_points, by="sharpe", count=30, at_once=2, seed=5)
    other = search(PARAMETERS, run_points, by="sharpe", count=30, at_once=2, seed=6)
    assert first == again != other
    assert len({tuple(run.point.values()) for run in first}) == len(first) == 30
    assert (told[0], told[-1]) == ((0, 30), (30, 30))


def test_search_finds_better_points_than_as_many_random_ones() -> None:
    everything = grid(PARAMETERS)
    found, drawn = [], []
    for seed in range(5):
        runs = search(PARAMETERS, run_points, by="sharpe", count=60, seed=seed)
        found.append(max(height(run.point) for run in runs))
        drawn.append(max(map(height, Random(seed).sample(everything, 60))))
    assert fmean(found) > fmean(drawn)


def test_search_of_more_runs_than_points_runs_each_once_and_ends() -> None:
    small: dict[str, Sequence[Value]] = {"x": [1, 2], "y": [0.5, 1.5], "kind": ["a", "b"]}
    runs = search(small, run_points, by="sharpe", count=99)
    points = {tuple(run.point.values()) for run in runs}
    assert len(points) == len(runs) <= 8
    assert len(runs) >= 6


def test_search_by_a_figure_that_no_run_has_is_refused() -> None:
    with pytest.raises(ConfigError, match="no run has a figure 'sharp'"):
        search(PARAMETERS, run_points, by="sharp", count=3)


def test_search_goes_on_where_runs_fail() -> None:
    def failing(points: Sequence[Point]) -> list[SweepRun]:
        return [
            SweepRun.failed(run.point, "no") if run.point["kind"] == "a" else run
            for run in run_points(points)
        ]

    runs = search(PARAMETERS, failing, by="sharpe", count=20)
    assert len(runs) == 20
    assert any(not run.error for run in runs)
