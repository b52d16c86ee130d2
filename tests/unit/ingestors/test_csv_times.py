"""The forms of times, zones and their clock changes, and the length of bars."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingenium.errors import DataFileError
from ingenium.ingestors import CsvIngestor
from ingenium.ingestors.csv._zones import Zone


def read_times(folder, times, **arguments) -> list[str]:
    """Write rows with these times; return the starts that come out, without the seconds' zeros."""
    rows = "".join(f'"{time}",1,1,1,1\n' for time in times)
    path = folder / "X.csv"
    path.write_text("time,open,high,low,close\n" + rows)
    events = list(CsvIngestor(path, **arguments).read())
    return [
        event.ohlc.timestamp.isoformat().replace("+00:00", "Z")
        for event in events
        if event.ohlc and event.ohlc.timestamp
    ]


DAY = "2024-01-02T00:00:00Z"
TIME = "2024-01-02T15:04:05Z"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-01-02", DAY),
        ("2024/01/02", DAY),
        ("2024.1.2", DAY),
        ("20240102", DAY),
        ("02.01.2024", DAY),
        ("13.01.2024", "2024-01-13T00:00:00Z"),
        ("13/01/2024", "2024-01-13T00:00:00Z"),
        ("01/13/2024", "2024-01-13T00:00:00Z"),
        ("01-13-24", "2024-01-13T00:00:00Z"),
        ("13/01/99", "1999-01-13T00:00:00Z"),
        ("Jan 2, 2024", DAY),
        ("January 2 2024", DAY),
        ("Tue, Jan 2, 2024", DAY),
        ("2 Jan 2024", DAY),
        ("02-Jan-24", DAY),
        ("2024-01-02T15:04:05Z", TIME),
        ("2024-01-02 15:04:05", TIME),
        ("2024-01-02 15:04:05+00:00", TIME),
        ("2024-01-02T10:04:05-05:00", TIME),
        ("2024-01-02 15:04:05 UTC", TIME),
        ("2024-01-02T15:04:05.000000000Z", TIME),
        ("2024-01-02 15:04", "2024-01-02T15:04:00Z"),
        ("2024/01/02 3:04:05 PM", TIME),
        ("20240102 15:04:05", TIME),
        ("20240102T150405Z", TIME),
        ("20240102150405", TIME),
        ("202401021504", "2024-01-02T15:04:00Z"),
        ("02.01.2024 15:04:05.000", TIME),
        ("1/13/2024 12:30 AM", "2024-01-13T00:30:00Z"),
        ("1/13/2024 12:30 PM", "2024-01-13T12:30:00Z"),
        ("Jan 2, 2024 3:04:05 pm", TIME),
        ("2 Jan 2024 15:04:05", TIME),
        ("1704207845", TIME),
        ("1704207845.0", TIME),
        ("1704207845000", TIME),
        ("1704207845000000", TIME),
        ("1704207845000000000", TIME),
        ("978307200", "2001-01-01T00:00:00Z"),
    ],
)
def test_form_of_a_time_is_found_out(tmp_path, text, expected):
    assert read_times(tmp_path, [text], period="1s") == [expected]


def test_fractions_of_a_second_are_kept_to_the_microsecond(tmp_path):
    times = ["2024-01-02 00:00:00.250", "2024-01-02 00:00:00.7512345"]
    assert read_times(tmp_path, times, period="1s") == [
        "2024-01-02T00:00:00.250000Z",
        "2024-01-02T00:00:00.751234Z",
    ]


def test_count_that_goes_from_milliseconds_to_microseconds_goes_on(tmp_path):
    times = ["1735689540000", "1735689600000000"]
    assert read_times(tmp_path, times) == ["2024-12-31T23:59:00Z", "2025-01-01T00:00:00Z"]


