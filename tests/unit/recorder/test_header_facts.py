"""Headers that the recorder reads; the facts are worked out by hand."""

from __future__ import annotations

import pytest

from ingenium.recorder.header_facts import HeaderFacts, HeaderReader

START = b"NATS/1.0\r\nIngenium-Source: rsi\r\nContent-Type: application/json\r\n"


def facts(
    source: str = "", message_id: str = "", time: str = "", cause: str = "", *, json: bool
) -> HeaderFacts:
    return HeaderFacts(source, message_id, cause, time, json)


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (b"", facts(json=True)),
        (START + b"Nats-Msg-Id: a1\r\n\r\n", facts("rsi", "a1", json=True)),
        (START + b"\r\n", facts("rsi", json=True)),
        (
            START + b"Nats-Msg-Id: a1\r\nIngenium-Cause-Time: T\r\nNats-Expected-Stream: S\r\n\r\n",
            facts("rsi", "a1", "T", json=True),
        ),
        (
            START + b"Nats-Msg-Id: a1\r\nIngenium-Cause: C\r\n\r\n",
            facts("rsi", "a1", cause="C", json=True),
        ),
        (
            START + b"Ingenium-Cause-Time: T\r\nNats-Msg-Id: a1\r\n\r\n",
            facts("rsi", "a1", "T", json=True),
        ),
        (
            START + b"Ingenium-Cause-Time: T\r\nNats-Msg-Id: a1\r\nIngenium-Cause-Time\r\n\r\n",
            facts("rsi", "a1", "T", json=True),
        ),
        (
            START + b"Nats-Msg-Id: a1\r\nIngenium-Source: other\r\n\r\n",
            facts("other", "a1", json=True),
        ),
        (START + b"Nats-Msg-Id: a1\r\nNats-Msg-Id:a2\r\n\r\n", facts("rsi", "a2", json=True)),
        (
            START + b"Nats-Msg-Id: a1\r\nContent-Type : application/protobuf\r\n\r\n",
            facts("rsi", "a1", json=False),
        ),
        (
            b"NATS/1.0\r\nContent-Type: application/protobuf\r\nNats-Msg-Id: \xc3\xa9\xff\r\n\r\n",
            facts("", "é�", json=False),
        ),
        (b"NATS/1.0\r\nContent-Type: text/html\r\n\r\n", facts(json=False)),
        (b"NATS/1.0\r\nno colon\r\nNats-Msg-Id: a1\r\n", facts("", "a1", json=True)),
        (b"NATS/1.0 503 x\r\nNats-Msg-Id: a1\r\n\r\n", facts("", "a1", json=True)),
    ],
)
def test_facts_are_those_of_the_last_header_of_a_name(block: bytes, expected: HeaderFacts) -> None:
    reader = HeaderReader()
    assert reader.read(block) == expected
    # The second time the start of the block is known.
    assert reader.read(block) == expected


def test_headers_that_begin_alike_keep_their_own_ids_and_causes() -> None:
    reader = HeaderReader()
    for number in range(3):
        block = START + b"Nats-Msg-Id: a%d\r\nIngenium-Cause-Time: T%d\r\n\r\n" % (number, number)
        assert reader.read(block) == facts("rsi", f"a{number}", f"T{number}", json=True)
        assert reader.read(START + b"Nats-Msg-Id: b\r\n\r\n") == facts("rsi", "b", json=True)
