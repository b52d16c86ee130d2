"""What holds of the codec for any event and any bytes."""

from __future__ import annotations

import json
import typing
from typing import Any

import pytest
from google.protobuf import (  # type: ignore[import-untyped]
    json_format,
    message_factory,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from support.wire_messages import EVENTS, NOON, TEXT, TYPES
from support.wire_payloads import EVENT_NAMES, generate

from ingenium._gen.ingenium import v1
from ingenium.errors import DecodeError
from ingenium.events import decode, encode
from ingenium.events._reading import read
from ingenium.events._schema import schema_of
from ingenium.events._writing import write


@given(EVENTS)
@settings(max_examples=500)
def test_event_that_is_written_reads_as_the_same_event(event: Any) -> None:
    assert decode(type(event), encode(event)) == event


@given(EVENTS)
@settings(max_examples=500)
def test_fast_and_slow_path_write_and_read_the_same(event: Any) -> None:
    schema = schema_of(type(event))
    payload = encode(event)
    assert write(schema, event) == payload
    assert vars(read(schema, payload)) == vars(decode(type(event), payload))


@given(st.sampled_from(TYPES), st.binary(max_size=80) | TEXT.map(str.encode))
def test_garbage_raises_a_decode_error_and_nothing_else(event_type: Any, payload: bytes) -> None:
    try:
        event = decode(event_type, payload)
    except DecodeError:
        return
    assert decode(event_type, encode(event)) == event


@pytest.mark.parametrize("seed", range(4))
def test_payloads_on_the_edge_read_the_same_on_both_paths(seed: int) -> None:
    for name, payload in generate(seed, 2_000):
        event_type = getattr(v1, name)
        results = []
        for reader in (decode, lambda cls, data: read(schema_of(cls), data)):
            try:
                results.append(reader(event_type, payload))
            except DecodeError as error:
                results.append(str(error))
        assert results[0] == results[1], payload


def test_generator_covers_the_events_of_the_bus() -> None:
    assert {"DataEvent", "SignalEvent", "OrderEvent", "ExecutionEvent"} <= set(EVENT_NAMES)
    assert list(generate(5, 500)) == list(generate(5, 500))
    assert list(generate(5, 500)) != list(generate(6, 500))


def _with_documented_fields(event: Any) -> Any:
    """Set what protobuf leaves out and the format always writes."""
    for name in ("timestamp", "stop_loss"):
        if getattr(event, name, "") is None:
            filler = v1.StopLoss(stop_price="1") if name == "stop_loss" else NOON
            setattr(event, name, filler)
    return event


@given(EVENTS.map(_with_documented_fields))
@settings(max_examples=300)
def test_plain_protobuf_json_is_this_format(event: Any) -> None:
    plain_type = message_factory.GetMessageClass(type(event).DESCRIPTOR)

    # Written by us, read by protobuf.
    plain = json_format.Parse(encode(event), plain_type())
    assert type(event).parse(plain.SerializeToString()) == event

    # Written by protobuf, read by us.
    text = json_format.MessageToJson(plain, always_print_fields_with_no_presence=True)
    assert decode(type(event), text.encode()) == event

    # Key for key, value for value; protobuf has an order of its own, and writes fractions of a
    # second in threes of digits.
    ours = json.loads(encode(event))
    theirs = json.loads(text)
    assert dict(_leaves(ours)) == dict(_leaves(theirs))


def _leaves(value: Any, path: str = "") -> typing.Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}")
    elif isinstance(value, list):
        yield path, len(value)
        for place, inner in enumerate(value):
            yield from _leaves(inner, f"{path}.{place}")
    elif path.endswith(("Time", "Timestamp")) and value.endswith("Z"):
        whole, _, fraction = value[:-1].partition(".")
        yield path, (whole, fraction.rstrip("0"))
    else:
        yield path, value