def test_day_and_month_are_told_apart_far_down_the_file(tmp_path):
    days = [
        f"{month:02}/{day:02}/{year}"
        for year in range(1900, 2000)
        for day in range(1, 13)
        for month in (1,)
    ]
    assert read_times(tmp_path, [*days, "01/13/2000"])[-1] == "2000-01-13T00:00:00Z"
    days = [
        f"{day:02}/{month:02}/{year}"
        for year in range(1900, 2000)
        for day in range(1, 13)
        for month in (1,)
    ]
    assert read_times(tmp_path, [*days, "13/01/2000"])[-1] == "2000-01-13T00:00:00Z"


def test_day_and_month_that_stay_open_are_an_error_with_a_cure(tmp_path):
    times = ["01/02/2024", "01/03/2024"]
    with pytest.raises(
        DataFileError, match=r"X\.csv: dates such as '01/02/2024' leave open .* pass"
    ):
        read_times(tmp_path, times)
    assert read_times(tmp_path, times, date_format="%m/%d/%Y")[1] == "2024-01-03T00:00:00Z"
    assert (
        read_times(tmp_path, times, date_format="%d/%m/%Y", period="31d")[1]
        == "2024-03-01T00:00:00Z"
    )


def test_days_first_and_months_first_in_one_file_are_an_error(tmp_path):
    with pytest.raises(DataFileError, match="some dates have the day first and others the month"):
        read_times(tmp_path, ["13/01/2024", "01/14/2024"])


def test_time_of_an_unknown_form_is_an_error_with_a_cure(tmp_path):
    with pytest.raises(
        DataFileError, match="time 'Q1 2024' has no form that is known: pass date_format"
    ):
        read_times(tmp_path, ["Q1 2024"])


@pytest.mark.parametrize(
    "text",
    ["2024-02-30", "2024-13-01", "soon", "2024-01-03 25:00", "1704207845", "99999999999999999999"],
)
def test_time_that_cannot_be_is_a_bad_row(tmp_path, text):
    with pytest.raises(DataFileError, match=r"X\.csv, line 3: time '.*' cannot be read"):
        read_times(tmp_path, ["2024-01-02", text, "2024-01-04"])


def test_date_format_that_does_not_fit_is_a_bad_row(tmp_path):
    with pytest.raises(DataFileError, match=r"line 2: time .* does not fit date_format '%d.%m.%Y'"):
        read_times(tmp_path, ["2024-01-02"], date_format="%d.%m.%Y")


def test_local_times_are_turned_into_utc(tmp_path):
    times = ["2024-01-02 09:30", "2024-07-02 09:30"]
    assert read_times(tmp_path, times, timezone="America/New_York", period="1m") == [
        "2024-01-02T14:30:00Z",
        "2024-07-02T13:30:00Z",
    ]


def test_zone_of_the_file_is_not_asked_where_times_state_one(tmp_path):
    times = ["2024-01-02T09:30:00Z", "2024-01-02T09:31:00+01:00"]
    path_times = read_times(tmp_path, times[:1], timezone="America/New_York", period="1m")
    assert path_times == ["2024-01-02T09:30:00Z"]


def test_dates_are_days_of_the_zone(tmp_path):
    assert read_times(
        tmp_path, ["2024-01-02", "2024-07-02"], timezone="America/New_York", period="1d"
    ) == [
        "2024-01-02T05:00:00Z",
        "2024-07-02T04:00:00Z",
    ]


def test_hour_that_repeats_is_read_twice_in_order(tmp_path):
    # Clocks in New York went from 02:00 back to 01:00 on 3 November 2024.
    clocks = ["00:30", "01:00", "01:30", "01:00", "01:30", "02:00"]
    times = [f"2024-11-03 {clock}" for clock in clocks]
    assert read_times(tmp_path, times, timezone="America/New_York") == [
        "2024-11-03T04:30:00Z",
        "2024-11-03T05:00:00Z",
        "2024-11-03T05:30:00Z",
        "2024-11-03T06:00:00Z",
        "2024-11-03T06:30:00Z",
        "2024-11-03T07:00:00Z",
    ]


