"""The binary form of events: the same values as the JSON, for every event and every payload."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, cast

import pytest
from google.protobuf import message_factory  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st
from support.wire_messages import EVENTS, TYPES
from support.wire_own_types import NOON, QUOTE, Lasting, Level, LoudQuote, Quote, Tree
from support.wire_payloads import generate

from ingenium import DataEvent, ExecutionEvent, OrderEvent, Signal, SignalEvent, StopLoss
from ingenium._gen.ingenium import v1
from ingenium.errors import DecodeError, EncodeError
from ingenium.events import decode, decode_binary, encode, encode_binary

GOLDEN = Path(__file__).parents[2] / "golden"
KINDS: dict[str, type[Any]] = {
    "data": DataEvent,
    "signal": SignalEvent,
    "order": OrderEvent,
    "execution": ExecutionEvent,
}


@pytest.mark.parametrize(
    "path", sorted(GOLDEN.glob("*/*.json")), ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_golden_vector_is_the_same_event_after_the_way_through_binary(path: Path) -> None:
    event_type = KINDS[path.stem.split("_", maxsplit=1)[0]]
    event = decode(event_type, path.read_bytes())
    again = decode_binary(event_type, encode_binary(event))
    assert vars(again) == vars(event)
    assert encode(again) == encode(event)


@given(EVENTS)
@settings(max_examples=500)
def test_event_reads_the_same_from_json_and_from_binary(event: Any) -> None:
    assert vars(decode_binary(type(event), encode_binary(event))) == vars(
        decode(type(event), encode(event))
    )


@given(EVENTS)
@settings(max_examples=300)
def test_bytes_are_those_of_other_protobuf_runtimes(event: Any) -> None:
    assert encode_binary(event) == bytes(event)
    assert type(event).parse(encode_binary(event)) == event


@pytest.mark.parametrize("seed", range(4))
def test_every_payload_that_json_reads_is_the_same_after_the_way_through_binary(seed: int) -> None:
    readable = 0
    for name, payload in generate(seed, 2_000):
        event_type = getattr(v1, name)
        try:
            event = decode(event_type, payload)
        except DecodeError:
            continue
        readable += 1
        assert encode(decode_binary(event_type, encode_binary(event))) == encode(event), payload
    assert readable > 500


@given(st.sampled_from(TYPES), st.binary(max_size=80))
@settings(max_examples=500)
def test_bytes_of_any_kind_give_an_event_or_a_decode_error(event_type: Any, payload: bytes) -> None:
    try:
        event = decode_binary(event_type, payload)
    except DecodeError:
        return
    # What can be read can be written, in both forms.
    assert decode_binary(event_type, encode_binary(event)) == event
    assert decode(event_type, encode(event)) == event


def test_words_that_nobody_knows_are_kept() -> None:
    event = SignalEvent(symbol="A", signal="ingenium.signal.sideways")
    assert decode_binary(SignalEvent, encode_binary(event)) == event


def test_member_of_an_enum_is_its_word() -> None:
    again = decode_binary(SignalEvent, encode_binary(SignalEvent(symbol="A", signal=Signal.LONG)))
    assert type(again.signal) is str
    assert again.signal == "ingenium.signal.long"


def test_optional_field_that_is_set_to_nothing_stays_set() -> None:
    event = SignalEvent(symbol="A", id="", strength="")
    again = decode_binary(SignalEvent, encode_binary(event))
    assert (again.id, again.strength, again.timestamp) == ("", "", None)
    assert decode_binary(SignalEvent, encode_binary(SignalEvent())).id is None
    bar = DataEvent(ohlc=v1.Ohlc())
    assert decode_binary(DataEvent, encode_binary(bar)).ohlc == v1.Ohlc()


def test_fields_that_the_schema_does_not_know_are_dropped_as_in_json() -> None:
    payload = encode_binary(SignalEvent(symbol="A")) + b"\xfa\x01\x03new"
    event = decode_binary(SignalEvent, payload)
    assert event == SignalEvent(symbol="A")
    assert encode_binary(event) == encode_binary(SignalEvent(symbol="A"))


def _with_time(seconds: int, nanos: int) -> bytes:
    plain = message_factory.GetMessageClass(OrderEvent.DESCRIPTOR)()
    plain.timestamp.seconds, plain.timestamp.nanos = seconds, nanos
    payload: bytes = plain.SerializeToString()
    return payload


def test_zero_time_and_empty_stop_loss_read_as_unset() -> None:
    zero = int(datetime(1, 1, 1, tzinfo=UTC).timestamp())
    assert decode_binary(OrderEvent, _with_time(zero, 0)).timestamp is None
    order = OrderEvent(symbol="A", stop_loss=StopLoss())
    assert decode_binary(OrderEvent, encode_binary(order)).stop_loss is None


def test_time_is_cut_to_microseconds_as_in_json() -> None:
    time = decode_binary(OrderEvent, _with_time(-1, 999_999_999)).timestamp
    text = b'{"Timestamp":"1969-12-31T23:59:59.999999999Z"}'
    assert time == decode(OrderEvent, text).timestamp
    assert time == datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    assert decode_binary(OrderEvent, _with_time(0, 0)).timestamp == datetime(1970, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "nanos"),
    [(-62_135_596_801, 0), (253_402_300_800, 0), (2**63 - 1, 0), (0, -1), (0, 1_000_000_000)],
)
def test_time_that_is_none_is_refused_with_its_field(seconds: int, nanos: int) -> None:
    with pytest.raises(DecodeError, match=r"decode OrderEvent\.Timestamp: .* are not a time"):
        decode_binary(OrderEvent, _with_time(seconds, nanos))


@pytest.mark.parametrize(
    "event",
    [
        OrderEvent(limit_price=cast("str", 12.5)),
        OrderEvent(symbol=cast("str", b"AAPL")),
        OrderEvent(symbol=cast("str", None)),
        OrderEvent(symbol="\ud83d"),
        OrderEvent(extended_hours=cast("bool", 1)),
        OrderEvent(timestamp=datetime(2024, 1, 3)),  # noqa: DTZ001
        OrderEvent(timestamp=datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1)))),
        OrderEvent(timestamp=cast("datetime", "2024-01-03T00:00:00Z")),
        OrderEvent(stop_loss=cast("StopLoss", "170")),
        v1.LockstepReport(data_sent=-1),
        v1.LockstepReport(data_sent=2**32),
        v1.LockstepReport(data_sent=cast("int", True)),
        v1.DeadLetterEvent(data=cast("bytes", "text")),
        Quote(tags=cast("list[str]", [5])),
        Quote(tags=cast("list[str]", None)),
        Quote(levels=[Level(), Level(size=2**63)]),
        Quote(ratio=1e39),
        Level(price=math.nan),
        Level(price=-math.inf),
        Lasting(),
    ],
    ids=repr,
)
def test_event_that_json_refuses_is_refused_with_the_same_words(event: Any) -> None:
    with pytest.raises(EncodeError) as of_json:
        encode(event)
    with pytest.raises(EncodeError) as of_binary:
        encode_binary(event)
    assert str(of_binary.value) == str(of_json.value)


@pytest.mark.parametrize(
    "quote",
    [
        QUOTE,
        Quote(),
        Quote(tags=["", "<b>", "é"], raw=b"\x00"),
        Quote(times=[datetime(1, 1, 1, tzinfo=UTC), NOON]),
        Quote(ratio=0.1, best=Level()),
        Quote(levels=[Level(), Level(price=-0.0)]),
        Quote(levels=cast("list[Level]", (Level(price=1),))),
        Level(price=cast("float", 5)),
    ],
    ids=repr,
)
def test_event_of_a_users_own_is_the_same_through_both_forms(quote: Any) -> None:
    of_json = decode(type(quote), encode(quote))
    of_binary = decode_binary(type(quote), encode_binary(quote))
    assert repr(vars(of_binary)) == repr(vars(of_json))


def test_message_that_holds_itself_is_written_and_read() -> None:
    tree = Tree(name="a", branches=[Tree(name="b", branches=[Tree(name="c")]), Tree(name="d")])
    assert decode_binary(Tree, encode_binary(tree)) == tree


def test_message_that_nests_too_deeply_is_refused() -> None:
    with pytest.raises(DecodeError, match=r"bytes are not a binary acme\.v1\.Tree"):
        decode_binary(Tree, _nested(200))
    assert decode_binary(Tree, _nested(50)).branches
    tree = Tree()
    tree.branches.append(tree)
    with pytest.raises(EncodeError, match="nests too deeply"):
        encode_binary(tree)


def _nested(levels: int) -> bytes:
    payload = b""
    for _ in range(levels):
        size = len(payload)
        head = bytes([size]) if size < 128 else bytes([size & 127 | 128, size >> 7])
        payload = b"\x12" + head + payload
    return payload


def test_class_that_does_something_of_its_own_is_made_by_its_own_constructor() -> None:
    quote = decode_binary(LoudQuote, encode_binary(Quote(venue="xnas")))
    assert type(quote) is LoudQuote
    assert quote.venue == "XNAS"


@pytest.mark.parametrize("field", ["price", "ratio"])
@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_number_that_is_none_is_refused_with_its_field(field: str, value: float) -> None:
    event_type = Level if field == "price" else Quote
    plain = message_factory.GetMessageClass(event_type.DESCRIPTOR)()
    setattr(plain, field, value)
    with pytest.raises(DecodeError, match=f"{field.capitalize()}: expected a finite number"):
        decode_binary(event_type, plain.SerializeToString())


@pytest.mark.parametrize(
    ("payload", "problem"),
    [
        (b"\xff", r"1 bytes are not a binary ingenium\.v1\.OrderEvent: send the protobuf"),
        (b"\x0a\x05AA", "4 bytes are not a binary"),
        (b"\x1a\x02\xff\xfe", "4 bytes are not a binary"),
        (b'{"Symbol":"AAPL"}', "looks like JSON, and its header Content-Type says application/"),
    ],
)
def test_bytes_that_are_no_event_are_refused_with_type_and_cure(
    payload: bytes, problem: str
) -> None:
    with pytest.raises(DecodeError, match=rf"cannot decode OrderEvent: .*{problem}"):
        decode_binary(OrderEvent, payload)


def test_type_without_a_rule_is_refused_with_the_field_and_the_cure() -> None:
    with pytest.raises(DecodeError, match=r"Lasting\.Span: the wire format has no rule for"):
        decode_binary(Lasting, b"")
