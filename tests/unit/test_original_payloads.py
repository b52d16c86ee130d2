"""Payloads of the original Go library and of programs in other languages: all of them are read."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.replaying import replay_on

from ingenium import App, Ingestor, Portfolio, Strategy
from ingenium.backtest import replay
from ingenium.brokers import PaperExecutor
from ingenium.bus import MemoryBus, Message
from ingenium.components import handle_of
from ingenium.errors import DecodeError
from ingenium.events import (
    DataEvent,
    ExecutionEvent,
    Ohlc,
    OrderEvent,
    Signal,
    SignalEvent,
    decode,
    encode,
)
from ingenium.runtime.live import LiveRunner
from ingenium.runtime.replay.feed import time_of
from ingenium.runtime.subscriptions import note_arrival, wants
from ingenium.testing import IncidentLog
from ingenium.trading import Bar, Fill, Order
from ingenium.trading import log_once as once_module
from ingenium.trading.numbers import format_decimal, parse_decimal
from ingenium.trading.period import format_period, parse_period, read_period
from ingenium.trading.timestamp import parse_time

GOLDEN = Path(__file__).parents[1] / "golden" / "original"
ARRIVED = datetime(2024, 1, 5, 9, 30, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What is said about texts that cannot be read, as if nothing had been said before."""
    before = set(once_module._said)
    once_module._said.clear()
    with caplog.at_level(logging.WARNING, "ingenium.data"):
        yield caplog
    once_module._said.clear()
    once_module._said.update(before)


def golden(event_type: Any, name: str) -> Any:
    return decode(event_type, (GOLDEN / f"{name}.json").read_bytes())


def data(text: str = "", /, **ohlc: Any) -> DataEvent:
    prices = {"open": "1", "high": "1", "low": "1", "close": "1", "volume": "1"}
    return DataEvent(symbol="AAPL", timestamp=text, ohlc=Ohlc(**(prices | ohlc)))


@pytest.mark.parametrize(
    ("name", "symbol", "period", "end"),
    [
        ("data_hour", "CPNG", HOUR, datetime(2024, 1, 4, 15, tzinfo=UTC)),
        (
            "data_five_minutes_lower_case",
            "cpng",
            5 * MINUTE,
            datetime(2024, 1, 4, 14, 5, tzinfo=UTC),
        ),
        ("data_day_dotted_symbol", "BRK.B", DAY, datetime(2024, 1, 5, 14, tzinfo=UTC)),
    ],
)
def test_bar_of_the_original_ingestor_is_read(
    name: str, symbol: str, period: timedelta, end: datetime
) -> None:
    bar = Bar.from_event(golden(DataEvent, name))
    assert (bar.symbol, bar.period, bar.end) == (symbol, period, end)
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (
        15.94, 16.01, 15.9, 15.98, 1234567,
    )  # fmt: skip


def test_small_prices_of_the_original_ingestor_keep_their_digits() -> None:
    bar = Bar.from_event(golden(DataEvent, "data_small_prices"))
    assert [bar.exact(name) for name in ("open", "high", "low", "close", "volume")] == [
        Decimal("0.000012"), Decimal("0.000013"), Decimal("0.000012"), Decimal("0.000012"), 0,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "quantity"),
    [
        ("order_market", "1"),
        ("order_small_exponent", "0.00001"),
        ("order_large_exponent", "12345678900"),
    ],
)
def test_order_of_the_original_portfolio_is_read_and_written_plainly(
    name: str, quantity: str
) -> None:
    order = Order.from_event(golden(OrderEvent, name))
    assert (order.symbol, order.quantity) == ("CPNG", Decimal(quantity))
    assert order.to_event().quantity == quantity


@pytest.mark.parametrize(
    ("name", "quantity", "price"),
    [
        ("execution_fill", "10", "184.25"),
        ("execution_small_fill", "0.000012345", "0.00001"),
        ("execution_large_fill", "1000", "0.00000015"),
    ],
)
def test_execution_of_the_original_executor_is_a_fill(name: str, quantity: str, price: str) -> None:
    order = Order.from_event(golden(OrderEvent, "order_market"))
    event = golden(ExecutionEvent, name)
    assert (event.order_id, event.symbol, event.update) == (order.id, "", "")
    fill = Fill.from_event(event, order)
    assert fill is not None
    assert (fill.symbol, fill.quantity, fill.price) == ("CPNG", Decimal(quantity), Decimal(price))
    assert fill.time == datetime(2024, 1, 4, 15, 4, 5, 123456, tzinfo=UTC)


