"""What events add to the digest, and the short way for bars."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ingenium.bus import Message
from ingenium.bus.envelope import pack
from ingenium.clock import format_time
from ingenium.components import Ingestor
from ingenium.events import ContentType, DataEvent, Event, encode
from ingenium.lockstep import EventLog
from ingenium.lockstep.lines import BarLines, line_of
from ingenium.lockstep.log import Step
from ingenium.subjects import subject_of
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
        named = replace(bar, name=source.name_bar)
        source.identify(bar.event)
        assert named.id == bar.event.id
        wanted += line_of(bar.event)
        given_bars.append(named)
    assert lines.lines_of(given_bars) == wanted
    assert b"".join(line_of(bar.event) for bar in given_bars) == wanted
    # Those whose events have been made are written from what is in these.
    assert lines.lines_of(given_bars) == wanted


class OwnIds(Ingestor):
    """Has ids of its own."""

    def identify(self, event: DataEvent) -> None:
        event.id = f"data_{event.symbol}"


def test_bar_of_ingestor_with_ids_of_its_own_has_them() -> None:
    bar = Bar.make("A", datetime(2024, 1, 1, tzinfo=UTC), open="1", high="1", low="1", close="1")
    named = replace(bar, name=OwnIds().name_bar)
    assert named.id == named.event.id == "data_A"


def test_lines_of_bars_of_several_ingestors_have_the_ids_of_each() -> None:
    start = datetime(2024, 1, 1, tzinfo=UTC)
    bars = [
        replace(
            Bar.make("A", start, open="1", high="1", low="1", close="1", period=timedelta(1)),
            name=source.name_bar,
        )
        for source in (Source(name="one"), OwnIds(), Source(name="two"), Source(name="one"))
    ]
    lines = BarLines().lines_of(bars)
    assert lines == b"".join(line_of(bar.event) for bar in bars)
    assert [json.loads(line.partition(b" ")[2])["Id"] for line in lines.splitlines()] == [
        bars[0].id, "data_A", bars[2].id, bars[0].id,
    ]  # fmt: skip
    assert bars[0].id != bars[2].id


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
