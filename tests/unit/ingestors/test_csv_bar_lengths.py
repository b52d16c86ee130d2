"""Bars of CSV files: where they end, and how long they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from support.csv_times import times_every

from ingenium.errors import DataFileError
from ingenium.ingestors import CsvIngestor


def test_event_is_known_at_the_end_of_its_bar(tmp_path):
    path = tmp_path / "X.csv"
    path.write_text(
        "time,open,high,low,close\n2024-12-31T23:55:00.5Z,1,1,1,1\n2025-01-01T00:00:00Z,1,1,1,1\n"
    )
    events = list(CsvIngestor(path, period="5m").read())
    assert [e.timestamp for e in events] == ["2025-01-01T00:00:00.500000Z", "2025-01-01T00:05:00Z"]


def bars_of(folder, rows, header="time,open,high,low,close", **arguments):
    path = folder / "X.csv"
    path.write_text(header + "\n" + "".join(f"{row}\n" for row in rows))
    ingestor = CsvIngestor(path, **arguments)
    return list(ingestor.read_bars()), ingestor


def flat(times) -> list[str]:
    return [f"{time},1,1,1,1" for time in times]


def test_minutes_that_turn_into_hours_are_not_known_after_a_minute(tmp_path):
    times = times_every(timedelta(minutes=1), 60) + times_every(
        timedelta(hours=1), 12, "2024-01-01T01:00:00"
    )
    bars, _ = bars_of(tmp_path, flat(times))
    assert [bar.period for bar in bars] == [timedelta(minutes=1)] * 60 + [timedelta(hours=1)] * 12
    # Farther down than the rows that are looked at first.
    many = times_every(timedelta(minutes=1), 3_000) + times_every(
        timedelta(hours=1), 12, "2024-01-03T02:00:00"
    )
    with pytest.raises(DataFileError, match=r"rows are 1h apart up to .* pass period, .*'1h'"):
        bars_of(tmp_path, flat(many))
    assert len(bars_of(tmp_path, flat(many), period="1h")[0]) == 3_012


def test_hours_that_turn_into_minutes_end_where_the_next_bar_begins(tmp_path):
    times = times_every(timedelta(hours=1), 1_200) + times_every(
        timedelta(minutes=1), 600, "2024-02-20T00:00:00"
    )
    bars, _ = bars_of(tmp_path, flat(times))
    assert bars[1_199].period == timedelta(hours=1)
    assert {bar.period for bar in bars[1_200:-1]} == {timedelta(minutes=1)}


def test_days_that_turn_into_weeks_are_not_known_after_a_day(tmp_path):
    days = times_every(timedelta(days=1), 50) + times_every(
        timedelta(days=7), 8, "2024-02-20T00:00:00"
    )
    bars, _ = bars_of(tmp_path, flat(day[:10] for day in days))
    assert [bar.period for bar in bars[48:]] == [timedelta(days=1)] * 2 + [timedelta(days=7)] * 8


@pytest.mark.parametrize("seed", range(5))
def test_minutes_of_a_thin_market_stay_minutes(tmp_path, seed):
    random = Random(seed)
    start = datetime(2024, 1, 1, tzinfo=UTC)
    rows = [
        f"{(start + timedelta(days=day, minutes=minute)).isoformat()},1,1,1,1"
        for day in range(30)
        for minute in range(570, 960)
        if random.random() < (0.15 if minute > 700 else 0.9)
    ]
    bars, ingestor = bars_of(tmp_path, rows)
    assert {bar.period for bar in bars} == {timedelta(minutes=1)}
    assert [(note.kind, note.text) for note in ingestor.notes()] == [
        ("guessed", "bars last 1m, as far apart as rows are")
    ]


@pytest.mark.parametrize("order", ["by time", "by symbol"])
def test_each_symbol_of_a_file_has_a_length_of_its_own(tmp_path, order):
    hours = [(time, "H") for time in times_every(timedelta(hours=1), 24 * 60)]
    days = [(time, "D") for time in times_every(timedelta(days=1), 60)]
    short = [
        (f"2024-01-{day:02}T{clock}:00", "S")
        for day in range(1, 29)
        for clock in ("09:30", "10:00", "11:00", "12:00", "13:00")
    ]
    rows = sorted(hours + days + short, key=lambda row: row[::-1] if order == "by symbol" else row)
    lines = [f"{time},{symbol},1,1,1,1" for time, symbol in rows]
    bars, _ = bars_of(tmp_path, lines, "time,symbol,open,high,low,close")
    keys = [(bar.end, bar.symbol) for bar in bars]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(keys) == len(rows)
    periods = {symbol: {bar.period for bar in bars if bar.symbol == symbol} for symbol in "HDS"}
    assert periods == {
        "H": {timedelta(hours=1)},
        "D": {timedelta(days=1)},
        "S": {timedelta(minutes=30), timedelta(hours=1)},
    }


def test_symbol_with_few_rows_has_the_length_of_the_others(tmp_path):
    rows = [f"{time},A,1,1,1,1" for time in times_every(timedelta(hours=1), 30)]
    rows.insert(10, rows[9].replace("A", "NEW"))
    bars, _ = bars_of(tmp_path, rows, "time,symbol,open,high,low,close")
    assert {bar.period for bar in bars} == {timedelta(hours=1)}


def test_bars_that_overlap_by_a_given_period_keep_it_and_are_said(tmp_path):
    times = times_every(timedelta(minutes=30), 5)
    bars, ingestor = bars_of(tmp_path, flat(times), period="1h")
    assert {bar.period for bar in bars} == {timedelta(hours=1)}
    (note,) = ingestor.notes()
    assert note.text.startswith("bars overlap: that of line 3 comes 30m after another one, which")
    assert bars_of(tmp_path, flat(times), period="30m")[1].notes() == ()


def test_times_that_are_ends_make_bars_that_end_there(tmp_path):
    ends = [
        "2024-01-02T10:00",
        "2024-01-02T11:00",
        "2024-01-02T11:30",
        "2024-01-02T12:30",
        "2024-01-03T10:00",
        "2024-01-03T11:00",
        "2024-01-03T12:00",
    ]
    bars, _ = bars_of(tmp_path, flat(ends), stamp="end", timezone="America/New_York")
    zone = ZoneInfo("America/New_York")
    assert [f"{bar.end.astimezone(zone):%Y-%m-%dT%H:%M}" for bar in bars] == ends
    assert [f"{bar.start.astimezone(zone):%H:%M}" for bar in bars] == [
        "09:00",
        "10:00",
        "11:00",
        "11:30",
        "09:00",
        "10:00",
        "11:00",
    ]
    backwards, _ = bars_of(
        tmp_path, flat(reversed(ends)), stamp="end", timezone="America/New_York", newest_first=True
    )
    assert [(bar.start, bar.end) for bar in backwards] == [(bar.start, bar.end) for bar in bars]


def test_date_as_an_end_is_the_end_of_that_day(tmp_path):
    fridays = ["2024-10-25", "2024-11-01", "2024-11-08", "2024-11-15"]
    bars, _ = bars_of(tmp_path, flat(fridays), stamp="end", timezone="America/New_York")
    midnights = ["2024-10-26T04", "2024-11-02T04", "2024-11-09T05", "2024-11-16T05"]
    assert [f"{bar.end:%Y-%m-%dT%H}" for bar in bars] == midnights
    assert [f"{bar.start:%Y-%m-%dT%H}" for bar in bars] == ["2024-10-19T04", *midnights[:3]]


def test_ends_of_days_with_a_time_go_back_over_a_clock_change(tmp_path):
    ends = [f"2024-11-0{day} 00:00:00" for day in (1, 2, 3, 4, 5)]
    bars, _ = bars_of(tmp_path, flat(ends), stamp="end", timezone="America/New_York")
    hours = [bar.period / timedelta(hours=1) for bar in bars]
    assert hours == [24, 24, 24, 25, 24]


def test_ends_of_several_symbols_are_in_order(tmp_path):
    rows = [f"2024-01-01T{hour:02}:00,{symbol},1,1,1,1" for hour in range(1, 9) for symbol in "BA"]
    bars, _ = bars_of(tmp_path, rows, "time,symbol,open,high,low,close", stamp="end")
    assert [(bar.end.hour, bar.symbol) for bar in bars] == [
        (hour, symbol) for hour in range(1, 9) for symbol in "AB"
    ]
    assert {bar.end - bar.start for bar in bars} == {timedelta(hours=1)}


def test_same_text_twice_in_the_repeated_hour_is_the_second_pass(tmp_path):
    times = [f"2024-11-03 {clock}" for clock in ("00:00", "01:00", "01:00", "02:00")]
    bars, _ = bars_of(tmp_path, flat(times), timezone="America/New_York")
    assert [bar.start.hour for bar in bars] == [4, 5, 6, 7]


def test_two_symbols_in_the_repeated_hour_share_its_passes(tmp_path):
    clocks = ["00:30", "01:00", "01:30", "01:00", "01:30", "02:00"]
    rows = [f"2024-11-03 {clock},{symbol},1,1,1,1" for clock in clocks for symbol in "AB"]
    bars, _ = bars_of(
        tmp_path, rows, "time,symbol,open,high,low,close", timezone="America/New_York"
    )
    expected = [
        datetime(2024, 11, 3, 4, 30, tzinfo=UTC) + timedelta(minutes=30 * i) for i in range(6)
    ]
    assert [(bar.start, bar.symbol) for bar in bars] == [
        (start, symbol) for start in expected for symbol in "AB"
    ]


def test_symbol_that_trades_first_in_the_second_pass_is_put_there(tmp_path):
    rows = [f"2024-11-03 {clock},A,1,1,1,1" for clock in ("01:00", "01:30", "01:00", "01:30")]
    rows.append("2024-11-03 01:30,B,1,1,1,1")
    rows += [
        f"2024-11-03 {clock},{symbol},1,1,1,1" for clock in ("02:00", "02:30") for symbol in "AB"
    ]
    bars, _ = bars_of(
        tmp_path, rows, "time,symbol,open,high,low,close", timezone="America/New_York"
    )
    assert next(bar.start for bar in bars if bar.symbol == "B") == datetime(
        2024, 11, 3, 6, 30, tzinfo=UTC
    )


@pytest.mark.parametrize(
    ("times", "text"),
    [
        (["2024-01-02"], "bars last 1d, as the only time is a date"),
        (["2024-01-02", "2024-01-03"], "bars last 1d, as far apart as rows are"),
        (["2024-01-01", "2024-02-01"], "bars last up to 31d, as far apart as rows are"),
    ],
)
def test_length_that_was_found_is_noted(tmp_path, times, text):
    _, ingestor = bars_of(tmp_path, flat(times))
    assert [(note.source, note.kind, note.text) for note in ingestor.notes()] == [
        ("X.csv", "guessed", text)
    ]
    assert bars_of(tmp_path, flat(times[:1]), period="31d")[1].notes() == ()


def test_bars_that_the_next_one_ends_are_counted(tmp_path):
    times = times_every(timedelta(hours=1), 20)
    times[5:5] = ["2024-01-01T04:30:00"]
    times[9:9] = ["2024-01-01T07:15:00"]
    _, ingestor = bars_of(tmp_path, flat(times))
    first, second = ingestor.notes()
    assert (first.kind, first.text) == ("guessed", "bars last 1h, as far apart as rows are")
    # A row between two others makes two short bars.
    assert (second.kind, second.count) == ("clipped", 4)
    assert second.text.startswith("line 7: begins before the bar before it has its full length")
    days = [f"2024-03-{day:02}" for day in (8, 9, 10, 11, 12)]
    zone = "America/New_York"
    assert len(bars_of(tmp_path, flat(days), timezone=zone)[1].notes()) == 1
    months = ["2024-01-01", "2024-02-01", "2024-03-01"]
    assert len(bars_of(tmp_path, flat(months))[1].notes()) == 1


def test_bar_that_ends_within_a_second_gets_the_whole_of_it(tmp_path):
    clocks = ["09:30:00", "09:31:00", "09:32:00", "09:32:30.4", "09:33:30.4", "09:34:30.4"]
    bars, _ = bars_of(tmp_path, flat(f"2024-01-02 {clock}" for clock in clocks))
    # 30.4 seconds are 31 on the bus, so that nothing is known before it is over.
    assert [bar.period.total_seconds() for bar in bars] == [60, 60, 31, 60, 60, 60]


def test_rows_of_symbols_within_a_second_stay_in_order(tmp_path):
    clocks = ["09:30:00", "09:31:00", "09:32:00", "09:32:30.4", "09:33:30.4", "09:34:30.4"]
    rows = [f"2024-01-02 {clock},{symbol},1,1,1,1" for clock in clocks for symbol in "AB"]
    rows.insert(8, "2024-01-02 09:32:30.9,C,1,1,1,1")
    bars, _ = bars_of(tmp_path, rows, "time,symbol,open,high,low,close")
    keys = [(bar.end, bar.symbol) for bar in bars]
    assert keys == sorted(keys)
    assert len(keys) == 13


def test_mixed_symbols_with_short_bars_stay_in_order(tmp_path):
    # Each day Z begins at half past nine and the others at nine; all go on by the hour.
    rows = []
    for day in range(2, 30):
        clocks = [
            ("09:00", "AB"),
            ("09:30", "Z"),
            *((f"{hour}:00", "ABZ") for hour in range(10, 16)),
        ]
        rows += [
            f"2024-01-{day:02} {clock},{symbol},1,1,1,1"
            for clock, names in clocks
            for symbol in names
        ]
    bars, _ = bars_of(tmp_path, rows, "time,symbol,open,high,low,close")
    keys = [(bar.end, bar.symbol) for bar in bars]
    assert keys == sorted(keys)
    assert len(keys) == len(rows)
    assert keys.count((datetime(2024, 1, 2, 10, tzinfo=UTC), "Z")) == 1
    assert [bar.symbol for bar in bars[:6]] == ["A", "B", "Z", "A", "B", "Z"]
    assert all(bar.end == bar.start + bar.period for bar in bars)
    short = [bar for bar in bars if bar.start.minute == 30]
    assert {bar.period for bar in short} == {timedelta(minutes=30)}
    assert {bar.period for bar in bars if bar.start.minute == 0} == {timedelta(hours=1)}


def test_days_of_25_hours_of_mixed_symbols(tmp_path):
    times = [f"2024-11-0{day}T0{4 if day < 4 else 5}:00Z" for day in range(1, 7)]
    rows = [
        f"{time},{symbol},1,1,1,1"
        for time in times
        for symbol in "ABC"
        if not (symbol == "B" and time.startswith("2024-11-04"))
    ]
    bars, _ = bars_of(tmp_path, rows, "time,symbol,open,high,low,close")
    keys = [(bar.end, bar.symbol) for bar in bars]
    assert keys == sorted(keys)
    for symbol in "AC":
        hours = [bar.period / timedelta(hours=1) for bar in bars if bar.symbol == symbol]
        assert hours == [24, 24, 25, 24, 24, 24]
    assert all(bar.end == bar.start + bar.period for bar in bars)
    assert len(bars) == 17


def test_minutes_of_a_very_thin_market_stay_minutes(tmp_path):
    random = Random(3)
    start = datetime(2024, 1, 1, tzinfo=UTC)
    rows = flat(
        (start + timedelta(minutes=minute)).isoformat()
        for minute in range(9_000)
        if random.random() < 0.1
    )
    bars, _ = bars_of(tmp_path, rows)
    assert {bar.period for bar in bars} == {timedelta(minutes=1)}


def test_symbol_with_one_distance_does_not_speak_for_the_others(tmp_path):
    header = "time,symbol,open,high,low,close"
    hours = [f"{time},H,1,1,1,1" for time in times_every(timedelta(hours=1), 30)]
    few = ["2024-01-01T00:00:00,A,1,1,1,1", "2024-01-02T00:00:00,A,1,1,1,1"]
    one = ["2024-01-01T12:00:00,B,1,1,1,1"]
    for rows in ([*few, *hours, *one], [*hours, *few, *one]):
        bars, _ = bars_of(tmp_path, sorted(rows), header)
        assert {bar.period for bar in bars} == {timedelta(hours=1)}
        bars, _ = bars_of(tmp_path, rows, header)
        assert {bar.period for bar in bars} == {timedelta(hours=1)}
    days = [f"2024-01-{day:02},D,1,1,1,1" for day in range(1, 20)]
    dates = ["2024-01-01,W,1,1,1,1", "2024-01-08,W,1,1,1,1"]
    # Dates a week apart may be weeks, which is later than days.
    bars, _ = bars_of(tmp_path, sorted([*days, *dates, "2024-01-05,X,1,1,1,1"]), header)
    lengths = {
        symbol: [bar.period.days for bar in bars if bar.symbol == symbol] for symbol in "DWX"
    }
    assert lengths == {"D": [1] * 19, "W": [7, 7], "X": [1]}
    # Where all have one, the longest of them counts for those that have none.
    pairs = [
        "2024-01-01T00:00,A,1,1,1,1",
        "2024-01-01T01:00,A,1,1,1,1",
        "2024-01-01T02:00,B,1,1,1,1",
    ]
    bars, _ = bars_of(tmp_path, pairs, header)
    assert {bar.period for bar in bars} == {timedelta(hours=1)}


def test_months_of_mixed_symbols_end_with_their_last_day(tmp_path):
    dates = ["2023-12-01", "2024-01-01", "2024-02-01"]
    rows = [f"{date},{symbol},1,1,1,1" for date in dates for symbol in "ABC"]
    bars, _ = bars_of(tmp_path, rows, "time,symbol,open,high,low,close")
    assert [(bar.symbol, bar.period.days) for bar in bars] == [
        (symbol, days) for days in (31, 31, 29) for symbol in "ABC"
    ]


def test_ends_that_turn_from_minutes_to_hours_are_asked_for(tmp_path):
    minutes = times_every(timedelta(minutes=1), 3_001)[1:]
    hours = times_every(timedelta(hours=1), 12, "2024-01-03T03:00:00")
    with pytest.raises(DataFileError, match=r"rows are 1h apart up to 2024-01-03T\d\d:00:00Z"):
        bars_of(tmp_path, flat(minutes + hours), stamp="end")


def test_days_of_a_zone_of_mixed_symbols_end_at_midnight_where_the_next_is_missing(tmp_path):
    rows = [f"2024-11-0{day},{symbol},1,1,1,1" for day in (1, 2, 3, 5) for symbol in "ABC"]
    bars, _ = bars_of(
        tmp_path, rows, "time,symbol,open,high,low,close", timezone="America/New_York"
    )
    hours = [bar.period / timedelta(hours=1) for bar in bars if bar.symbol == "B"]
    assert hours == [24, 24, 25, 24]