@pytest.mark.parametrize("name", ["signal_long", "signal_lower_case"])
def test_signal_of_the_original_strategy_is_read(name: str) -> None:
    event = golden(SignalEvent, name)
    assert (event.symbol.upper(), event.signal) == ("CPNG", Signal.LONG)
    assert event.timestamp.year == 2026


@pytest.mark.parametrize(
    ("texts", "period"),
    [
        (("5m", "5 m", "5Min", "5min", "5 mins", "5 minutes", "5T", "5m0s", "PT5M", "0:05:00",
          "M5"), 5 * MINUTE),
        (("1m", "1Min", "minute", "1m0s", "PT60S", "00:01:00", "60s", "60000ms", "M1"), MINUTE),
        (("1h", "1Hour", "1hour", "1H", "60Min", "1h0m0s", "PT1H", "pt1h", "1:00:00", "H1",
          "hourly"), HOUR),
        (("1d", "1Day", "1 day", "D", "daily", "24h0m0s", "P1D", "PT24H", "1 day, 0:00:00",
          "1.00:00:00", "D1", "1440Min"), DAY),
        (("1w", "1Week", "weekly", "168h0m0s", "P1W", "P7D", "W1"), 7 * DAY),
        (("1m30s", "90s", "PT1M30S", "PT90S", "0:01:30"), 90 * timedelta(seconds=1)),
        (("1.5s", "1500ms", "PT1.5S", "0:00:01.5"), timedelta(milliseconds=1500)),
        (("250ms", "250000us", "250000µs", "0.25s"), timedelta(milliseconds=250)),
        (("0s", "", "0h0m0s", "PT0S", "0Min"), timedelta(0)),
    ],
)  # fmt: skip
def test_period_is_read_in_every_form_of_its_length(
    texts: tuple[str, ...], period: timedelta, said: pytest.LogCaptureFixture
) -> None:
    assert {text: read_period(text) for text in texts} == dict.fromkeys(texts, period)
    assert said.messages == []


@pytest.mark.parametrize(
    ("text", "months"),
    [
        ("1Month", 1), ("1M", 1), ("3Month", 3), ("monthly", 1), ("P1M", 1), ("P1Y", 12),
        ("1mo", 1), ("MN1", 1), ("1Quarter", 3), ("1 year", 12),
    ],
)  # fmt: skip
def test_period_of_months_ends_on_the_same_day_of_a_later_month(text: str, months: int) -> None:
    assert read_period(text) == months
    start = datetime(2024, 1, 31, 5, tzinfo=UTC)
    bar = Bar.from_event(data(period=text, timestamp=start))
    ends = {1: datetime(2024, 2, 29, 5, tzinfo=UTC), 3: datetime(2024, 4, 30, 5, tzinfo=UTC),
            12: datetime(2025, 1, 31, 5, tzinfo=UTC)}  # fmt: skip
    assert (bar.start, bar.end, bar.period) == (start, ends[months], ends[months] - start)
    with pytest.raises(DecodeError, match="expected a number and a unit"):
        parse_period(text)


@pytest.mark.parametrize("text", ["soon", "5x", "-5m", "5m-", "1e3s", "P", "PT", "PM", "5", "٣m"])
def test_period_that_is_unknown_is_not_stated_and_said_once(
    text: str, said: pytest.LogCaptureFixture
) -> None:
    start = datetime(2024, 1, 4, 14, tzinfo=UTC)
    bars = [Bar.from_event(data(period=text, timestamp=start)) for _ in range(3)]
    assert {(bar.start, bar.end, bar.period) for bar in bars} == {(start, start, timedelta(0))}
    assert len(said.messages) == 1
    assert f"Ohlc.Period {text!r} is unknown" in said.messages[0]


@pytest.mark.parametrize("text", ["999999w", "999999999d", "999999999y", "999999999h0m0s"])
def test_period_beyond_all_time_does_not_lose_the_bar(text: str) -> None:
    start = datetime(2024, 1, 4, 14, tzinfo=UTC)
    bar = Bar.from_event(data(period=text, timestamp=start))
    assert bar.start == start
    assert Bar.from_event(data("2024-01-04T14:00:00Z", period=text)).end == start


@given(st.integers(1, 10**15))
def test_period_of_any_microseconds_comes_back_from_its_text(micros: int) -> None:
    period = timedelta(microseconds=micros % (3 * 10**14) + 1)
    assert parse_period(format_period(period)) == period


