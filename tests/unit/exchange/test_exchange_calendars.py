"""Calendars: which session a time belongs to, summer time, holidays and early closes included."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingenium.errors import ConfigError
from ingenium.exchange import AlwaysOpen, Calendar, ExchangeCalendar, RegularHours

NEW_YORK = RegularHours(
    "America/New_York",
    time(9, 30),
    time(16),
    holidays=[date(2024, 7, 4), date(2024, 12, 25)],
    early_closes={date(2024, 7, 3): time(13)},
    extended_close=time(20),
)
FUTURES = RegularHours("America/New_York", time(18), time(17))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def hours(calendar: Calendar, text: str, **options: bool) -> tuple[str, str]:
    session = calendar.session(utc(text), **options)
    assert session.open.tzinfo is UTC
    assert session.close.tzinfo is UTC
    return f"{session.open:%m-%d %H:%M}", f"{session.close:%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2024-01-03T12:00", ("01-03 14:30", "01-03 21:00")),  # before the open
        ("2024-01-03T14:30", ("01-03 14:30", "01-03 21:00")),
        ("2024-01-03T20:59:59.999999", ("01-03 14:30", "01-03 21:00")),
        ("2024-01-03T21:00", ("01-04 14:30", "01-04 21:00")),  # the close is over
        ("2024-01-05T22:00", ("01-08 14:30", "01-08 21:00")),  # over a weekend
        ("2024-07-03T16:59", ("07-03 13:30", "07-03 17:00")),  # closes early
        ("2024-07-03T17:00", ("07-05 13:30", "07-05 20:00")),  # over a holiday
        ("2024-03-08T20:00", ("03-08 14:30", "03-08 21:00")),  # the last day of winter time
        ("2024-03-08T21:00", ("03-11 13:30", "03-11 20:00")),  # the first one of summer time
        ("2024-11-01T20:00", ("11-04 14:30", "11-04 21:00")),  # and back
    ],
)
def test_regular_hours_session_of_a_time(time: str, expected: tuple[str, str]) -> None:
    assert hours(NEW_YORK, time) == expected


def test_regular_hours_with_extended_hours_the_session_lasts_until_all_trading_ends() -> None:
    assert hours(NEW_YORK, "2024-01-03T22:00") == ("01-04 14:30", "01-04 21:00")
    assert hours(NEW_YORK, "2024-01-03T22:00", extended_hours=True)[0] == "01-03 14:30"
    # 20:00 in New York is after midnight in UTC.
    assert NEW_YORK.session(utc("2024-01-03T22:00"), extended_hours=True).extended_close == utc(
        "2024-01-04T01:00"
    )
    assert hours(NEW_YORK, "2024-01-04T01:00", extended_hours=True)[0] == "01-04 14:30"


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2024-01-03T21:59", ("01-02 23:00", "01-03 22:00")),
        ("2024-01-03T22:00", ("01-03 23:00", "01-04 22:00")),  # the pause of an hour
        ("2024-01-05T22:00", ("01-07 23:00", "01-08 22:00")),  # from Friday to Sunday evening
        # The session of the change itself has 22 hours.
        ("2024-03-10T23:00", ("03-10 22:00", "03-11 21:00")),
    ],
)
def test_regular_hours_that_begin_on_the_evening_before(
    time: str, expected: tuple[str, str]
) -> None:
    assert hours(FUTURES, time) == expected


def test_regular_hours_of_a_day_begin_when_the_last_ones_end() -> None:
    currencies = RegularHours("America/New_York", time(17), time(17))
    assert hours(currencies, "2024-01-03T22:00") == ("01-03 22:00", "01-04 22:00")
    # The day on which clocks go back has 25 hours.
    weekend = RegularHours("America/New_York", time(0), time(0), weekdays=range(7))
    session = weekend.session(utc("2024-11-03T05:00"))
    assert session.close - session.open == timedelta(hours=25)


def test_regular_hours_that_end_after_midnight_belong_to_their_day() -> None:
    late = RegularHours("Europe/Berlin", time(8), time(22), extended_close=time(1))
    session = late.session(utc("2024-01-03T23:30"), extended_hours=True)
    assert session.open == utc("2024-01-03T07:00")
    assert session.extended_close == utc("2024-01-04T00:00")


def test_regular_hours_extended_close_is_never_before_the_close() -> None:
    odd = RegularHours("UTC", time(9), time(16), extended_close=time(16))
    assert odd.session(utc("2024-01-03T10:00")).extended_close == utc("2024-01-03T16:00")


def test_regular_hours_in_a_zone_ahead_of_utc() -> None:
    tokyo = RegularHours("Asia/Tokyo", time(9), time(15))
    assert hours(tokyo, "2024-01-03T23:59") == ("01-04 00:00", "01-04 06:00")
    assert hours(tokyo, "2024-01-04T06:00") == ("01-05 00:00", "01-05 06:00")


def test_always_open_session_is_a_day_in_utc() -> None:
    assert hours(AlwaysOpen(), "2024-01-06T23:59") == ("01-06 00:00", "01-07 00:00")
    assert hours(AlwaysOpen(), "2024-01-07T00:00") == ("01-07 00:00", "01-08 00:00")


moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive


@given(moments, st.sampled_from([NEW_YORK, FUTURES, AlwaysOpen()]), st.booleans())
def test_session_is_the_first_that_ends_after_the_time(
    time: datetime, calendar: Calendar, extended: bool
) -> None:
    session = calendar.session(time, extended_hours=extended)
    end = session.extended_close if extended else session.close
    assert session.open < session.close <= session.extended_close
    assert time < end
    # Every time between the last end and this one has this session.
    assert calendar.session(end - timedelta(microseconds=1), extended_hours=extended) == session
    following = calendar.session(end, extended_hours=extended)
    assert following.open >= session.close


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"timezone": "America/Nowhere"}, "timezone 'America/Nowhere' is unknown"),
        ({"timezone": ""}, "timezone '' is unknown"),
        ({"weekdays": []}, r"weekdays is \[\]"),
        ({"weekdays": [7]}, r"weekdays is \[7\]"),
        ({"open": time(9, 30, tzinfo=UTC)}, "use a time without a zone"),
        ({"close": "16:00"}, "close holds '16:00'"),
        ({"holidays": ["2024-12-25"]}, "holidays holds '2024-12-25'"),
        ({"holidays": [datetime(2024, 12, 25)]}, "use a day, such as"),  # noqa: DTZ001 - what is refused
        ({"early_closes": {date(2024, 7, 3): 13}}, "early_closes holds 13"),
    ],
)
def test_regular_hours_that_make_no_sense_are_refused(change: dict[str, Any], text: str) -> None:
    values: dict[str, Any] = {
        "timezone": "America/New_York",
        "open": time(9, 30),
        "close": time(16),
    }
    with pytest.raises(ConfigError, match=text):
        RegularHours(**(values | change))


# The library's calendars.


def test_exchange_calendar_knows_holidays_and_early_closes_of_new_york() -> None:
    calendar = ExchangeCalendar("XNYS")
    assert hours(calendar, "2024-07-03T16:59") == ("07-03 13:30", "07-03 17:00")
    assert hours(calendar, "2024-07-03T17:00") == ("07-05 13:30", "07-05 20:00")
    assert hours(calendar, "2024-03-08T21:00") == ("03-11 13:30", "03-11 20:00")
    # Far from what was asked first, in both directions.
    assert hours(calendar, "1999-07-03T16:00") == ("07-06 13:30", "07-06 20:00")
    assert hours(calendar, "2040-11-23T16:00") == ("11-23 14:30", "11-23 18:00")


def test_exchange_calendar_agrees_with_regular_hours_where_those_hold() -> None:
    calendar = ExchangeCalendar("XNYS", extended_close=time(20))
    moment = utc("2024-02-21T00:00")
    while moment < utc("2024-03-28T00:00"):
        for extended in (False, True):
            assert calendar.session(moment, extended_hours=extended) == NEW_YORK.session(
                moment, extended_hours=extended
            )
        moment += timedelta(minutes=37)


def test_exchange_calendar_beyond_what_the_library_knows_is_an_error() -> None:
    with pytest.raises(ConfigError, match="'XNYS' has no session at 1890-01-01"):
        ExchangeCalendar("XNYS").session(datetime(1890, 1, 1, tzinfo=UTC))


def test_exchange_calendar_at_the_end_of_what_was_loaded_loads_more() -> None:
    calendar = ExchangeCalendar("XNYS")
    assert hours(calendar, "2024-01-02T15:00")[0] == "01-02 14:30"
    assert calendar.session(utc("2034-12-31T23:00")).open == utc("2035-01-02T14:30")


def test_exchange_calendar_of_an_unknown_exchange_is_refused() -> None:
    with pytest.raises(ConfigError, match="'XXXX' is unknown to exchange_calendars"):
        ExchangeCalendar("XXXX")


def test_exchange_calendar_without_the_library_names_the_cure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import sys

    from ingenium.errors import MissingDependencyError

    monkeypatch.setitem(sys.modules, "exchange_calendars", None)
    with pytest.raises(MissingDependencyError, match=r"ingenium\[calendars\]"):
        ExchangeCalendar("XNYS")
