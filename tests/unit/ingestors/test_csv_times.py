"""The forms of times, zones and their clock changes, and the length of bars."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.csv_times import times_every

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
    with pytest.raises(DataFileError, match="time 'Q1 2024' has no known format: pass date_format"):
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