INSTANT = datetime(2009, 11, 10, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2009-11-10 23:00:00 +0000 UTC m=+0.000000001", INSTANT),
        ("2009-11-10 23:00:00 +0000 UTC", INSTANT),
        ("2009-11-10 18:00:00.5 -0500 EST m=+12.345", INSTANT + timedelta(seconds=0.5)),
        ("2009-11-11 04:30:00.123456789 +0530 +0530", INSTANT + timedelta(microseconds=123456)),
        ("2009-11-10 23:00:00.000001 +0000 +0000", INSTANT + timedelta(microseconds=1)),
        ("2009-11-10T23:00:00Z", INSTANT),
        ("2009-11-10T18:00:00.000000000-05:00", INSTANT),
        ("2009-11-10T23:00:00", INSTANT),
        ("2009-11-10 23:00:00", INSTANT),
        ("2009-11-10", INSTANT.replace(hour=0)),
        ("20091110T230000Z", INSTANT),
        ("20091110230000", INSTANT),
        ("1257894000", INSTANT),
        ("1257894000.25", INSTANT + timedelta(seconds=0.25)),
        ("1.257894e+09", INSTANT),
        ("1.257894E9", INSTANT),
        ("1257894000250", INSTANT + timedelta(seconds=0.25)),
        ("1257894000250000", INSTANT + timedelta(seconds=0.25)),
        ("1257894000250000999", INSTANT + timedelta(seconds=0.25)),
        ("Tue, 10 Nov 2009 23:00:00 GMT", INSTANT),
        ("Tue, 10 Nov 2009 23:00:00 UTC", INSTANT),
        ("Tue, 10 Nov 2009 18:00:00 -0500", INSTANT),
        ("Tue Nov 10 23:00:00 2009", INSTANT),
        ("Tue Nov 10 23:00:00 UTC 2009", INSTANT),
        ("2009-11-10 23:00:00 UTC", INSTANT),
    ],
)
def test_timestamp_of_data_is_read_in_many_forms(text: str, time: datetime) -> None:
    assert parse_time(text) == time
    assert parse_time(text).tzinfo is UTC
    bar = Bar.from_event(data(text, period="1h"), ARRIVED)
    assert (bar.start, bar.end) == (time - HOUR, time)


@given(st.integers(10**14 * 4, 10**15 * 4), st.integers(-14 * 60, 14 * 60))
def test_time_as_go_prints_it_is_the_same_instant(micros: int, minutes: int) -> None:
    zone = timezone(timedelta(minutes=minutes))
    time = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)).astimezone(zone)
    offset = time.strftime("%z")
    printed = f"{time:%Y-%m-%d %H:%M:%S}.{time.microsecond:06} {offset} {offset} m=+1.5"
    assert parse_time(printed) == time
    seconds = int(time.timestamp())
    assert parse_time(str(seconds)) == time.replace(microsecond=0)
    assert parse_time(str(seconds * 1000)) == time.replace(microsecond=0)


@pytest.mark.parametrize("text", ["", "0001-01-01T00:00:00Z", "0001-01-01 00:00:00 +0000 UTC"])
def test_timestamp_that_is_not_stated_is_the_time_of_arrival(
    text: str, said: pytest.LogCaptureFixture
) -> None:
    assert Bar.from_event(data(text), ARRIVED).end == ARRIVED
    event = data(text)
    note_arrival(event, ARRIVED)
    assert event.timestamp == "2024-01-05T09:30:00Z"
    assert said.messages == []
    with pytest.raises(DecodeError, match="expected an RFC 3339 time"):
        Bar.from_event(data(text))


@pytest.mark.parametrize("text", ["yesterday", "12:30", "1", "2024-13-45", "Mon Jan 99", "1e99"])
def test_timestamp_that_is_no_time_is_the_time_of_arrival_and_said_once(
    text: str, said: pytest.LogCaptureFixture
) -> None:
    assert {Bar.from_event(data(text), ARRIVED).end for _ in range(3)} == {ARRIVED}
    assert len(said.messages) == 1
    assert f"Timestamp {text!r} is not a valid time" in said.messages[0]
    event = data(text)
    note_arrival(event, ARRIVED)
    assert event.timestamp == text


def test_data_of_a_replay_without_a_time_goes_by_its_bar() -> None:
    start = datetime(2024, 1, 4, 14, tzinfo=UTC)
    for text in ("", "n/a", "0001-01-01T00:00:00Z"):
        assert time_of(data(text, timestamp=start, period="1Hour")) == start + HOUR
        with pytest.raises(DecodeError, match="Timestamp"):
            time_of(data(text, period="1Hour"))
    # What is stated counts, as before.
    assert time_of(data("2024-01-04T20:00:00Z", timestamp=start)) == start + 6 * HOUR


