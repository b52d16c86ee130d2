"""The codec's rules and error texts, one at a time."""

from __future__ import annotations

import math
import pickle
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from ingenium._gen.ingenium.v1 import LockstepGrant, LockstepReport
from ingenium.errors import DecodeError, EncodeError, WireError
from ingenium.events import (
    DataEvent,
    DeadLetterEvent,
    ExecutionEvent,
    Ohlc,
    OrderEvent,
    Side,
    SignalEvent,
    StopLoss,
    decode,
    encode,
)

NOON = datetime(2024, 1, 3, 12, tzinfo=UTC)
# The types as a program without a type checker sees them.
LooseOrder: Any = OrderEvent
LooseStopLoss: Any = StopLoss
LooseOhlc: Any = Ohlc
LooseDeadLetter: Any = DeadLetterEvent


class Word(str):
    """A string of a type of its own."""

    __slots__ = ()

    def __str__(self) -> str:
        return "something else"


def test_unset_fields_are_left_out_or_empty_as_the_format_says() -> None:
    assert encode(DataEvent()) == b'{"Type":"","Symbol":"","Timestamp":""}'
    assert encode(SignalEvent(symbol="A")) == b'{"Symbol":"A","Signal":""}'
    assert encode(ExecutionEvent()).startswith(b'{"Id":"","Timestamp":"0001-01-01T00:00:00Z",')
    assert encode(OrderEvent()).endswith(b'"StopLoss":{"LimitPrice":"","StopPrice":""}}')
    assert encode(LockstepGrant(step=3)) == (
        b'{"Step":3,"Component":"","UntilSymbol":"","Data":0,"Executions":0,"Signals":0,"End":false}'
    )


def test_optional_field_that_is_set_empty_is_written() -> None:
    assert encode(SignalEvent(id="", strength="")) == (
        b'{"Symbol":"","Signal":"","Id":"","Strength":""}'
    )


def test_count_that_is_set_to_zero_is_not_the_same_as_absent() -> None:
    assert b'"Total":0' in encode(LockstepReport(total=0))
    assert decode(LockstepReport, encode(LockstepReport(total=0))).total == 0
    assert decode(LockstepReport, encode(LockstepReport())).total is None


@pytest.mark.parametrize(
    ("time", "text"),
    [
        (NOON, "2024-01-03T12:00:00Z"),
        (NOON.replace(microsecond=120_000), "2024-01-03T12:00:00.12Z"),
        (NOON.replace(microsecond=1), "2024-01-03T12:00:00.000001Z"),
        (NOON.replace(year=33), "0033-01-03T12:00:00Z"),
        (NOON.astimezone(timezone(timedelta(hours=-5))), "2024-01-03T12:00:00Z"),
    ],
)
def test_time_is_written_as_go_writes_it(time: datetime, text: str) -> None:
    payload = encode(SignalEvent(timestamp=time))
    assert payload == f'{{"Symbol":"","Signal":"","Timestamp":"{text}"}}'.encode()
    assert decode(SignalEvent, payload).timestamp == time


def test_text_is_escaped_as_go_escapes_it() -> None:
    event = SignalEvent(symbol='<&>\u2028\u2029\x00\b\f\n\r\t"\\/\x7fé日\U0001f4c8')
    expected = (
        '{"Symbol":"\\u003c\\u0026\\u003e\\u2028\\u2029\\u0000\\b\\f\\n\\r\\t\\"\\\\/\x7fé日\U0001f4c8"'
        ',"Signal":""}'
    )
    assert encode(event) == expected.encode()
    assert decode(SignalEvent, expected.encode()) == event


def test_strings_of_other_types_are_written_as_the_strings_that_they_are() -> None:
    assert b'"Side":"buy"' in encode(OrderEvent(side=Side.BUY))
    assert b'"Side":"buy"' in encode(OrderEvent(side=Word("buy")))
    assert type(decode(OrderEvent, encode(OrderEvent(side=Word("buy")))).side) is str


