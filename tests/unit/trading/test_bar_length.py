"""What distances between rows say of the length of bars."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import accumulate

import pytest

from ingenium.trading.bar_length import Distances, find_length, format_length, kind_of

START = datetime(2024, 1, 1, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("length", "least", "most"),
    [(1, 1, 1), (7, 5, 9), (31, 27, 34), (92, 88, 95), (184, 179, 187), (366, 361, 370)],
)
def test_distance_of_the_calendar_stands_for_its_longest_bar(
    length: int, least: int, most: int
) -> None:
    # Within an hour, by which clocks change.
    first = least * DAY - (HOUR if length == 1 else 0 * HOUR)
    for gap in (first, least * DAY, most * DAY, most * DAY + HOUR):
        assert kind_of(gap) == length * DAY
    for gap in (first - MINUTE, most * DAY + HOUR + MINUTE):
        assert kind_of(gap) != length * DAY


def test_other_distances_stand_for_themselves_and_days_for_whole_ones() -> None:
    for gap in (MINUTE, 4 * HOUR, 23 * HOUR - MINUTE, 26 * HOUR, 60 * DAY + 5 * HOUR):
        assert kind_of(gap) == gap
    for hours in (47, 48, 49):
        assert kind_of(hours * HOUR) == 2 * DAY
    assert kind_of(20 * DAY + HOUR) == 20 * DAY


def times(*gaps: timedelta) -> list[datetime]:
    return list(accumulate(gaps, lambda time, gap: time + gap, initial=START))


@pytest.mark.parametrize(
    ("gaps", "length"),
    [
        ([MINUTE], MINUTE),
        ([390 * MINUTE], 390 * MINUTE),
        ([195 * MINUTE], 195 * MINUTE),
        ([17 * MINUTE], None),  # no vendor has such bars, so it may be a gap
        ([18 * HOUR], None),
        ([2 * DAY], DAY),
        ([4 * DAY], DAY),
        ([10 * DAY], None),
        ([17 * MINUTE, 17 * MINUTE], 17 * MINUTE),
        ([10 * DAY, 10 * DAY], 10 * DAY),
        ([3 * DAY, 3 * DAY, 3 * DAY], 3 * DAY),
        ([HOUR / 2, HOUR], None),
        ([HOUR / 2, HOUR, HOUR], HOUR),
        ([4 * HOUR, 20 * HOUR, 4 * HOUR, 20 * HOUR], None),
        ([DAY, 3 * DAY], DAY),
        ([2 * DAY, 3 * DAY], DAY),
        ([DAY, 7 * DAY], 7 * DAY),
        ([DAY, 4 * HOUR], None),
        ([31 * DAY, 29 * DAY], 31 * DAY),
        ([31 * DAY, 60 * DAY], 31 * DAY),
        ([91 * DAY, 91 * DAY, 92 * DAY], 92 * DAY),
        # Two in a row that are rarer than one in twenty are a slip.
        ([*[HOUR] * 40, MINUTE, MINUTE, *[HOUR] * 40], HOUR),
        ([*[HOUR] * 10, MINUTE, MINUTE, MINUTE, *[HOUR] * 10], HOUR),
        # Hardly any come twice in a row.
        ([*[i * 7 * MINUTE for i in range(1, 60)], MINUTE, MINUTE], None),
    ],
)
def test_length_of_a_series(gaps: list[timedelta], length: timedelta | None) -> None:
    assert find_length(times(*gaps))[0] == length


def test_times_that_repeat_or_go_back_are_no_distances() -> None:
    assert find_length([START, START, START])[0] is None
    there_and_back = [START, START + HOUR, START, START + HOUR]
    assert find_length(there_and_back)[1].kinds == {HOUR: 2}


@pytest.mark.parametrize("times_longer", [2, 3, 5, 60])
def test_run_that_missing_rows_would_not_make_contradicts(times_longer: int) -> None:
    # Where rows are there with probability p, two are k apart with p (1 - p) ** (k - 1), which is
    # the most at p = 1 / k; a run of r is expected less than once in a thousand files of n rows.
    p = 1 / times_longer
    most = p * (1 - p) ** (times_longer - 1)
    rows = 10_000
    run = 3
    while rows * most ** (run - 1) >= 1e-3:
        run += 1
    for length, expected in ((run - 1, False), (run, True)):
        distances = Distances()
        time = START
        for _ in range(length):
            distances.add(time, times_longer * MINUTE)
            time += times_longer * MINUTE
        is_too_many = length - 1 >= max(2, 1 + 4 * rows * most**2)
        found = distances.contradicts(times_longer * MINUTE, MINUTE, rows)
        assert found == (expected or is_too_many)


def test_pairs_that_come_too_often_contradict() -> None:
    # Three minutes twice in a row, again and again, is more than missing minutes can make.
    distances = Distances()
    time = START
    for _ in range(200):
        for gap in (MINUTE, MINUTE, 3 * MINUTE, 3 * MINUTE):
            distances.add(time, gap)
            time += gap
    assert distances.pairs[3 * MINUTE] == 200
    assert distances.contradicts(3 * MINUTE, MINUTE, 800)
    assert not distances.contradicts(3 * MINUTE, MINUTE, 8_000)
    assert not distances.contradicts(MINUTE, MINUTE, 1)
    assert distances.length() == 3 * MINUTE


def test_gap_ends_a_run() -> None:
    distances = Distances()
    for place in range(10):
        distances.add(START + place * DAY, HOUR)
    assert distances.pairs.total() == 0
    assert distances.kinds == {HOUR: 10}


def test_length_is_written_for_a_reader() -> None:
    lengths = [90 * MINUTE, HOUR, 31 * DAY, timedelta(seconds=1.5)]
    assert [format_length(length) for length in lengths] == ["90m", "1h", "31d", "1.5 s"]
