"""Every form of text in which sources write lengths and times, against values written by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ingenium.errors import DecodeError
from ingenium.trading.period import (
    NOT_STATED,
    add_months,
    end_of_period,
    format_period,
    is_period,
    parse_period,
    read_period,
    start_of_period,
)
from ingenium.trading.timestamp import is_time, parse_time

SECOND = timedelta(seconds=1)
STATED = datetime(2024, 1, 3, 21, 5, 9, tzinfo=UTC)

# The length in seconds.
LENGTHS = {
    "5m": 300,
    "5 m": 300,
    " 5m ": 300,
    "min": 60,
    "1Hour": 3_600,
    "15 mins": 900,
    "2-hours": 7_200,
    "30_sec": 30,
    "daily": 86_400,
    "2weeks": 1_209_600,
    "250ms": 0.25,
    "7 us": 0.000007,
    "M5": 300,
    "H4": 14_400,
    "S30": 30,
    "D2": 172_800,
    "W1": 604_800,
    "1h0m0s": 3_600,
    "1h2m3s": 3_723,
    "1.5s": 1.5,
    "0.25h": 900,
    "1m0.5s": 60.5,
    "100µs": 0.0001,
    "100μs": 0.0001,
    "4000ns": 0.000004,
    "PT5M": 300,
    "pt1h30m": 5_400,
    "P1W": 604_800,
    "P1DT2H3M4S": 93_784,
    "PT0.25S": 0.25,
    "PT1,5S": 1.5,
    "0:05:00": 300,
    "01:02:03": 3_723,
    "1 day, 0:00:01": 86_401,
    "2 days, 1:00:00": 176_400,
    "1.00:00:02": 86_402,
    "0:00:00.25": 0.25,
    "0:00:01.000007": 1.000007,
}
MONTHS = {
    "1M": 1,
    "M": 1,
    "3mo": 3,
    "monthly": 1,
    "2q": 6,
    "yearly": 12,
    "3 years": 36,
    "MN1": 1,
    "MN2": 2,
    "P1M": 1,
    "P2Y": 24,
    "P1Y6M": 18,
}
UNKNOWN = ["soon", "5 moons", "M0", "P", "PT", "P1M1D", "1:2:3", "1h x", "999999999999999w", "1ns"]


@pytest.mark.parametrize(("text", "seconds"), LENGTHS.items())
def test_length_of_a_fixed_time(text: str, seconds: float) -> None:
    length = timedelta(microseconds=round(seconds * 1_000_000))
    assert read_period(text) == length
    assert parse_period(text) == length
    assert is_period(text)


@pytest.mark.parametrize(("text", "months"), MONTHS.items())
def test_length_in_months_has_no_fixed_time(text: str, months: int) -> None:
    assert read_period(text) == months
    assert is_period(text)
    with pytest.raises(DecodeError, match=r"Ohlc\.Period"):
        parse_period(text)


@pytest.mark.parametrize("text", UNKNOWN)
def test_text_that_is_no_length_counts_as_not_stated(text: str) -> None:
    assert not is_period(text)
    # The second time from what is remembered.
    for _ in range(2):
        assert read_period(text) == NOT_STATED
    assert not is_period(text)
    with pytest.raises(DecodeError, match="such as '5m'"):
        parse_period(text)


@pytest.mark.parametrize("text", ["", "  ", "0mo", "0s"])
def test_length_that_is_not_stated_is_none_of_time(text: str) -> None:
    assert is_period(text)
    assert read_period(text) == NOT_STATED
    with pytest.raises(DecodeError):
        parse_period(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (604_800, "7d"),
        (86_400, "1d"),
        (90_000, "25h"),
        (5_400, "90m"),
        (61, "61s"),
        (0.5, "500ms"),
        (0.000001, "1us"),
    ],
)
def test_length_is_written_in_the_largest_unit_below_a_week(seconds: float, text: str) -> None:
    for _ in range(2):
        assert format_period(seconds * SECOND) == text


@pytest.mark.parametrize("period", [timedelta(0), -SECOND])
def test_length_that_is_not_positive_has_no_text(period: timedelta) -> None:
    with pytest.raises(ValueError, match="is not positive"):
        format_period(period)


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        ((2024, 1, 31), 1, (2024, 2, 29)),
        ((2023, 1, 31), 1, (2023, 2, 28)),
        ((2023, 1, 30), 1, (2023, 2, 28)),
        ((2024, 1, 29), 1, (2024, 2, 29)),
        ((2024, 3, 31), 1, (2024, 4, 30)),
        ((2024, 11, 15), 2, (2025, 1, 15)),
        ((2024, 12, 1), 12, (2025, 12, 1)),
        ((2024, 3, 31), -1, (2024, 2, 29)),
        ((2024, 1, 1), -1, (2023, 12, 1)),
        ((2024, 2, 27), 12, (2025, 2, 27)),
    ],
)
def test_months_later_is_the_same_day_or_the_last_of_a_shorter_month(
    start: tuple[int, int, int], months: int, end: tuple[int, int, int]
) -> None:
    begin, last = datetime(*start, 9, 30, tzinfo=UTC), datetime(*end, 9, 30, tzinfo=UTC)
    assert add_months(begin, months) == last
    assert end_of_period(begin, months) == last
    assert start_of_period(begin, -months) == last


def test_fixed_length_is_added_and_taken_away() -> None:
    assert end_of_period(STATED, timedelta(minutes=5)) == datetime(
        2024, 1, 3, 21, 10, 9, tzinfo=UTC
    )
    assert start_of_period(STATED, timedelta(minutes=5)) == datetime(
        2024, 1, 3, 21, 0, 9, tzinfo=UTC
    )


@pytest.mark.parametrize("length", [timedelta(days=10_000 * 366), 12 * 10_000])
def test_end_that_no_calendar_has_is_the_start(length: timedelta | int) -> None:
    assert end_of_period(STATED, length) == STATED
    assert start_of_period(STATED, length) == STATED


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-03T21:05:09Z",
        "2024-01-03T21:05:09",
        "2024-01-03 21:05:09 UTC",
        "2024-01-03T16:05:09-05:00",
        "2024-01-03T23:05:09.000+02:00",
        " 2024-01-03T21:05:09Z ",
        "20240103T210509Z",
        "20240103210509",
        "1704315909",
        "1704315909000",
        "1.704315909E9",
        "2024-01-03 21:05:09 +0000 UTC",
        "2024-01-03 16:05:09 -0500 EST",
        "2024-01-03 16:05:09 -0500 EST m=+1.25",
        "Wed Jan  3 21:05:09 2024",
        "Wed Jan  3 21:05:09 UTC 2024",
        "Wed, 03 Jan 2024 21:05:09 GMT",
        "Wed, 03 Jan 2024 21:05:09 UTC",
        "Wed, 03 Jan 2024 16:05:09 -0500",
        "3 Jan 2024 21:05:09 GMT",
    ],
)
def test_time_in_every_form_is_the_same_in_utc(text: str) -> None:
    time = parse_time(text)
    assert time == STATED
    assert time.utcoffset() == timedelta(0)
    assert is_time(text)


def test_part_of_a_second_is_kept() -> None:
    assert parse_time("2024-01-03 21:05:09.25 +0000 UTC") == STATED + timedelta(milliseconds=250)
    assert parse_time("1704315909.25") == STATED + timedelta(milliseconds=250)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0001-01-01T00:00:00Z",
        "0001-01-01 00:00:00 +0000 UTC",
        "0001-01-01T00:00:00+00:00",
        "yesterday",
        "2024-13-01T00:00:00Z",
        "2024-01-03 25:05:09 +0000 UTC",
        "Wed Jan 33 21:05:09 2024",
        "20241303210509",
        "1e3",
        "0001-01-01T00:00:00+05:00",
    ],
)
def test_text_that_states_no_time_is_refused(text: str) -> None:
    assert not is_time(text)
    with pytest.raises(DecodeError, match="Timestamp"):
        parse_time(text)
