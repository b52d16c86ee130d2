"""The equity over time: exact figures, extremes that are kept, and little time for many fills."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from time import process_time
from typing import Any

import pytest
from support.many_fills import CASH, Moment, record_fills

from ingenium.recorder import open as open_recording
from ingenium.recorder.equity_history import EquityMoment, equity_history


def history(path: Path, **options: Any) -> list[EquityMoment]:
    with open_recording(str(path)) as records:
        return records.run(
            lambda connection: equity_history(connection, "many", Decimal(CASH), **options)
        )


def expected(moments: list[Moment]) -> dict[int, tuple[Decimal, Decimal, float]]:
    """Return equity, exposure and drawdown by time, of whole cents."""
    peak, found = CASH * 100, {}
    for each in moments:
        peak = max(peak, each.equity)
        figures = (Decimal(each.equity) / 100, Decimal(each.exposure) / 100)
        found[each.time] = (*figures, each.equity / peak - 1)
    return found


@pytest.mark.parametrize("points", [2, 5, 6, 30, 1000])
def test_moments_are_exact_with_last_lowest_and_highest_of_each_part(
    tmp_path: Path, points: int
) -> None:
    moments = record_fills(tmp_path / "record.db", 700, seed=points)
    known = expected(moments)
    found = history(tmp_path / "record.db", points=points)
    assert 2 <= len(found) <= points
    times = [each.time for each in found]
    assert times == sorted(set(times))
    for each in found:
        equity, exposure, fall = known[each.time]
        assert (each.equity, each.exposure) == (equity, exposure)
        assert each.drawdown == pytest.approx(fall, abs=1e-12)
    assert found[-1].time == moments[-1].time
    if points >= 6:
        equities = [each.equity for each in found]
        assert max(equities) == Decimal(max(each.equity for each in moments)) / 100
        assert min(equities) == Decimal(min(each.equity for each in moments)) / 100


def test_range_begins_with_what_was_held_before(tmp_path: Path) -> None:
    moments = record_fills(tmp_path / "record.db", 200)
    known = expected(moments)
    since, until = moments[120].time, moments[150].time
    found = history(tmp_path / "record.db", since=since, until=until, points=1000)
    assert [each.time for each in found] == [each.time for each in moments[120:150]]
    assert found[0].equity == known[since][0]
    assert history(tmp_path / "record.db", since=until, until=until) == []


def test_hundred_thousand_fills_take_less_than_a_second_of_one_processor(tmp_path: Path) -> None:
    record_fills(tmp_path / "record.db", 100_000)
    with open_recording(str(tmp_path / "record.db")) as records:
        began = process_time()
        found = records.run(lambda connection: equity_history(connection, "many", Decimal(CASH)))
        took = process_time() - began
    assert len(found) > 900
    # It is 0.4 s; the rest is for a slower machine.
    assert took < 1