def test_empty_stop_loss_and_zero_time_read_as_unset() -> None:
    order = decode(OrderEvent, encode(OrderEvent(stop_loss=StopLoss())))
    assert order.stop_loss is None
    assert order.timestamp is None
    zero = b'{"Symbol":"A","Signal":"B","Timestamp":"0001-01-01T00:00:00Z"}'
    assert decode(SignalEvent, zero).timestamp is None


def test_error_text_is_one_sentence_with_type_field_value_and_cure() -> None:
    with pytest.raises(DecodeError) as unreadable:
        decode(OrderEvent, b'{"LimitPrice":12.5}')
    assert str(unreadable.value) == (
        "cannot decode OrderEvent.LimitPrice: expected a string, found 12.5"
    )
    with pytest.raises(EncodeError) as unwritable:
        encode(OrderEvent(timestamp=NOON.replace(tzinfo=None)))
    assert str(unwritable.value) == (
        "cannot encode OrderEvent.Timestamp: the time 2024-01-03T12:00:00 has no zone: "
        "pass an aware datetime, such as datetime(..., tzinfo=UTC)"
    )


@pytest.mark.parametrize(
    ("event", "path", "problem"),
    [
        (LooseOrder(limit_price=12.5), "LimitPrice", "expected a string, found 12.5 (float)"),
        (LooseOrder(limit_price=Decimal(1)), "LimitPrice", "expected a string, found Decimal('1')"),
        (LooseOrder(symbol=None), "Symbol", "expected a string, found None"),
        (LooseOrder(extended_hours=1), "ExtendedHours", "expected true or false, found 1 (int)"),
        (
            OrderEvent(stop_loss=LooseStopLoss(stop_price=b"1")),
            "StopLoss.StopPrice",
            "expected a string, found b'1' (bytes)",
        ),
        (LooseOrder(stop_loss=Ohlc()), "StopLoss", "expected StopLoss, found Ohlc()"),
        (LooseOrder(timestamp="now"), "Timestamp", "expected a datetime, found 'now' (str)"),
        (
            OrderEvent(timestamp=datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1)))),
            "Timestamp",
            "the time 0001-01-01T00:00:00+01:00 is outside of the years 1 to 9999 in UTC",
        ),
        (SignalEvent(symbol="A\ud800"), "Symbol", "the text holds the lone surrogate '\\ud800'"),
        (LockstepGrant(step=True), "Step", "expected a whole number, found True"),
        (LockstepGrant(step=-1), "Step", "expected a whole number from 0 to 4294967295, found -1"),
        (LooseDeadLetter(data="x"), "Data", "expected bytes, found 'x' (str)"),
        (DataEvent(ohlc=LooseOhlc(close=math.nan)), "Ohlc.Close", "expected a string, found nan"),
        ("event", "", "the type has no descriptor: pass a message class that betterproto2"),
    ],
)
def test_event_that_cannot_be_written_names_field_and_value(
    event: Any, path: str, problem: str
) -> None:
    with pytest.raises(EncodeError) as caught:
        encode(event)
    assert caught.value.event_type == type(event).__name__
    assert caught.value.path == path
    assert caught.value.problem.startswith(problem)


@pytest.mark.parametrize(
    ("payload", "path", "problem"),
    [
        (b'{"StopLoss":{"StopPrice":true}}', "StopLoss.StopPrice", "expected a string, found true"),
        (b'{"StopLoss":"none"}', "StopLoss", 'expected an object, found "none"'),
        (b'{"StopLoss":[]}', "StopLoss", "expected an object, found a list"),
        (b'{"symbol":{"a":1}}', "Symbol", "expected a string, found an object"),
        (b'{"ExtendedHours":"true"}', "ExtendedHours", 'expected true or false, found "true"'),
        (
            b'{"Timestamp":"2024-02-30T00:00:00Z"}',
            "Timestamp",
            'expected a time like "2024-01-03T00:00:00Z", found "2024-02-30T00:00:00Z"',
        ),
        (
            b'{"Timestamp":"9999-12-31T23:00:00-01:00"}',
            "Timestamp",
            'the time "9999-12-31T23:00:00-01:00" is outside of the years 1 to 9999 in UTC',
        ),
        (b'{"Timestamp":1}', "Timestamp", 'expected a time like "2024-01-03T00:00:00Z", found 1'),
        (
            b'{"Symbol":"A","symbol":"B"}',
            "Symbol",
            "the key appears twice in two spellings, 'Symbol' and 'symbol'",
        ),
        (b"[]", "", "expected an object with the fields of OrderEvent, found a list"),
        (b"", "", "the JSON ends too early, after 0 characters"),
        (b'{"Symbol":', "Symbol", "the JSON ends too early, after 10 characters"),
        (b'{"Symbol":"A', "Symbol", "a string at character 10 is broken or ends too early"),
        (b'{"Symbol":"A"} x', "", 'expected the end at character 15, found "x"'),
        (b'{"Symbol":"\xff"}', "", "byte 11 is not UTF-8"),
        (b'{"a":' + b"[" * 10_000, "", "the JSON nests deeper than 10000 levels"),
    ],
)
def test_payload_that_cannot_be_read_names_field_and_what_was_found(
    payload: bytes, path: str, problem: str
) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(OrderEvent, payload)
    assert (caught.value.event_type, caught.value.path) == ("OrderEvent", path)
    assert caught.value.problem.startswith(problem)


