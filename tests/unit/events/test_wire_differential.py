"""The codec against Go's encoding/json, over thousands of payloads and in both directions."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from support.tools import need_program
from support.wire_go import Reply, ask, build, compare, shown
from support.wire_payloads import generate

from ingenium._gen.ingenium import v1
from ingenium.events import decode, encode

PAYLOADS = 12_000
SEED = 20240103

Accepted = tuple[list[tuple[Any, Reply]], Counter[str]]
"""Events that we read, with Go's reply to their payloads, and how often what happened."""

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(need_program("go"), tmp_path_factory.mktemp("go"))


@pytest.fixture(scope="module")
def answers(program: Path) -> list[tuple[str, bytes, Reply]]:
    questions = list(generate(SEED, PAYLOADS))
    replies = ask(program, questions)
    return [(*question, reply) for question, reply in zip(questions, replies, strict=True)]


@pytest.fixture(scope="module")
def accepted(
    answers: list[tuple[str, bytes, Reply]],
) -> Accepted:
    counts: Counter[str] = Counter()
    events = [(compare(*answer, counts), answer[2]) for answer in answers]
    return [(event, reply) for event, reply in events if event is not None], counts


def test_payloads_get_the_verdict_and_value_of_go(
    accepted: Accepted,
) -> None:
    counts = accepted[1]
    print(dict(counts))
    assert counts["accepted"] > PAYLOADS / 4
    assert counts["refused"] > PAYLOADS / 4
    # Where we are stricter on purpose, the payloads show it.
    assert counts["bad UTF-8, refused by us alone"] > 10
    assert counts["two spellings of a key, refused by us alone"] > 10
    assert counts["time that a datetime cannot hold, refused by us alone"] > 10


def test_events_that_go_writes_are_read_as_the_same_events(
    accepted: Accepted,
) -> None:
    checked = 0
    for event, reply in accepted[0]:
        ours = shown(event)
        for form in (reply.documented, reply.later):
            if form is None or form.written is None:
                continue
            theirs = shown(decode(type(event), form.written))
            for key in form.value:
                if key == "Timestamp" and type(event) is v1.DataEvent:
                    # A plain text with us and in the documented struct.
                    assert form is reply.later or theirs[key] == ours[key]
                elif key == "Ohlc":
                    for name in form.value[key]:
                        mine = (ours[key] or {}).get(name)
                        assert (theirs[key][name] or None) == (mine or None)
                else:
                    assert (theirs[key] or None) == (ours[key] or None)
            checked += 1
    assert checked > PAYLOADS / 4


def test_events_that_we_write_are_read_by_go_as_the_same_events(
    accepted: Accepted, program: Path
) -> None:
    events = [event for event, _ in accepted[0]]
    questions = [(type(event).__name__, encode(event)) for event in events]
    counts: Counter[str] = Counter()
    for event, question, reply in zip(events, questions, ask(program, questions), strict=True):
        assert compare(*question, reply, counts) == event
        assert reply.documented is None or not reply.documented.problem
        # The later code parses a DataEvent's Timestamp, which the documented format leaves open.
        if reply.later is not None and type(event) is not v1.DataEvent:
            assert not reply.later.problem
    assert counts["accepted"] == len(events)


def test_documented_events_are_written_byte_for_byte_as_go_writes_them(
    accepted: Accepted, program: Path
) -> None:
    events = [
        _documented_part(event) for event, reply in accepted[0] if reply.documented is not None
    ]
    questions = [(type(event).__name__, encode(event)) for event in events]
    for (_, payload), reply in zip(questions, ask(program, questions), strict=True):
        assert reply.documented is not None
        assert reply.documented.written == payload
    assert len(events) > PAYLOADS / 6


def _documented_part(event: Any) -> Any:
    """Return an event without its extension fields; they are those that come with presence."""
    match event:
        case v1.DataEvent():
            bar = event.ohlc or v1.Ohlc()
            plain = v1.Ohlc(
                open=bar.open, high=bar.high, low=bar.low, close=bar.close, volume=bar.volume
            )
            return v1.DataEvent(
                type=event.type, symbol=event.symbol, timestamp=event.timestamp, ohlc=plain
            )
        case v1.SignalEvent():
            return v1.SignalEvent(symbol=event.symbol, signal=event.signal)
        case v1.ExecutionEvent():
            return v1.ExecutionEvent(
                id=event.id,
                timestamp=event.timestamp,
                order_id=event.order_id,
                quantity=event.quantity,
                symbol=event.symbol,
            )
    return event


def test_generator_makes_equal_payloads_of_equal_seeds() -> None:
    assert list(generate(5, 500)) == list(generate(5, 500))
    assert list(generate(5, 500)) != list(generate(6, 500))
    assert (
        any(json.loads(payload) for _, payload in generate(5, 500) if payload == b"null") is False
    )
