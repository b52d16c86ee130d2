"""What events add to the digest, and the short way for bars."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple, replace

from ingenium.bus import Message
from ingenium.bus.envelope import pack
from ingenium.clock import format_time
from ingenium.components import Ingestor, handle_of
from ingenium.events import ContentType, Event, encode
from ingenium.runtime.replay import EventLog
from ingenium.runtime.replay.digest_lines import BarLines, line_of
from ingenium.runtime.replay.event_log import Step
from ingenium.subjects.names import subject_of
from ingenium.testing import data_event, execution_event, order_event, signal_event
from ingenium.trading import Bar

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TIMES = st.integers(0, 4_000_000_000_000_000).map(lambda us: EPOCH + timedelta(microseconds=us))
WHOLE = TIMES.map(lambda time: time.replace(microsecond=0))
PERIODS = st.sampled_from([timedelta(0), timedelta(seconds=7), timedelta(minutes=5), timedelta(1)])
SYMBOLS = st.sampled_from(["IBM", "brk.b", "EUR/USD", "ES=F", "A&B", 'A"B', "A<B", "É", "a\\b"])
NUMBERS = st.decimals(
    Decimal("1e-8"), Decimal("1e9"), allow_nan=False, allow_infinity=False, places=8
).map(lambda number: f"{number:f}")
ODD = st.sampled_from(["1e5", "1E-7", "12", "100.00"])
VOLUMES = st.one_of(st.just(""), st.just("0"), NUMBERS)


class Source(Ingestor):
    """Names bars."""


@given(st.lists(TIMES | WHOLE, min_size=1, max_size=3), PERIODS, SYMBOLS, NUMBERS | ODD, VOLUMES)
def test_line_of_bar_equals_the_line_of_its_event(
    starts: list[datetime], period: timedelta, symbol: str, price: str, volume: str
) -> None:
    lines = BarLines()
    source = Source(name="csv")
    given_bars: list[Bar] = []
    wanted = b""
    # The second start is the end of the first, as in most files.
    for start in (*starts, starts[0] + period):
        bar = Bar.make(
            symbol, start, open=price, high=price, low=price, close=price, volume=volume,
            period=period,
        )  # fmt: skip
        named = replace(bar, name=handle_of(source).name_bar)
        handle_of(source).identify(bar.event)
        assert named.id == bar.event.id
        wanted += line_of(bar.event)
        given_bars.append(named)
    assert lines.lines_of(given_bars) == wanted
    assert b"".join(line_of(bar.event) for bar in given_bars) == wanted
    # Those whose events have been made are written from what is in these.
    assert lines.lines_of(given_bars) == wanted


def own_id(bar: Bar) -> str:
    """Name a bar as an ingestor may that gives its bars ids of its own."""
    return f"data_{bar.symbol}"


def test_bar_of_ingestor_with_ids_of_its_own_has_them() -> None:
    bar = Bar.make("A", datetime(2024, 1, 1, tzinfo=UTC), open="1", high="1", low="1", close="1")
    named = replace(bar, name=own_id)
    assert named.id == named.event.id == "data_A"


def test_lines_of_bars_of_several_ingestors_have_the_ids_of_each() -> None:
    start = datetime(2024, 1, 1, tzinfo=UTC)
    one, two = (handle_of(Source(name=name)) for name in ("one", "two"))
    bars = [
        replace(
            Bar.make("A", start, open="1", high="1", low="1", close="1", period=timedelta(1)),
            name=namer,
        )
        for namer in (one.name_bar, own_id, two.name_bar, one.name_bar)
    ]
    lines = BarLines().lines_of(bars)
    assert lines == b"".join(line_of(bar.event) for bar in bars)
    assert [json.loads(line.partition(b" ")[2])["Id"] for line in lines.splitlines()] == [
        bars[0].id, "data_A", bars[2].id, bars[0].id,
    ]  # fmt: skip
    assert bars[0].id != bars[2].id


Series = tuple[str, timedelta, Source]
Row = tuple[int, Series, str, str]
"""Minutes between a bar and the one before it, its series, price and volume."""

# Shortly before the end of a day, a month, a year, and a year that has not four digits.
EVENINGS = st.sampled_from(
    [
        datetime(*day, 23, 50, tzinfo=UTC)
        for day in [(2024, 1, 2), (2024, 2, 28), (2023, 12, 31), (1969, 12, 31), (999, 12, 31)]
    ]
)
SERIES = st.tuples(
    st.sampled_from(["IBM", "brk.b", "EUR/USD"]),
    st.sampled_from([timedelta(minutes=1), timedelta(seconds=7), timedelta(hours=36)]),
    st.sampled_from([Source(name="one"), Source(name="two_2")]),
)


def rows_of(series: st.SearchStrategy[Series]) -> st.SearchStrategy[list[Row]]:
    gaps = st.sampled_from([0, 0, 0, 1, 60, 1440])
    return st.lists(st.tuples(gaps, series, NUMBERS, VOLUMES), min_size=4, max_size=20)


ROWS = rows_of(SERIES) | SERIES.flatmap(lambda series: rows_of(st.just(series)))


def make_bars(start: datetime, rows: list[Row]) -> list[Bar]:
    bars: list[Bar] = []
    for gap, (symbol, period, source), price, volume in rows:
        start += timedelta(minutes=gap)
        bar = Bar.make(
            symbol, start, open="1", high=price, low="0.5", close=price, volume=volume,
            period=period,
        )  # fmt: skip
        bars.append(replace(bar, name=handle_of(source).name_bar))
        start = bar.end
    return bars


def lines_of_events(bars: list[Bar]) -> list[bytes]:
    """Return the lines of the bars' events, which are made for copies of the bars."""
    return [line_of(replace(bar).event) for bar in bars]