def test_hour_that_clocks_skip_is_a_bad_row(tmp_path):
    times = ["2024-03-10 01:30", "2024-03-10 02:30", "2024-03-10 03:30"]
    with pytest.raises(DataFileError, match=r"line 3: .* does not exist in America/New_York"):
        read_times(tmp_path, times, timezone="America/New_York")


def test_day_whose_midnight_clocks_skip_starts_at_its_first_moment(tmp_path):
    # Clocks in Beirut went from 00:00 to 01:00 on 31 March 2024.
    times = ["2024-03-30", "2024-03-31", "2024-04-01"]
    assert read_times(tmp_path, times, timezone="Asia/Beirut") == [
        "2024-03-29T22:00:00Z",
        "2024-03-30T22:00:00Z",
        "2024-03-31T21:00:00Z",
    ]


@given(
    st.datetimes(datetime(1971, 1, 1), datetime(2037, 1, 1)),  # noqa: DTZ001
    st.sampled_from(["America/New_York", "Europe/Berlin", "Asia/Tokyo", "Australia/Lord_Howe"]),
)
def test_any_moment_written_in_local_time_comes_back(moment, name):
    zone = ZoneInfo(name)
    moment = moment.replace(tzinfo=UTC)
    local = moment.astimezone(zone)
    # What came just before tells the second pass of a repeated hour from the first.
    last = moment - timedelta(hours=1) if local.fold else None
    assert Zone(zone).to_utc(local.replace(tzinfo=None, fold=0), last, False) == moment


def times_every(step: timedelta, count: int, start: str = "2024-01-01T00:00:00") -> list[str]:
    first = datetime.fromisoformat(start)
    return [(first + i * step).isoformat() for i in range(count)]


def period_of(folder, times, **arguments) -> list[str]:
    path = folder / "X.csv"
    path.write_text("time,open,high,low,close\n" + "".join(f"{time},1,1,1,1\n" for time in times))
    return [
        event.ohlc.period or "" for event in CsvIngestor(path, **arguments).read() if event.ohlc
    ]


@pytest.mark.parametrize(
    ("step", "period"),
    [
        (timedelta(seconds=1), "1s"),
        (timedelta(minutes=1), "1m"),
        (timedelta(minutes=5), "5m"),
        (timedelta(hours=1), "1h"),
        (timedelta(hours=4), "4h"),
        (timedelta(days=1), "1d"),
        (timedelta(days=7), "7d"),
    ],
)
def test_period_is_the_usual_distance(tmp_path, step, period):
    assert period_of(tmp_path, times_every(step, 40)) == [period] * 40


def test_period_of_sessions_with_gaps_is_the_smallest_usual_distance(tmp_path):
    # One row comes seven seconds after another, which ends that one.
    days = [f"2024-01-{day:02}T09:30:00" for day in (2, 3, 4, 5, 8)]
    times = [time for day in days for time in times_every(timedelta(minutes=5), 30, day)]
    del times[3:60:7]
    times.insert(80, times[79].replace(":00", ":07"))
    assert set(period_of(tmp_path, times)) == {"5m", "7s", "293s"}


@pytest.mark.parametrize(
    ("dates", "period"),
    [
        (["2024-01-02"], "1d"),
        (["2024-01-05", "2024-01-08"], "1d"),
        (["2024-01-02", "2024-01-03", "2024-01-05"], "1d"),
        (["2024-01-05", "2024-01-08", "2024-01-10"], "1d"),
        (["2024-01-01", "2024-01-08", "2024-01-15"], "7d"),
        (["2024-01-01", "2024-02-01"], "31d"),
        (["2023-10-01", "2024-01-01"], "92d"),
    ],
)
def test_period_of_dates_is_that_of_a_calendar(tmp_path, dates, period):
    assert period_of(tmp_path, dates)[0] == period