def test_no_more_than_a_hundred_texts_are_said(said: pytest.LogCaptureFixture) -> None:
    for number in range(300):
        assert read_period(f"x{number}x") == timedelta(0)
    assert len(said.messages) == 100


ODD = st.text(st.characters(exclude_categories=["Cs"]), max_size=30) | st.from_regex(
    r"\A[0-9PT.:eE+ -]{0,3}[0-9]{1,20}[A-Za-zµ.:+ -]{0,4}[0-9]{0,10}[A-Za-z:. -]{0,4}\Z"
)


@given(ODD, ODD)
def test_no_text_in_period_or_timestamp_loses_a_bar(period: str, timestamp: str) -> None:
    start = datetime(2024, 1, 4, 14, tzinfo=UTC)
    bar = Bar.from_event(data(timestamp, period=period, timestamp=start), ARRIVED)
    assert bar.start == start <= bar.end
    bar = Bar.from_event(data(timestamp, period=period), ARRIVED)
    assert bar.start <= bar.end
    assert bar.end - bar.start == bar.period
    assert bar.end.tzinfo is UTC


@given(st.floats(1e-11, 9e14, allow_nan=False), st.sampled_from(["{!r}", "{:e}", "{:E}", "{:g}"]))
def test_float_in_any_notation_is_read_exactly(number: float, form: str) -> None:
    text = form.format(number)
    assert Fraction(parse_decimal(text, "ExecutionEvent", "Price")) == Fraction(text)
    plain = format_decimal(parse_decimal(text, "ExecutionEvent", "Price"))
    assert "E" not in plain
    assert Fraction(plain) == Fraction(text)


@given(st.integers(0, 10**15 - 1), st.integers(0, 28), st.booleans())
def test_decimal_in_scientific_notation_is_read_exactly(
    digits: int, places: int, negative: bool
) -> None:
    number = Decimal(digits).scaleb(-places)
    number = -number if negative else number
    for text in (f"{number:E}", f"{number:e}", str(number)):
        assert Fraction(parse_decimal(text, "ExecutionEvent", "Quantity")) == Fraction(text)


@pytest.mark.parametrize(
    "text",
    ["1e15", "1e-29", "1E+999", "1e-999", "e5", "1e", "1e5.0", "1_0e2", "٣e1", " 1e2", "0x1p-2"],
)
def test_number_that_no_event_can_hold_is_refused(text: str) -> None:
    with pytest.raises(DecodeError, match="expected a plain decimal"):
        parse_decimal(text, "ExecutionEvent", "Quantity")


@pytest.mark.parametrize("field", ["quantity", "price", "commission"])
def test_fill_with_exponents_is_booked_to_the_last_digit(field: str) -> None:
    numbers = {"quantity": "2", "price": "100", "commission": "1"} | {field: "1.2345E-05"}
    event = ExecutionEvent(order_id="o", symbol="AAPL", side="buy", **numbers)  # type: ignore[arg-type]
    portfolio = Portfolio(1_000)
    handle_of(portfolio).begin("cause", ARRIVED)
    handle_of(portfolio).handle_execution(event)
    quantity, price, commission = (
        Fraction(numbers[n]) for n in ("quantity", "price", "commission")
    )
    assert Fraction(portfolio.account.cash) == 1_000 - quantity * price - commission
    assert Fraction(portfolio.position("AAPL").quantity) == quantity


class Sender(Strategy):
    def on_bar(self, bar: Bar) -> None:
        self.send_signal(bar.symbol, Signal.LONG, strength="2.5e-1")


def test_numbers_are_sent_plainly() -> None:
    strategy = Sender()
    handle_of(strategy).begin("cause", ARRIVED)
    strategy.on_data(data("1257894000", close="1e-05"))
    assert encode(handle_of(strategy).take()[0]).endswith(b'"Strength":"0.25"}')
    bar = Bar.make(
        "AAPL", ARRIVED, open="1e-05", high="1E+6", low="1e-05", close="1e-05", volume="2e3"
    )
    assert list(bar.texts) == ["0.00001", "1000000", "0.00001", "0.00001", "2000"]


class Listener(Strategy):
    def __init__(self, symbols: list[str]) -> None:
        super().__init__(symbols)
        self.seen: list[str] = []

    def on_bar(self, bar: Bar) -> None:
        self.seen.append(bar.symbol)


