"""``ingenium tap`` prints everything, and survives everything."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import signal
import sys
from pathlib import Path

import pytest
from support.running import ingenium, running

from ingenium import (
    DataEvent,
    ExecutionEvent,
    Ohlc,
    OrderEvent,
    Signal,
    SignalEvent,
    StopLoss,
    encode,
    encode_binary,
)
from ingenium.bus import NatsBus
from ingenium.events import Event
from ingenium.nats_server import EmbeddedServer
from ingenium.subjects.names import subject_of

EVENTS: list[Event] = [
    DataEvent(
        type="data.type.ohlc",
        symbol="AAPL",
        timestamp="2024-01-03T00:00:00Z",
        ohlc=Ohlc(open="185.1", high="187", low="184", close="186", volume="100", period="1d"),
    ),
    SignalEvent(symbol="AAPL", signal=Signal.LONG, strength="0.5"),
    OrderEvent(
        id="order_1",
        symbol="AAPL",
        side="buy",
        quantity="10",
        type="limit",
        limit_price="185",
        time_in_force="day",
        stop_loss=StopLoss(),
    ),
    ExecutionEvent(
        id="exec_1",
        order_id="order_1",
        symbol="AAPL",
        quantity="10",
        price="184.9",
        update="filled",
    ),
]

GARBAGE = [
    ("ingenium.strategy.signal", b"\xff\xfe{"),
    ("ingenium.ingestor.data.x", b'{"Symbol":12}'),
    ("ingenium.somewhere.else", b"\x1b[2J hello\r\n"),
    ("ingenium.portfolio.order", b""),
    ("ingenium.ingestor.data.deep", b"[" * 100_000),
]


async def _publish_all(bus: NatsBus) -> None:
    for event in EVENTS:
        await bus.publish(subject_of(event), encode(event))
    for subject, payload in GARBAGE:
        await bus.publish(subject, payload)
    await bus.flush()


async def _tapped(
    folder: Path, server: EmbeddedServer, bus: NatsBus, *arguments: str, lines: int
) -> list[str]:
    env = {"NATS_SERVER": server.url}
    with running("tap", *arguments, "--count", str(lines), cwd=folder, env=env) as it:
        it.until_line("listening")
        await _publish_all(bus)
        ended = it.wait()
    assert ended.code == 0, ended.err
    return ended.out.splitlines()


async def test_tap_prints_every_event_in_a_line_and_survives_garbage(
    tmp_path: Path, nats_server: EmbeddedServer, nats_bus: NatsBus
) -> None:
    lines = await _tapped(tmp_path, nats_server, nats_bus, lines=9)
    assert len(lines) == 9
    for pattern, line in zip(
        [
            r"data .*2024-01-03T00:00:00Z +- +AAPL +O 185.1  H 187  L 184  C 186  V 100 +1d",
            r"signal .*AAPL +long +strength 0.5",
            r"order .*AAPL +buy +10 +limit +limit 185 +day +order_1",
            r"execution .*AAPL +filled +10 +at 184.9 +order_1",
            r"broken .*ingenium.strategy.signal",
            r"broken .*expected a string, found 12",
            r"\? +ingenium.somewhere.else +\\x1b\[2J hello\\r\\n",
            r"broken .*ingenium.portfolio.order",
            r"broken .*ingenium.ingestor.data.deep .*100000 bytes",
        ],
        lines,
        strict=True,
    ):
        assert re.search(pattern, line), line
        assert line.isprintable()


async def test_tap_json_gives_one_object_a_line_with_the_bytes_of_what_is_broken(
    tmp_path: Path, nats_server: EmbeddedServer, nats_bus: NatsBus
) -> None:
    lines = await _tapped(tmp_path, nats_server, nats_bus, "--json", lines=9)
    answers = [json.loads(line) for line in lines]
    for event, answer in zip(EVENTS, answers, strict=False):
        assert answer["event"] == json.loads(encode(event))
        assert answer["type"] == type(event).__name__
    for (subject, payload), answer in zip(GARBAGE, answers[4:], strict=True):
        assert answer["subject"] == subject
        assert base64.b64decode(answer["data_base64"]) == payload
        assert answer["error"]


async def test_tap_reads_binary_and_keeps_the_bytes_of_what_is_broken(
    tmp_path: Path, nats_server: EmbeddedServer, nats_bus: NatsBus
) -> None:
    headers = {"Content-Type": "application/protobuf"}
    env = {"NATS_SERVER": nats_server.url}
    broken = b"\x0a\x05AA"
    for options in ((), ("--json",)):
        with running("tap", "--count", "5", *options, cwd=tmp_path, env=env) as it:
            it.until_line("listening")
            for event in EVENTS:
                await nats_bus.publish(subject_of(event), encode_binary(event), headers)
            await nats_bus.publish("ingenium.portfolio.order", broken, headers)
            await nats_bus.flush()
            ended = it.wait()
        assert ended.code == 0, ended.err
        lines = ended.out.splitlines()
        if options:
            answers = [json.loads(line) for line in lines]
            assert [a["event"] for a in answers[:4]] == [json.loads(encode(e)) for e in EVENTS]
            assert base64.b64decode(answers[4]["data_base64"]) == broken
        else:
            assert [line.split()[0] for line in lines[:4]] == [
                "data", "signal", "order", "execution",
            ]  # fmt: skip
            assert "not a binary ingenium.v1.OrderEvent" in lines[4]


OWN = [
    b'{"Symbol":"AAPL", "Headline":"Gr\xc3\xb6\xc3\x9fer <b>\\n\\u001b[2J",\n"Score":0.5}',
    b'{"Score":1e999}',
    b'{"Score":NaN}',
    b'{"Headline":"\xff"}',
    b"[1]",
    b'{"a":' * 100_000,
]


async def _tap_own(server: EmbeddedServer, bus: NatsBus, folder: Path, *options: str) -> list[str]:
    arguments = ("acme.news.>", *options, "--count", str(len(OWN)))
    with running("tap", *arguments, cwd=folder, env={"NATS_SERVER": server.url}) as it:
        it.until_line("listening")
        for payload in OWN:
            await bus.publish("acme.news.aapl", payload)
        await bus.flush()
        ended = it.wait()
    assert ended.code == 0, ended.err
    return ended.out.splitlines()


async def test_tap_shows_an_event_of_a_users_own_as_json(
    tmp_path: Path, nats_server: EmbeddedServer, nats_bus: NatsBus
) -> None:
    first, *rest = await _tap_own(nats_server, nats_bus, tmp_path)
    assert first == (
        "own         acme.news.aapl  "
        r'{"Symbol": "AAPL", "Headline": "Größer <b>\n\u001b[2J", "Score": 0.5}'
    )
    assert len(rest) == 5
    assert all(line.startswith("?           acme.news.aapl  ") for line in rest)


async def test_tap_json_gives_an_event_of_a_users_own_and_the_bytes_of_what_is_none(
    tmp_path: Path, nats_server: EmbeddedServer, nats_bus: NatsBus
) -> None:
    lines = await _tap_own(nats_server, nats_bus, tmp_path, "--json")
    first, *rest = [json.loads(line) for line in lines]
    assert (first["subject"], first["type"]) == ("acme.news.aapl", None)
    assert first["event"] == json.loads(OWN[0])
    for answer, payload in zip(rest, OWN[1:], strict=True):
        assert answer["error"] == "cannot decode event: expected a JSON object"
        assert base64.b64decode(answer["data_base64"]) == payload


async def test_tap_one_subject_prints_only_that(
    tmp_path: Path, nats_server: EmbeddedServer, nats_bus: NatsBus
) -> None:
    [line] = await _tapped(tmp_path, nats_server, nats_bus, "ingenium.executor.execution", lines=1)
    assert line.startswith("execution")


def test_tap_ctrl_c_exits_0(tmp_path: Path, nats_server: EmbeddedServer) -> None:
    with running("tap", cwd=tmp_path, env={"NATS_SERVER": nats_server.url}) as it:
        it.until_line("listening")
        it.send(signal.SIGINT)
        assert it.wait().code == 0


@pytest.mark.parametrize("subject", ["*x", "ingenium..x", "a b", "ingenium.>.x"])
def test_tap_subject_that_makes_no_sense_is_refused(
    tmp_path: Path, nats_server: EmbeddedServer, subject: str
) -> None:
    ended = ingenium("tap", subject, cwd=tmp_path, env={"NATS_SERVER": nats_server.url})
    assert ended.code == 2
    assert repr(subject) in ended.err


def test_tap_without_server_says_how_to_get_one(tmp_path: Path) -> None:
    ended = ingenium("tap", cwd=tmp_path)
    assert ended.code == 2
    assert "set NATS_SERVER, or start an app in this directory" in ended.err


async def test_tap_reader_that_has_seen_enough_ends_it_without_a_word(
    tmp_path: Path, nats_server: EmbeddedServer, nats_bus: NatsBus
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ingenium", "tap",
        cwd=tmp_path,
        env=dict(os.environ) | {"NATS_SERVER": nats_server.url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    assert b"listening" in await asyncio.wait_for(process.stderr.readline(), 20)
    await _publish_all(nats_bus)
    assert await asyncio.wait_for(process.stdout.readline(), 20)
    process.stdout._transport.close()  # type: ignore[attr-defined] # as head does
    for _ in range(3):
        await _publish_all(nats_bus)
    assert await asyncio.wait_for(process.wait(), 20) == 0
    assert await process.stderr.read() == b""


def test_version_plain_and_json(tmp_path: Path) -> None:
    plain = ingenium("version", cwd=tmp_path)
    assert re.fullmatch(r"ingenium \d+\.\d+\.\d+\S* (not )?compiled\n", plain.out)
    answer = json.loads(ingenium("version", "--json", cwd=tmp_path).out)
    compiled = ", compiled" if answer["compiled"] else ", not compiled"
    assert plain.out == f"ingenium {answer['version']}{compiled}\n"


@pytest.mark.parametrize("command", [["tap"], ["run", "app.py"]])
def test_interrupt_while_the_server_is_down_ends_at_once(tmp_path, unused_port, command):
    (tmp_path / "app.py").write_text(
        "from ingenium import App\n"
        "from ingenium.ingestors import CsvIngestor\n"
        "app = App(ingestors=[CsvIngestor('A.csv')])\n"
    )
    env = {"NATS_SERVER": f"nats://127.0.0.1:{unused_port}"}
    with running(*command, cwd=tmp_path, env=env) as it:
        it.until_line("trying for 10 s")
        it.send(signal.SIGINT)
        ended = it.wait()
    assert ended.code == 130
    assert "error:" not in ended.err
