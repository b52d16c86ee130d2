"""Times of events: what stands in for one that is missing, and numbers of every unit."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ingenium.errors import DecodeError
from ingenium.trading.timestamp import parse_time, read_time

ARRIVED = datetime(2024, 1, 3, 21, 0, 1, tzinfo=UTC)
STATED = datetime(2024, 1, 3, 21, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "0001-01-01T00:00:00Z", "yesterday", "2024-13-01T00:00:00Z"])
def test_time_of_arrival_stands_in_for_one_that_is_missing_or_none(text: str) -> None:
    assert read_time(text, ARRIVED) == ARRIVED
    with pytest.raises(DecodeError, match="Timestamp"):
        read_time(text, None)


def test_stated_time_counts_whenever_the_event_arrived() -> None:
    assert read_time("2024-01-03T21:00:00Z", ARRIVED) == STATED
    assert read_time("2024-01-03T21:00:00Z", None) == STATED


# Seconds since 1970 by hand: 10^8 s are 1157 days and 35,200 s.
@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("100000000", datetime(1973, 3, 3, 9, 46, 40, tzinfo=UTC)),
        ("99999999999", datetime(5138, 11, 16, 9, 46, 39, tzinfo=UTC)),
        ("100000000000", datetime(1973, 3, 3, 9, 46, 40, tzinfo=UTC)),
        ("100000000000000", datetime(1973, 3, 3, 9, 46, 40, tzinfo=UTC)),
        ("100000000000000000", datetime(1973, 3, 3, 9, 46, 40, tzinfo=UTC)),
        ("1704315600", STATED),
        ("1704315600000", STATED),
        ("1704315600000000", STATED),
        ("1704315600000000000", STATED),
    ],
)
def test_number_is_seconds_or_a_part_of_them_by_its_magnitude(text: str, time: datetime) -> None:
    assert parse_time(text) == time


def test_number_before_1973_is_no_time() -> None:
    with pytest.raises(DecodeError):
        parse_time("099999999")