@given(st.lists(st.tuples(EVENINGS, ROWS), min_size=1, max_size=3))
def test_lines_of_many_bars_equal_those_of_their_events(
    batches: list[tuple[datetime, list[Row]]],
) -> None:
    lines = BarLines()
    for start, rows in batches:
        bars = make_bars(start, rows)
        wanted = lines_of_events(bars)
        # None of them is so odd that it is left to the other ways.
        assert lines._many_lines(bars) == b"".join(wanted).decode()
        assert lines.lines_of(bars) == b"".join(wanted)
        assert [lines.lines_of([bar]) for bar in bars] == wanted
        assert not any(bar.has_event for bar in bars)


class OwnTime(datetime):
    """A time as other libraries have it."""


class OwnBar(Bar, frozen=True, gc=False, eq=False):
    """A bar that holds more."""

    more: str = ""


def with_number(bar: Bar, text: str) -> Bar:
    return replace(bar, _texts=(*bar.number_texts[:3], text, ""))


def in_zone(bar: Bar, zone: tzinfo) -> Bar:
    return replace(bar, start=bar.start.astimezone(zone), end=bar.end.astimezone(zone))


def renamed(bar: Bar, name: str) -> Bar:
    source = handle_of(Source())
    source.name = name
    return replace(bar, name=source.name_bar)


def from_event(bar: Bar, **changes: object) -> Bar:
    """Return the bar of an event that says the same in other words."""
    event = replace(bar).event
    assert event.ohlc is not None
    for field, value in changes.items():
        setattr(event if hasattr(event, field) else event.ohlc, field, value)
    return replace(Bar.from_event(event), name=bar.name)


def with_event(bar: Bar) -> Bar:
    assert bar.event
    return bar


def own_time(time: datetime) -> datetime:
    return OwnTime.fromisoformat(time.isoformat())


MICROSECOND = timedelta(microseconds=1)
ODD_BARS: dict[str, Callable[[Bar], Bar]] = {
    "start with a fraction": lambda bar: replace(bar, start=bar.start + MICROSECOND),
    "end with a fraction": lambda bar: replace(bar, end=bar.end + 10 * MICROSECOND),
    "start in a zone": lambda bar: replace(
        bar, start=bar.start.astimezone(timezone(timedelta(hours=2)))
    ),
    "zone of hours": lambda bar: in_zone(bar, timezone(timedelta(hours=-5))),
    "zone of seconds": lambda bar: in_zone(bar, timezone(timedelta(seconds=10))),
    "zone with a name": lambda bar: in_zone(bar, ZoneInfo("UTC")),
    "time of a subclass": lambda bar: replace(bar, end=own_time(bar.end)),
    "no length": lambda bar: replace(bar, period=timedelta(0)),
    "symbol with a quote": lambda bar: replace(bar, symbol='A"B'),
    "symbol that Go escapes": lambda bar: replace(bar, symbol="A&B"),
    "symbol beyond ASCII": lambda bar: replace(bar, symbol="É"),
    "numbers without text": lambda bar: replace(bar, _texts=None),
    "number with an exponent": lambda bar: with_number(bar, "1E-7"),
    "number with a quote": lambda bar: with_number(bar, '1","2'),
    "number with a line end": lambda bar: with_number(bar, "1\n"),
    "number beyond ASCII": lambda bar: with_number(bar, "١"),
    "number with what ends causes": lambda bar: with_number(bar, "1\x00\x1f"),
    "no name": lambda bar: replace(bar, name=None),
    "name of an ingestor's own": lambda bar: replace(bar, name=own_id),
    "name by a function": lambda bar: replace(bar, name=lambda _: "id"),
    "name with a quote": lambda bar: replace(bar, name=lambda _: 'a"b'),
    "empty name": lambda bar: replace(bar, name=lambda _: ""),
    "source with a border": lambda bar: renamed(bar, "a\x1f\\"),
    "source beyond ASCII": lambda bar: renamed(bar, "é"),
    "event made": with_event,
    "event of its own": from_event,
    "event with a length in other words": lambda bar: from_event(bar, period="60 s"),
    "event with a time in other words": lambda bar: from_event(bar, timestamp=bar.end.isoformat()),
    "bar of a subclass": lambda bar: OwnBar(*astuple(bar)),
}


