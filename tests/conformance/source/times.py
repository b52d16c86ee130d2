"""Vectors of times: fractions, offsets, and what is no time."""

# Tables to be read across; a line for each of their values would be pages.
# ruff: noqa: E501
# fmt: off

from __future__ import annotations

from collections.abc import Iterator

from conformance.source.samples import PLAIN, accepted, put, refused
from conformance.vector import Vector

__all__ = ["times"]

_GOOD = [
    ("whole", "a time without a fraction", "2024-01-03T21:00:00Z", "2024-01-03T21:00:00Z"),
    ("tenth", "a fraction of one digit", "2024-01-03T21:00:00.1Z", "2024-01-03T21:00:00.1Z"),
    ("millis", "JavaScript and Java write three digits", "2024-01-03T21:00:00.120Z", "2024-01-03T21:00:00.12Z"),
    ("micros", "Python holds six digits", "2024-01-03T21:00:00.123456Z", "2024-01-03T21:00:00.123456Z"),
    ("nanos", "Go holds nine digits", "2024-01-03T21:00:00.123456789Z", "2024-01-03T21:00:00.123456789Z"),
    ("last_nano", "rounding would make it the next second", "2024-01-03T20:59:59.999999999Z", "2024-01-03T20:59:59.999999999Z"),
    ("west", "an offset west of UTC", "2024-01-03T16:00:00-05:00", "2024-01-03T21:00:00Z"),
    ("east", "an offset east of UTC, of half an hour", "2024-01-04T02:30:00+05:30", "2024-01-03T21:00:00Z"),
    ("offset_and_nanos", "an offset and a fraction", "2024-01-03T16:00:00.000000001-05:00", "2024-01-03T21:00:00.000000001Z"),
    ("zero_offset", "+00:00 is UTC", "2024-01-03T21:00:00+00:00", "2024-01-03T21:00:00Z"),
    ("negative_zero_offset", "-00:00 is UTC, too", "2024-01-03T21:00:00-00:00", "2024-01-03T21:00:00Z"),
    ("leap_day", "the 29th of February of a leap year", "2024-02-29T23:59:59Z", "2024-02-29T23:59:59Z"),
    ("leap_day_of_a_century", "2000 was a leap year", "2000-02-29T00:00:00Z", "2000-02-29T00:00:00Z"),
    ("before_1970", "a time before 1970 with a fraction", "1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.5Z"),
    ("before_1900", "history begins early", "1896-05-26T00:00:00Z", "1896-05-26T00:00:00Z"),
    ("epoch", "1970 itself, which is no unset time", "1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
    ("after_2038", "32 bits of seconds do not reach it", "2038-01-19T03:14:08Z", "2038-01-19T03:14:08Z"),
    ("after_2262", "64 bits of nanoseconds do not reach it", "2262-04-12T00:00:00Z", "2262-04-12T00:00:00Z"),
    ("last", "the last second that the format has", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
    ("first_but_one", "the second after Go's zero time is a time", "0001-01-01T00:00:01Z", "0001-01-01T00:00:01Z"),
    ("comma", "Go takes a comma for the point of a fraction", "2024-01-03T21:00:00,5Z", "2024-01-03T21:00:00.5Z"),
    ("one_digit", "Go takes an hour of one digit", "2024-01-03T9:00:00Z", "2024-01-03T09:00:00Z"),
]

_CUT = "2024-01-03T21:00:00.123456789987654321Z"

_BAD = [
    ("empty", "an empty text is no time", ""),
    ("word", "a word is no time", "now"),
    ("date_alone", "a date is no time", "2024-01-03"),
    ("no_zone", "without a zone nobody knows when that is", "2024-01-03T21:00:00"),
    ("space", "T stands between date and time", "2024-01-03 21:00:00Z"),
    ("lower_case", "T and Z are in upper case", "2024-01-03t21:00:00z"),
    ("point_alone", "a fraction has digits", "2024-01-03T21:00:00.Z"),
    ("no_seconds", "seconds are not left out", "2024-01-03T21:00Z"),
    ("basic_format", "the basic format of ISO 8601 is not of RFC 3339", "20240103T210000Z"),
    ("week", "a week of ISO 8601 is not of RFC 3339", "2024-W01-3T21:00:00Z"),
    ("hour_24", "hours end with 23", "2024-01-03T24:00:00Z"),
    ("minute_60", "minutes end with 59", "2024-01-03T21:60:00Z"),
    ("leap_second", "leap seconds are not carried", "2016-12-31T23:59:60Z"),
    ("month_0", "months begin with 1", "2024-00-03T21:00:00Z"),
    ("month_13", "months end with 12", "2024-13-03T21:00:00Z"),
    ("day_0", "days begin with 1", "2024-01-00T21:00:00Z"),
    ("day_32", "January has 31 days", "2024-01-32T21:00:00Z"),
    ("no_leap_day", "2023 was no leap year", "2023-02-29T00:00:00Z"),
    ("no_leap_day_of_a_century", "1900 was no leap year", "1900-02-29T00:00:00Z"),
    ("offset_without_colon", "an offset has a colon", "2024-01-03T21:00:00+0100"),
    ("offset_of_hours", "an offset has minutes", "2024-01-03T21:00:00+01"),
    ("offset_25", "an offset has hours of a day", "2024-01-03T21:00:00+25:00"),
    ("two_zones", "one zone is enough", "2024-01-03T21:00:00+01:00Z"),
    ("space_before", "a time is all of the text", " 2024-01-03T21:00:00Z"),
    ("space_behind", "a time is all of the text", "2024-01-03T21:00:00Z "),
    ("other_digits", "digits are those of ASCII", "2024-01-03T21:00:0\u0661Z"),
    ("year_10000", "years have four digits", "10000-01-01T00:00:00Z"),
    ("year_0", "a year before 1 cannot be held", "0000-06-01T00:00:00Z"),
    ("year_0_in_utc", "the year counts in UTC", "0001-01-01T00:00:00+01:00"),
    ("year_10000_in_utc", "the year counts in UTC", "9999-12-31T23:59:59-01:00"),
    ("escaped", "a time has no escapes, as up to Go 1.26", r"2024-01-03T21:00:00\u005a"),
    ("seconds_since_1970", "a number in quotes is no time", "1704315600"),
]


def times() -> Iterator[Vector]:
    """Times of RFC 3339, to the nanosecond."""
    for name, why, text, value in _GOOD:
        yield accepted(
            "OrderEvent", "times", name, why, put("OrderEvent", Timestamp=f'"{text}"'),
            PLAIN["OrderEvent"] | {"Timestamp": value},
        )
    yield accepted(
        "OrderEvent", "times", "more_than_nanos", "digits beyond nine are cut",
        put("OrderEvent", Timestamp=f'"{_CUT}"'),
        PLAIN["OrderEvent"] | {"Timestamp": "2024-01-03T21:00:00.123456789Z"},
    )
    nanos = "2024-01-03T16:00:00.123456789-05:00"
    utc = "2024-01-03T21:00:00.123456789Z"
    why = "every time of the format is read alike"
    for event, key in [
        ("CancelEvent", "Timestamp"),
        ("ReplaceEvent", "Timestamp"),
        ("ExecutionEvent", "Timestamp"),
        ("ExecutionEvent", "ExecutionTimestamp"),
        ("DenialEvent", "Timestamp"),
        ("ControlEvent", "Timestamp"),
        ("DeadLetterEvent", "Timestamp"),
        ("SignalEvent", "Timestamp"),
    ]:
        yield accepted(
            event, "times", f"{key.lower()}_nanos_and_offset", why,
            put(event, **{key: f'"{nanos}"'}), PLAIN[event] | {key: utc},
        )
    plain = PLAIN["DataEvent"]
    yield accepted(
        "DataEvent", "times", "bar_nanos_and_offset", why,
        put("DataEvent", Ohlc=f'{{"Close":"1","Timestamp":"{nanos}"}}'),
        plain | {"Ohlc": {"Close": "1", "Timestamp": utc}},
    )
    yield accepted(
        "DataEvent", "times", "text_keeps_offset", "Timestamp of data is text and stays as it came",
        put("DataEvent", Timestamp=f'"{nanos}"'), plain | {"Timestamp": nanos},
    )
    for name, why, text in _BAD:
        yield refused(
            "OrderEvent", "times", f"bad_{name}", why, put("OrderEvent", Timestamp=f'"{text}"')
        )
    for event, key in [("SignalEvent", "Timestamp"), ("ExecutionEvent", "ExecutionTimestamp")]:
        yield refused(
            event, "times", f"bad_{key.lower()}", "an extension must be a time, too",
            put(event, **{key: '"2024-01-03"'}),
        )
    yield refused(
        "DataEvent", "times", "bad_in_the_bar", "the time of a bar must be a time, too",
        put("DataEvent", Ohlc='{"Timestamp":"2024-01-03"}'),
    )