def test_error_holds_its_facts_and_survives_pickling() -> None:
    with pytest.raises(WireError) as caught:
        decode(OrderEvent, b'{"StopLoss":{"StopPrice":1}}')
    for error in (caught.value, pickle.loads(pickle.dumps(caught.value))):
        assert (error.event_type, error.path) == ("OrderEvent", "StopLoss.StopPrice")
        assert error.problem == "expected a string, found 1"


def test_found_value_is_cut_when_it_is_long() -> None:
    with pytest.raises(DecodeError) as caught:
        decode(OrderEvent, b'{"StopLoss":"' + b"x" * 10_000 + b'"}')
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize("payload", ["{}", None, 5])
def test_payload_that_is_no_bytes_is_a_decode_error(payload: Any) -> None:
    with pytest.raises(DecodeError, match="expected bytes, found a"):
        decode(OrderEvent, payload)


@pytest.mark.parametrize("make", [bytearray, memoryview])
def test_payload_in_another_buffer_is_read(make: Any) -> None:
    event = SignalEvent(symbol="AAPL", signal="x")
    assert decode(SignalEvent, make(encode(event))) == event


@pytest.mark.parametrize("event_type", [int, 5, None, [], "DataEvent"])
def test_type_without_a_descriptor_is_a_decode_error(event_type: Any) -> None:
    with pytest.raises(DecodeError, match="the type has no descriptor"):
        decode(event_type, b"{}")


def test_same_key_twice_is_read_on_the_money_path_and_the_last_wins() -> None:
    assert decode(OrderEvent, b'{"Symbol":"A","Symbol":"B"}').symbol == "B"


def test_two_spellings_are_read_where_no_money_moves() -> None:
    assert decode(SignalEvent, b'{"Symbol":"A","SYMBOL":"B"}').symbol == "B"


@pytest.mark.parametrize("key", ["symbol", "SYMBOL", "sYmBoL", "\u017fymbol", "\\u0053ymbol"])
def test_key_in_another_case_is_read(key: str) -> None:
    assert decode(SignalEvent, f'{{"{key}":"AAPL"}}'.encode()).symbol == "AAPL"


def test_repeated_object_adds_to_the_first_one() -> None:
    event = decode(
        DataEvent, b'{"Ohlc":{"Open":"1","Period":"1d"},"Ohlc":{"Open":"2"},"Ohlc":null}'
    )
    assert event.ohlc == Ohlc(open="2", period="1d")


def test_null_leaves_the_zero_value() -> None:
    assert decode(OrderEvent, b'{"Symbol":null,"Timestamp":null,"StopLoss":null}') == OrderEvent()
    assert decode(OrderEvent, b"null") == OrderEvent()


def test_decoded_event_is_whole_as_one_that_was_constructed() -> None:
    event = DataEvent(symbol="AAPL", ohlc=Ohlc(close="1"), id="x")
    again = decode(DataEvent, encode(event))
    assert again == event
    assert vars(again) == vars(event)
    assert bytes(again) == bytes(event)
    assert repr(again) == repr(event)