@pytest.mark.parametrize("make_odd", ODD_BARS.values(), ids=ODD_BARS)
@settings(max_examples=25)
@given(EVENINGS, ROWS, st.data())
def test_lines_of_many_bars_with_an_odd_one_equal_those_of_their_events(
    make_odd: Callable[[Bar], Bar], start: datetime, rows: list[Row], data: st.DataObject
) -> None:
    bars = make_bars(start, rows)
    for place in data.draw(st.sets(st.integers(0, len(bars) - 1), min_size=1)):
        bars[place] = make_odd(bars[place])
    assert BarLines().lines_of(bars) == b"".join(lines_of_events(bars))


@pytest.mark.parametrize(
    ("stamp", "length", "start"),
    [
        ("2024-01-01T00:01:00Z", "60s", "2024-01-01T00:00:00Z"),
        ("2024-01-01T00:01:00Z", "1 m", "2024-01-01T00:00:00Z"),
        ("2024-01-01T00:01:00+00:00", "1m", "2024-01-01T00:00:00Z"),
        ("2024-01-01T00:01:00Z", "1m", None),
    ],
)
def test_line_of_a_bar_that_came_from_an_event_is_that_of_this_event(
    stamp: str, length: str, start: str | None
) -> None:
    event = data_event("A", timestamp=stamp)
    assert event.ohlc is not None
    event.ohlc.period = length
    event.ohlc.timestamp = None if start is None else datetime.fromisoformat(start)
    assert BarLines().lines_of([Bar.from_event(event)]) == line_of(event)


@pytest.mark.parametrize("name", ["", 'a"b', "a&b", "a\\b", "é"])
def test_line_of_a_bar_with_an_odd_name_is_that_of_its_event(name: str) -> None:
    bar = replace(
        Bar.make(
            "A", datetime(2024, 1, 1, tzinfo=UTC), open="1", high="1", low="1", close="1",
            period=timedelta(1),
        ),
        name=lambda _: name,
    )  # fmt: skip
    assert BarLines().lines_of([bar]) == line_of(replace(bar).event)


@given(st.datetimes(), st.integers(-14, 14))
def test_time_is_written_as_isoformat_writes_it(naive: datetime, hours: int) -> None:
    year = min(max(naive.year, 2), 9998)
    time = naive.replace(year=year, day=1, tzinfo=timezone(timedelta(hours=hours)))
    expected = time.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"
    assert format_time(time) == format_time(time) == expected
    whole = time.replace(microsecond=0)
    assert format_time(whole) == whole.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


def _digest(make: Callable[[Event], tuple[bytes, Mapping[str, str]]]) -> str:
    data, signal = data_event("AAPL"), signal_event("AAPL")
    order, execution = order_event(), execution_event()

    def message(event: Event) -> Message:
        return Message(subject_of(event), *make(event))

    log = EventLog(Decimal(0))
    at = datetime(2024, 1, 3, tzinfo=UTC)
    log.add(Step(at, [message(data)], [message(signal)], [message(order)], [message(execution)]))
    return log.result(complete=True).events_digest


def test_digest_is_that_of_the_json_whatever_the_form_on_the_bus() -> None:
    expected = _digest(lambda event: pack(event, "test", ContentType.JSON))
    assert _digest(lambda event: pack(event, "test", ContentType.PROTOBUF)) == expected
    # As protobuf's own JSON in Go may put spaces, or another library its keys in another order.
    assert _digest(lambda event: (json.dumps(json.loads(encode(event))).encode(), {})) == expected
    other = _digest(lambda event: (encode(event).replace(b"AAPL", b"IBM"), {}))
    assert other != expected


def test_payload_that_is_no_event_is_in_the_digest_as_it_is() -> None:
    digests = {
        _digest(lambda event, text=text: (text, {}))  # type: ignore[misc]
        for text in (b"one", b"two")
    }
    assert len(digests) == 2
