"""Bars of any length, below a second too."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ingenium.errors import ConfigError
from ingenium.events import DataEvent, decode, encode
from ingenium.trading import Bar

START = datetime(2024, 1, 3, 14, 30, tzinfo=UTC)


def make(period: timedelta) -> Bar:
    """Make a bar of a length."""
    return Bar.make("A", START, open="1", high="2", low="1", close="2", period=period)


@pytest.mark.parametrize(
    ("microseconds", "text", "end"),
    [
        (1, "1us", "2024-01-03T14:30:00.000001Z"),
        (1_000, "1ms", "2024-01-03T14:30:00.001000Z"),
        (200_000, "200ms", "2024-01-03T14:30:00.200000Z"),
        (1_000_000, "1s", "2024-01-03T14:30:01Z"),
        (1_500_000, "1500ms", "2024-01-03T14:30:01.500000Z"),
        (60_000_000, "1m", "2024-01-03T14:31:00Z"),
        (60_000_001, "60000001us", "2024-01-03T14:31:00.000001Z"),
    ],
)
def test_bar_of_any_length_is_read_as_it_was_made(microseconds: int, text: str, end: str) -> None:
    bar = make(timedelta(microseconds=microseconds))
    assert bar.event.ohlc is not None
    assert (bar.event.ohlc.period, bar.event.timestamp) == (text, end)
    read = Bar.from_event(decode(DataEvent, encode(bar.event)))
    assert (read.start, read.end, read.period) == (bar.start, bar.end, bar.period)
    assert bar.end - bar.start == timedelta(microseconds=microseconds)


def test_negative_length_is_refused_where_the_bar_is_made() -> None:
    with pytest.raises(ConfigError, match=r"period of a bar of 'A' is -1 day, 23:59:59: pass a"):
        make(timedelta(seconds=-1))
