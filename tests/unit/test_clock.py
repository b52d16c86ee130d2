"""Time as something that is handed in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ingenium.clock import ManualClock, SystemClock


def test_manual_clock_stands_where_it_is_set() -> None:
    clock = ManualClock(datetime(2024, 1, 2, tzinfo=UTC))
    clock.advance(timedelta(hours=1))
    assert clock.now() == datetime(2024, 1, 2, 1, tzinfo=UTC)
    clock.set(datetime(2023, 1, 1, tzinfo=UTC))
    assert clock.now() == datetime(2023, 1, 1, tzinfo=UTC)


def test_manual_clock_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        ManualClock().set(datetime(2024, 1, 2))  # noqa: DTZ001 - what is refused


def test_system_clock_is_aware_and_in_utc() -> None:
    assert SystemClock().now().utcoffset() == timedelta(0)