def test_week_that_a_holiday_moved_ends_where_the_next_one_begins(tmp_path):
    dates = ["2024-01-02", "2024-01-08", "2024-01-16", "2024-01-22"]
    assert period_of(tmp_path, dates) == ["6d", "7d", "6d", "7d"]


def test_month_ends_with_its_last_day_also_where_the_next_one_is_missing(tmp_path):
    dates = ["2024-01-01", "2024-02-01", "2024-03-01", "2024-06-01"]
    assert period_of(tmp_path, dates) == ["31d", "29d", "31d", "30d"]
    last_days = ["2024-01-31", "2024-02-29", "2024-03-29", "2024-04-30"]
    # Taken for the starts of bars, they are late rather than early.
    assert period_of(tmp_path, last_days) == ["29d", "29d", "31d", "31d"]
    assert period_of(tmp_path, last_days, stamp="end") == ["31d", "29d", "29d", "30d"]


@pytest.mark.parametrize("clock", ["", "T00:00:00"])
@pytest.mark.parametrize("period", [None, "1d"])
def test_days_of_a_zone_have_23_or_25_hours_where_clocks_change(tmp_path, clock, period):
    zone = {"timezone": "America/New_York", "period": period}
    spring = [f"2024-03-{day:02}{clock}" for day in (8, 9, 10, 11, 12)]
    assert period_of(tmp_path, spring, **zone) == ["1d", "1d", "23h", "1d", "1d"]
    autumn = [f"2024-11-{day:02}{clock}" for day in (1, 2, 3, 5)]
    assert period_of(tmp_path, autumn, **zone) == ["1d", "1d", "25h", "1d"]


def test_days_of_a_zone_that_are_written_in_utc_have_25_hours_too(tmp_path):
    times = ["2024-11-01T04:00Z", "2024-11-02T04:00Z", "2024-11-03T04:00Z", "2024-11-04T05:00Z"]
    assert period_of(tmp_path, times) == ["1d", "1d", "25h", "1d"]
    offsets = [f"2024-11-0{day} 00:00:00-0{4 if day < 4 else 5}:00" for day in (1, 2, 3, 4, 5)]
    assert period_of(tmp_path, offsets) == ["1d", "1d", "25h", "1d", "1d"]


@pytest.mark.parametrize(
    ("times", "text"),
    [
        (["2024-01-02T09:30:00"], "one row does not show how long a bar is: pass period, such as"),
        (
            ["2024-01-02T09:30:00", "2024-01-02T13:30:00", "2024-01-03T09:30:00"],
            "rows are 4h or 20h apart, which does not show how long a bar is: pass period",
        ),
        (
            ["2024-01-02T09:30:00", "2024-01-02T09:30:00.5"],
            "bars are 0.5 seconds apart, like ticks",
        ),
    ],
)
def test_period_that_does_not_show_is_an_error_with_a_cure(tmp_path, times, text):
    with pytest.raises(DataFileError) as caught:
        period_of(tmp_path, times)
    assert text in str(caught.value)
    assert set(period_of(tmp_path, times, period="31d")) == {"31d"}


@pytest.mark.parametrize("newest_first", [False, True])
def test_period_that_does_not_show_names_the_symbol(tmp_path, newest_first):
    rows = [f"2024-01-02 09:{minute},A,1,1,1,1" for minute in range(30, 50)]
    rows += [f"2024-01-02 09:{minute},B,1,1,1,1" for minute in (32, 35, 40)]
    path = tmp_path / "all.csv"
    path.write_text(
        "\n".join(["Date,Symbol,Open,High,Low,Close", *sorted(rows, reverse=newest_first)])
    )
    with pytest.raises(DataFileError, match=r"rows of B are (3m or 5m|5m or 3m) apart, which"):
        list(CsvIngestor(path, newest_first=newest_first).read())


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
