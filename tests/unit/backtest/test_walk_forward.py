"""Walk-forward: windows without gaps, the best in sample, and judged by what came after."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from ingenium.backtest.sweep.parameters import Point
from ingenium.backtest.sweep.sweep import SweepRun
from ingenium.backtest.sweep.walk_forward import make_windows, walk_forward
from ingenium.errors import BacktestError, ConfigError

FIRST = datetime(2020, 1, 1, tzinfo=UTC)
LAST = FIRST + timedelta(days=1000)


def run(point: Point, sharpe: float | None, gain: float, error: str = "") -> SweepRun:
    figures = {} if error else {"sharpe": sharpe, "total_return": gain}
    return SweepRun(point, figures, "", error, (0.0, 0.0, 3.0, 0))


@pytest.mark.parametrize("folds", [1, 2, 7])
@pytest.mark.parametrize("way", ["rolling", "anchored"])
def test_windows_cover_all_that_follows_the_first_split_once(folds: int, way: str) -> None:
    windows = make_windows(FIRST, LAST, folds, way=way)
    assert len(windows) == folds
    assert (windows[0].start, windows[-1].end) == (FIRST, LAST)
    for before, after in pairwise(windows):
        assert abs(after.split - before.end) < timedelta(seconds=1)
    for window in windows:
        assert window.start < window.split < window.end
        if way == "anchored":
            assert window.start == FIRST
        else:
            inside, whole = window.split - window.start, window.end - window.start
            assert inside / whole == pytest.approx(0.75)


def test_last_window_ends_with_history_to_the_microsecond() -> None:
    # The parts of such a length are rounded, and do not add up to it.
    last = LAST + timedelta(microseconds=1)
    assert make_windows(FIRST, last, 5)[-1].end == last


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"folds": 0}, "0 folds are too few"),
        ({"folds": 2, "inside": 1.0}, "between 0 and 1"),
        ({"folds": 2, "way": "sideways"}, "use rolling or anchored"),
    ],
)
def test_windows_that_cannot_be_are_refused(arguments: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        make_windows(FIRST, LAST, **arguments)  # type: ignore[arg-type]


def test_walk_forward_takes_the_best_in_sample_and_judges_it_on_what_follows() -> None:
    points: list[Point] = [{"n": 1}, {"n": 2}, {"n": 3}]
    windows = make_windows(FIRST, LAST, 2, inside=0.5)
    asked: list[tuple[list[object], datetime, datetime]] = []

    def run_window(points: Sequence[Point], start: datetime, end: datetime) -> list[SweepRun]:
        asked.append(([point["n"] for point in points], start, end))
        if len(points) == 1:
            return [run(points[0], 0.5, 0.1)]
        # Two are equal: the first of them counts, whoever was done first.
        return [run(points[0], None, 0.0), run(points[1], 2.0, 0.2), run(points[2], 2.0, 0.3)]

    walk = walk_forward(points, windows, run_window, by="sharpe")
    tick = timedelta(microseconds=1)
    assert asked == [
        ([1, 2, 3], windows[0].start, windows[0].split),
        ([2], windows[0].split + tick, windows[0].end),
        ([1, 2, 3], windows[1].start, windows[1].split),
        ([2], windows[1].split + tick, windows[1].end),
    ]
    assert [fold.point for fold in walk.folds] == [{"n": 2}, {"n": 2}]
    assert walk.total_return == pytest.approx(1.1 * 1.1 - 1)
    assert walk.mean("sharpe") == (2.0, 0.5)
    # As much time inside as outside, so the roots are the same.
    years = timedelta(days=2000 / 3) / timedelta(days=365.25)
    inside, outside = (1.2**2) ** (1 / years) - 1, (1.1**2) ** (1 / years) - 1
    assert walk.efficiency == pytest.approx(outside / inside)


def test_walk_forward_names_the_fold_that_fails_and_judges_the_others() -> None:
    windows = make_windows(FIRST, LAST, 4)

    def run_window(points: Sequence[Point], start: datetime, end: datetime) -> list[SweepRun]:
        is_inside = len(points) == 2
        fold = next(
            i for i, w in enumerate(windows) if (w.start == start if is_inside else w.end == end)
        )
        if fold == 0 and is_inside:
            return [run(point, None, 0.0) for point in points]
        if fold == 1 and not is_inside:
            return [run(point, 1.0, 0.0, "no luck") for point in points]
        if fold == 2 and not is_inside:
            return [SweepRun(points[0], {"total_return": None}, "", "", (0.0, 0.0, 3.0, 0))]
        return [run(point, 1.0, 0.2) for point in points]

    walk = walk_forward([{"n": 1}, {"n": 2}], windows, run_window, by="sharpe")
    assert len(walk.folds) == 4
    first, second, third, fourth = (fold.error for fold in walk.folds)
    assert first.startswith("no run from 2020-01-01 to ")
    assert first.endswith("none has a figure 'sharpe'")
    assert second.endswith("failed: no luck")
    assert third.startswith(f"there are no bars after {windows[2].split:%Y-%m-%d}")
    assert fourth == ""
    assert walk.total_return == pytest.approx(0.2)
    assert walk.mean("sharpe") == (1.0, 1.0)


@pytest.mark.parametrize(
    ("figures", "reason"),
    [
        ({"fills": 0, "exposure": 0.0}, "no parameters traded in it"),
        ({"fills": 0, "exposure": 0.4}, "none has a figure 'sharpe'"),
        ({"sharpe": 2.0, "max_drawdown": -1.5}, "their equity was at zero or below"),
        ({"sharpe": 2.0, "final_equity": -1.0}, "their equity was at zero or below"),
        ({"sharpe": 2.0, "starting_equity": 0.0}, "their equity was at zero or below"),
    ],
)
def test_walk_forward_whose_folds_all_fail_is_an_error_that_says_why(
    figures: dict[str, object], reason: str
) -> None:
    def run_window(points: Sequence[Point], start: datetime, end: datetime) -> list[SweepRun]:
        return [SweepRun(point, figures, "", "", (0.0, 0.0, 3.0, 0)) for point in points]

    with pytest.raises(BacktestError, match=f"all 3 folds failed, the first one: .*{reason}"):
        walk_forward([{"n": 1}], make_windows(FIRST, LAST, 3), run_window, by="sharpe")


def test_walk_forward_multiplies_no_loss_of_all_by_another() -> None:
    """Two stretches that each lose twice what there was are no gain of 0 %."""
    gains = {2: -2.0, 4: -2.0, 6: 0.5}
    count = 0

    def run_window(points: Sequence[Point], start: datetime, end: datetime) -> list[SweepRun]:
        nonlocal count
        count += 1
        return [run(points[0], 1.0, gains.get(count, 0.1))]

    walk = walk_forward([{"n": 1}], make_windows(FIRST, LAST, 3), run_window, by="sharpe")
    assert walk.total_return == -1
    efficiency = walk.efficiency
    assert efficiency is not None
    assert efficiency < 0


def test_walk_forward_of_a_moment_has_no_efficiency() -> None:
    windows = make_windows(FIRST, FIRST + timedelta(seconds=1), 2)

    def run_window(points: Sequence[Point], start: datetime, end: datetime) -> list[SweepRun]:
        return [run(points[0], 1.0, 0.5)]

    walk = walk_forward([{"n": 1}], windows, run_window, by="sharpe")
    assert walk.efficiency is None
    assert walk.total_return == pytest.approx(1.25)


def test_sweep_run_that_lost_all_has_figures_but_no_score() -> None:
    bust = SweepRun({}, {"sharpe": 3.0, "max_drawdown": -1.01}, "", "", (0.0, 0.0, 3.0, 0))
    assert (bust.figure("sharpe"), bust.score("sharpe"), bust.is_bust) == (3.0, None, True)
    deep = SweepRun({}, {"sharpe": -3.0, "max_drawdown": -0.99}, "", "", (0.0, 0.0, 3.0, 0))
    assert (deep.score("sharpe"), deep.is_bust) == (-3.0, False)
    empty = SweepRun({}, {"sharpe": 1.0, "max_drawdown": -1.0}, "", "", (0.0, 0.0, 3.0, 0))
    assert empty.is_bust
    odd = SweepRun({}, {"sharpe": float("inf")}, "", "", (0.0, 0.0, 3.0, 0))
    assert odd.score("sharpe") is None


@pytest.mark.parametrize("inside", [0.0, -0.1])
def test_walk_forward_without_a_gain_in_sample_has_no_efficiency(inside: float) -> None:
    def run_window(points: Sequence[Point], start: datetime, end: datetime) -> list[SweepRun]:
        is_inside = end - start > timedelta(days=300)
        return [run(points[0], 1.0, inside if is_inside else 0.2)]

    walk = walk_forward([{"n": 1}], make_windows(FIRST, LAST, 2), run_window, by="sharpe")
    assert walk.efficiency is None
    assert walk.total_return == pytest.approx(1.2 * 1.2 - 1)