@pytest.mark.parametrize("asked", ["CPNG", "cpng", "Cpng"])
def test_symbol_in_another_case_goes_by_subject(asked: str) -> None:
    strategy = Listener([asked])
    nameless = Message("ingenium.ingestor.data.cpng", b"")
    assert wants(strategy, golden(DataEvent, "data_five_minutes_lower_case"), nameless)
    assert wants(strategy, golden(DataEvent, "data_hour"), nameless)
    assert not wants(strategy, golden(DataEvent, "data_day_dotted_symbol"), nameless)


def test_symbol_of_a_sender_that_says_who_it_is_counts_as_it_is_written() -> None:
    named = Message("ingenium.ingestor.data.cpng", b"", {"Ingenium-Source": "feed"})
    event = golden(DataEvent, "data_five_minutes_lower_case")
    assert event.symbol == "cpng"
    assert wants(Listener(["cpng"]), event, named)
    assert not wants(Listener(["CPNG"]), event, named)


def test_execution_in_another_case_than_its_order_is_booked_under_the_order() -> None:
    order = Order.from_event(golden(OrderEvent, "order_market"))
    event = ExecutionEvent(order_id=order.id, symbol="cpng", quantity="1", price="2")
    fill = Fill.from_event(event, order)
    assert fill is not None
    assert fill.symbol == "CPNG"


def test_live_data_in_every_odd_form_reaches_the_strategy() -> None:
    async def main() -> list[str]:
        bus = MemoryBus()
        log = IncidentLog()
        bus.on_incident(log)
        strategy = Listener(["CPNG"])
        member = LiveRunner(bus, strategy)
        await member.start()
        odd = [
            b'{"Type":"data.type.ohlc","Symbol":"cpng","Timestamp":"%b","Ohlc":{"Open":"1e-05",'
            b'"High":"1E+1","Low":"1e-05","Close":"1","Volume":"","Period":"%b"}}' % texts
            for texts in [(b"", b"1Hour"), (b"soon", b"soon"), (b"1257894000", b"1h0m0s")]
        ]
        for payload in odd:
            await bus.publish("ingenium.ingestor.data.cpng", payload)
        await bus.flush()
        await member.stop()
        assert log.items == []
        return strategy.seen

    assert asyncio.run(main()) == ["cpng"] * 3


class LowerCase(Ingestor):
    def read(self) -> Iterator[DataEvent]:
        for hour in range(3):
            start = datetime(2024, 1, 4, 14 + hour, tzinfo=UTC)
            event = data("n/a", timestamp=start, period="1Hour", close="1E+1", high="1E+1")
            event.symbol = "aapl"
            yield event


class NoLength(LowerCase):
    def read(self) -> Iterator[DataEvent]:
        for event in super().read():
            assert event.ohlc
            event.ohlc.period = "a while"
            yield event


def test_unknown_period_is_a_problem_of_the_replay_and_no_bar_is_lost() -> None:
    listener = Listener(["aapl"])
    app = App(
        ingestors=[NoLength()],
        strategies=[listener],
        portfolio=Portfolio(name="portfolio"),
        executor=PaperExecutor(),
    )
    result = replay(app)
    assert listener.seen == ["aapl"] * 3
    assert result.last == datetime(2024, 1, 4, 16, tzinfo=UTC)
    assert result.problems == (
        "aapl: Ohlc.Period 'a while' is unknown, so its bars count as bars without a stated period",
        "strategy 'listener' sent no signal in 3 bars",
    )


def test_history_in_the_forms_of_others_is_replayed_as_on_a_bus(
    said: pytest.LogCaptureFixture,
) -> None:
    def app() -> App:
        return App(
            ingestors=[LowerCase()],
            strategies=[Listener(["aapl", "IBM"])],
            portfolio=Portfolio(name="portfolio"),
            executor=PaperExecutor(),
        )

    inside, outside = app(), app()
    first = replay(inside)
    second = asyncio.run(replay_on(MemoryBus(), outside))
    for each in (inside, outside):
        [strategy] = each.strategies
        assert isinstance(strategy, Listener)
        assert strategy.seen == ["aapl"] * 3
    assert first.events_digest == second.events_digest
    assert (first.data, first.dead_letters) == (3, 0)
    assert first.last == datetime(2024, 1, 4, 17, tzinfo=UTC)
    assert first.problems == second.problems
    assert [line for line in first.problems if "no ingestor sent" in line] == [
        "strategy 'listener' waits for IBM, which no ingestor sent: the data has aapl"
    ]
    assert len(said.messages) == 1
