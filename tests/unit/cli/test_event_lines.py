"""`ingenium tap` writes lines whose columns are aligned, whatever ids and symbols come."""

from __future__ import annotations

from datetime import UTC, datetime

from ingenium import (
    ControlEvent,
    DataEvent,
    DenialEvent,
    ExecutionEvent,
    Ohlc,
    OrderEvent,
    Signal,
    SignalEvent,
    StopLoss,
    encode,
)
from ingenium.bus.base import Message
from ingenium.cli.event_lines import EventLines
from ingenium.events import Event
from ingenium.subjects.names import subject_of

NOW = datetime(2024, 1, 3, 12, 30, tzinfo=UTC)
MOMENT = datetime(2024, 1, 3, 0, 0, 0, 123456, tzinfo=UTC)
TIME = "2024-01-03T00:00:00.123456Z"


def lines_of(*events: tuple[Event, str]) -> list[str]:
    lines = EventLines(lambda: NOW)
    return [
        lines.line(Message(subject_of(event), encode(event), {"Ingenium-Source": sender}))
        for event, sender in events
    ]


def bar(symbol: str, price: str, volume: str) -> DataEvent:
    ohlc = Ohlc(open=price, high=price, low=price, close=price, volume=volume, period="1d")
    return DataEvent(symbol=symbol, timestamp=TIME, ohlc=ohlc)


def order(symbol: str, identifier: str, quantity: str, limit: str = "") -> OrderEvent:
    return OrderEvent(
        id=identifier, symbol=symbol, side="buy", quantity=quantity, type="limit", timestamp=MOMENT,
        limit_price=limit, time_in_force="day", stop_loss=StopLoss(),
    )  # fmt: skip


def columns(lines: list[str], *words: str) -> list[int]:
    return [line.index(word) for line, word in zip(lines, words, strict=True)]


def test_kind_time_source_and_symbol_stand_below_each_other_whatever_the_event_is() -> None:
    signal = SignalEvent(symbol="AAPL", signal=Signal.LONG, timestamp=MOMENT)
    denial = DenialEvent(
        symbol="AAPL", timestamp=MOMENT, component="p", reason="halted", detail="by hand"
    )
    control = ControlEvent(state="halted", sender="me", reason="why", timestamp=MOMENT)
    execution = ExecutionEvent(id="e", order_id="o", symbol="AAPL", timestamp=MOMENT)
    events: list[Event] = [
        bar("AAPL", "1", "2"), signal, order("AAPL", "o", "1"), execution, denial,
    ]  # fmt: skip
    lines = lines_of(*((event, "sma") for event in [*events, control]))
    assert {line.index(TIME) for line in lines} == {12}
    assert {line.index("sma") for line in lines} == {12 + 29}
    assert {line.index("AAPL") for line in lines[:-1]} == {12 + 29 + 16}
    assert lines[-1].split() == ["control", TIME, "sma", "-", "halted", "me", "why"]


def test_columns_grow_with_what_comes_and_stay_aligned() -> None:
    long = "BRK.B-VERY-LONG-SYMBOL"
    lines = lines_of(
        (order(long, "order_1", "1234567.891"), "a-component-with-a-long-name"),
        (order("A", "order_of_many_letters", "1", "12.5"), "p"),
        (order("A", "order_3", "10", "7"), "p"),
    )
    assert len(set(columns(lines, long, "A ", "A "))) == 1
    assert len(set(columns(lines, "limit", "limit", "limit"))) == 1
    # The first order has no limit price, so this column begins with the second one.
    assert len(set(columns(lines[1:], "limit 12.5", "limit 7"))) == 1
    assert len(set(columns(lines[1:], "order_of", "order_3"))) == 1
    bars = lines_of((bar("A", "100.25", "1000000"), "f"), (bar("B", "9", "5"), "f"))
    assert len(set(columns(bars, "1d", "1d"))) == 1


def test_value_beyond_the_widest_column_moves_only_its_own_line() -> None:
    lines = lines_of((order("S" * 60, "order_1", "1"), "p"), (order("A", "order_2", "1"), "p"))
    assert lines[0].index("buy") == 12 + 29 + 16 + 60 + 2
    assert lines[1].index("buy") == 12 + 29 + 16 + 40 + 2


def test_event_without_a_time_or_sender_shows_when_it_was_seen() -> None:
    signal = SignalEvent(symbol="AAPL", signal=Signal.LONG, strength="0.5")
    message = Message(subject_of(signal), encode(signal), {})
    line = EventLines(lambda: NOW).line(message)
    assert line.split() == [
        "signal", "2024-01-03T12:30:00Z~", "-", "AAPL", "long", "strength", "0.5",
    ]  # fmt: skip
