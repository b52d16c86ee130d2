"""Walk-forward: windows without gaps, the best in sample, and judged by what came after."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from ingenium.backtest.parameters import Point
from ingenium.backtest.sweep import SweepRun
from ingenium.backtest.walk_forward import make_windows, walk_forward
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


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"folds": 0}, "0 folds do not fit"),
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


def test_walk_forward_without_a_figure_or_with_a_failed_run_says_where() -> None:
    windows = make_windows(FIRST, LAST, 1)

    def none(points: Sequence[Point], start: datetime, end: datetime) -> list[SweepRun]:
        return [run(point, None, 0.0) for point in points]

    def failed_later(points: Sequence[Point], start: datetime, end: datetime) -> list[SweepRun]:
        error = "" if len(points) == 2 else "no bars"
        return [run(point, 1.0, 0.0, error) for point in points]

    with pytest.raises(BacktestError, match=r"no run from 2020-01-01 to .* none has a figure"):
        walk_forward([{"n": 1}, {"n": 2}], windows, none, by="sharpe")
    with pytest.raises(BacktestError, match="failed: no bars"):
        walk_forward([{"n": 1}, {"n": 2}], windows, failed_later, by="sharpe")
