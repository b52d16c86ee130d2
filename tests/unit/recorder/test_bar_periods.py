"""Bars of longer periods: first, highest, lowest and last price, and gaps that stay gaps."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from pathlib import Path

import pytest

from ingenium.recorder import open as open_recording
from ingenium.recorder.bar_periods import PERIODS, period_table
from ingenium.recorder.live_recording import open_database

MINUTE = 60 * 1_000_000_000
DAY = 24 * 60 * MINUTE
START = 19_724 * DAY
ROWS = [
    # Minute, open, high, low, close, volume.
    (0, "10", "12", "9", "11", "5"),
    (1, "11", "11.5", "8.25", "9", None),
    (4, "9", "20.10", "9", "10", "7"),
    (5, "10", "10", "10", "10", None),
    (61, "7", "7", "6", "6.5", "0.1"),
    (1500, "1", "1", "1", "1", "0.2"),
]


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "record.db"
    open_database(str(path)).engine.dispose()
    with sqlite3.connect(path) as database:
        for number, (minute, *prices, volume) in enumerate(ROWS, 1):
            time = START + minute * MINUTE
            row = ("a/live", number, "IBM", time, time + 5, *prices, volume, "")
            database.execute(f"insert into bars values ({', '.join('?' * len(row))})", row)
        row = ("a/live", "a", "live", 1, 9, 0, "", 0)
        database.execute(f"insert into position values ({', '.join('?' * 8)})", row)
    database.close()
    return path


def read(path: Path, period: str, limit: int = 100, **span: int | None) -> list[tuple[object, ...]]:
    names = ("time", "open", "high", "low", "close", "volume", "sequence", "bars")
    with open_recording(str(path)) as records:
        table = records.run(
            lambda connection: period_table(
                connection,
                "a",
                "IBM",
                span.get("since"),
                span.get("until"),
                limit,
                PERIODS[period],
            )
        )
        return [tuple(row[name] for name in names) for row in table]


def bar(
    minute: int, prices: str, volume: str | None, sequence: int, bars: int
) -> tuple[object, ...]:
    amount = None if volume is None else Decimal(volume)
    return (START + minute * MINUTE, *map(Decimal, prices.split()), amount, sequence, bars)


def test_prices_and_volume_of_a_longer_bar_are_those_of_its_bars(recording: Path) -> None:
    assert read(recording, "5m") == [
        bar(0, "10 20.10 8.25 10", "12", 3, 3),
        bar(5, "10 10 10 10", None, 4, 1),
        bar(60, "7 7 6 6.5", "0.1", 5, 1),
        bar(1500, "1 1 1 1", "0.2", 6, 1),
    ]
    assert read(recording, "1d") == [
        bar(0, "10 20.10 6 6.5", "12.1", 5, 5),
        bar(1440, "1 1 1 1", "0.2", 6, 1),
    ]
    assert len(read(recording, "1m")) == len(ROWS)


def test_limit_takes_the_latest_whole_bars_and_a_range_bounds_them(recording: Path) -> None:
    assert read(recording, "5m", 2) == read(recording, "5m")[-2:]
    assert read(recording, "1h", 2)[0] == bar(60, "7 7 6 6.5", "0.1", 5, 1)
    only = read(recording, "5m", since=START + MINUTE, until=START + 5 * MINUTE)
    assert only == [bar(0, "11 20.10 8.25 10", "7", 3, 2)]
    assert read(recording, "5m", since=START + 2000 * MINUTE) == []
