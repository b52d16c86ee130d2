"""Reading streams by sequence, as a reader who may write nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from support.delivering import jetstream

from ingenium.bus import Message, NatsBus, NatsOptions
from ingenium.bus.nats.direct_reader import DirectReader, KeptMessage
from ingenium.bus.nats.stream import NatsStream
from ingenium.bus.nats.stream_layout import DATA_STREAM, MONEY_STREAM, open_stream
from ingenium.bus.roles import RECORDER
from ingenium.bus.stream import MESSAGE_ID
from ingenium.errors import BusPermissionError, BusTimeoutError, NoListenerError
from ingenium.nats_server import EmbeddedServer
from ingenium.nats_server.accounts import OPERATOR, READER, Accounts
from ingenium.subjects.names import EXECUTION, ORDER, SIGNAL, data_subject, status_subject
from ingenium.subjects.space import SubjectSpace
from ingenium.testing import Collector

ACCOUNTS = Accounts(
    "app",
    {"ingestor": ["csv"], "strategy": ["rsi"], "portfolio": ["pf"], "executor": ["ex"]},
)
GET = f"$JS.API.DIRECT.GET.{MONEY_STREAM.name}"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    async with EmbeddedServer(tmp_path, accounts=ACCOUNTS) as server:
        yield server


@pytest.fixture
async def buses(server: EmbeddedServer) -> AsyncIterator[dict[str, NatsBus]]:
    roles = ("ingestor", "portfolio", "executor", OPERATOR, READER, RECORDER)
    buses = {role: await NatsBus.connect(server.url_for(role), name=role) for role in roles}
    yield buses
    for bus in buses.values():
        await bus.close()


@pytest.fixture
async def money(buses: dict[str, NatsBus]) -> NatsStream:
    return await open_stream(buses[OPERATOR], MONEY_STREAM)


@pytest.fixture
async def reader(buses: dict[str, NatsBus]) -> AsyncIterator[DirectReader]:
    reader = DirectReader(buses[READER], MONEY_STREAM.name)
    reader.open()
    yield reader
    reader.close()


async def test_messages_come_in_order_and_to_the_byte(
    money: NatsStream, reader: DirectReader
) -> None:
    assert await reader.read(1) == []
    # A stream adds the header that an append sends; a plain publish has none at all.
    await money.append(SIGNAL, b'{"n":1}', {MESSAGE_ID: "one", "Nats-Sequence": "99"})
    await money.append(ORDER, b"\x00\xff", {MESSAGE_ID: "two"})
    kept = await reader.read(1)
    assert [(each.sequence, each.subject, each.payload) for each in kept] == [
        (1, SIGNAL, b'{"n":1}'),
        (2, ORDER, b"\x00\xff"),
    ]
    assert kept[0].headers == (
        b"NATS/1.0\r\nNats-Msg-Id: one\r\nNats-Sequence: 99\r\n"
        b"Nats-Expected-Stream: INGENIUM\r\n\r\n"
    )
    at = [await money.at(each.sequence) for each in kept]
    times = [each.time for each in at if each is not None]
    assert len(times) == 2
    for time, each in zip(times, kept, strict=True):
        seconds, fraction = divmod(each.received, 1_000_000_000)
        assert (int(time.timestamp()), time.microsecond) == (seconds, fraction // 1000)
    assert await reader.read(2) == kept[1:]
    assert await reader.read(1, count=1) == kept[:1]
    assert await reader.read(3) == []


async def test_plain_publish_has_no_headers(
    buses: dict[str, NatsBus], reader: DirectReader
) -> None:
    await open_stream(buses[OPERATOR], MONEY_STREAM)
    await buses["portfolio"].publish(ORDER, b"1")
    await buses["portfolio"].flush()
    (kept,) = await reader.read(1)
    assert (kept.headers, kept.payload) == (b"", b"1")


@pytest.mark.parametrize("status", [b" 204 EOB", b" 404 Message Not Found", b" 503"])
async def test_message_that_looks_like_an_answer_of_the_server_is_a_message(
    buses: dict[str, NatsBus], money: NatsStream, reader: DirectReader, status: bytes
) -> None:
    block = b"NATS/1.0" + status + b"\r\nNats-Num-Pending: 0\r\n\r\n"
    frame = b"HPUB %b %d %d\r\n%bx\r\n" % (ORDER.encode(), len(block), len(block) + 1, block)
    buses["portfolio"].client.send(frame)
    await buses["portfolio"].flush()
    await money.append(ORDER, b"2")
    kept = await reader.read(1)
    assert [(each.sequence, each.payload) for each in kept] == [(1, b"x"), (2, b"2")]


async def test_batch_ends_at_its_bytes(money: NatsStream, reader: DirectReader) -> None:
    for _ in range(5):
        await money.append(ORDER, b"x" * 1000)
    got: list[KeptMessage] = []
    while batch := await reader.read(len(got) + 1, max_bytes=2500):
        assert len(batch) < 5
        got += batch
    assert [each.sequence for each in got] == [1, 2, 3, 4, 5]


async def test_market_data_is_read_from_memory(buses: dict[str, NatsBus]) -> None:
    await open_stream(buses[OPERATOR], DATA_STREAM)
    for n in range(4):
        await buses["ingestor"].publish(data_subject("AAPL"), b"%d" % n)
    await buses["ingestor"].flush()
    reader = DirectReader(buses[READER], DATA_STREAM.name)
    reader.open()
    async with asyncio.timeout(5):
        # The server takes what is published across accounts a moment later.
        while len(kept := await reader.read(1)) < 4:
            continue
    assert [(each.sequence, each.payload) for each in kept] == [
        (1, b"0"),
        (2, b"1"),
        (3, b"2"),
        (4, b"3"),
    ]
    reader.close()


async def test_hole_shows_and_the_prefix_of_a_space_is_taken_off(
    make_server: Any, tmp_path: Path
) -> None:
    server = make_server(jetstream(tmp_path / "js"))
    options = NatsOptions(space=SubjectSpace("paper"))
    bus = await NatsBus.connect(server.url, name="test", options=options)
    stream = await open_stream(bus, DATA_STREAM)
    for n in range(4):
        await bus.publish(data_subject("AAPL"), b"%d" % n)
    await bus.flush()
    assert (await stream.state()).last == 4
    await bus.client.request(
        "$JS.API.STREAM.MSG.DELETE.INGENIUM_DATA-paper", b'{"seq": 2}', timeout=2
    )
    reader = DirectReader(bus, DATA_STREAM.name)
    reader.open()
    kept = await reader.read(1)
    assert [(each.sequence, each.payload) for each in kept] == [(1, b"0"), (3, b"2"), (4, b"3")]
    assert {each.subject for each in kept} == {data_subject("AAPL")}
    reader.close()
    await bus.close()


async def test_stream_that_is_not_there_is_named(
    buses: dict[str, NatsBus], reader: DirectReader
) -> None:
    with pytest.raises(NoListenerError, match=r"has no stream INGENIUM$"):
        await reader.read(1)


async def test_server_that_ends_is_a_timeout_and_reading_goes_on_after_it(
    server: EmbeddedServer, money: NatsStream, reader: DirectReader
) -> None:
    await money.append(ORDER, b"1")
    before = await reader.read(1)
    await server.stop()
    with pytest.raises(BusTimeoutError):
        await reader.read(1)
    await server.restart()
    async with asyncio.timeout(10):
        while True:
            try:
                after = await reader.read(1)
                break
            except BusTimeoutError:
                continue
    assert after == before


# Attacks from the account of readers, with the logins of a reader and of the recorder.


@pytest.mark.parametrize("role", [READER, RECORDER])
@pytest.mark.parametrize("target", [ORDER, SIGNAL, EXECUTION, "ingenium.control.trading"])
async def test_answer_that_is_sent_to_orders_reaches_nobody_who_trades(
    buses: dict[str, NatsBus], money: NatsStream, target: str, role: str
) -> None:
    await money.append(ORDER, b'{"Id":"order_old"}')
    heard: dict[str, Collector[Message]] = {}
    for trading in ("portfolio", "executor", OPERATOR):
        heard[trading] = Collector()
        pattern = {"portfolio": SIGNAL, "executor": ORDER}.get(trading, "ingenium.>")
        await buses[trading].subscribe(pattern, heard[trading])
    request = json.dumps({"seq": 1, "batch": 10}).encode()
    # Were the answer published in the account of money, it would be an order.
    frame = f"PUB {GET} {target} {len(request)}\r\n".encode() + request + b"\r\n"
    buses[role].client.send(frame)
    await buses[role].flush()
    answered = Collector[Message]()
    await buses[role].subscribe(target, answered)
    buses[role].client.send(frame)
    # It comes back to the sender, so the server has handled it.
    await answered.wait(1)
    for trading in heard:
        await buses[trading].flush()
    assert {name: got.items for name, got in heard.items()} == {name: [] for name in heard}
    assert (await money.state()).last == 1


async def test_readers_do_not_get_answers_of_each_other(
    server: EmbeddedServer, buses: dict[str, NatsBus], money: NatsStream
) -> None:
    await money.append(ORDER, b"1")
    await money.append(ORDER, b"2")
    other = await NatsBus.connect(server.url_for(READER), name="other")
    readers = [DirectReader(bus, MONEY_STREAM.name) for bus in (buses[READER], other)]
    for reader in readers:
        reader.open()
    one, two = await asyncio.gather(readers[0].read(1), readers[1].read(2))
    assert ([each.sequence for each in one], [each.sequence for each in two]) == ([1, 2], [2])
    for reader in readers:
        reader.close()
    await other.close()


@pytest.mark.parametrize("start", [1, 6])
async def test_answer_that_another_reader_has_ordered_is_no_hole(
    buses: dict[str, NatsBus],
    money: NatsStream,
    reader: DirectReader,
    monkeypatch: pytest.MonkeyPatch,
    start: int,
) -> None:
    """The other one's request, with the same reply, comes first: an answer, and its end."""
    for n in range(1, 9):
        await money.append(ORDER, b"%d" % n)
    client = buses[READER].client
    send = client.send

    def disturbed(frame: bytes) -> None:
        reply = frame.split()[2]
        request = json.dumps({"seq": start, "batch": 2}).encode()
        send(b"PUB %b %b %d\r\n%b\r\n" % (GET.encode(), reply, len(request), request))
        monkeypatch.setattr(client, "send", send)
        send(frame)

    got: list[KeptMessage] = []
    while len(got) < 8:
        if len(got) in {0, 3}:
            monkeypatch.setattr(client, "send", disturbed)
        got += await reader.read(len(got) + 1, count=3)
    assert [(each.sequence, each.payload) for each in got] == [(n, b"%d" % n) for n in range(1, 9)]


@pytest.mark.parametrize("role", [READER, RECORDER])
@pytest.mark.parametrize(
    "subject",
    [
        ORDER,
        SIGNAL,
        EXECUTION,
        data_subject("AAPL"),
        "ingenium.control.trading",
        f"{GET}.{ORDER}",
        f"$JS.API.STREAM.MSG.GET.{MONEY_STREAM.name}",
        f"$JS.API.CONSUMER.CREATE.{MONEY_STREAM.name}",
        f"$JS.API.STREAM.PURGE.{MONEY_STREAM.name}",
        "$JS.API.DIRECT.GET.KV_lease",
    ],
)
async def test_who_reads_may_publish_nothing_else(
    buses: dict[str, NatsBus], subject: str, role: str
) -> None:
    await buses[role].publish(subject, b"{}")
    with pytest.raises(BusPermissionError, match="forbids publishing"):
        await buses[role].flush()


async def test_recorder_reads_as_a_user_whose_answers_no_reader_hears(
    buses: dict[str, NatsBus], money: NatsStream
) -> None:
    await money.append(ORDER, b"1")
    recorder = DirectReader(buses[RECORDER], MONEY_STREAM.name)
    recorder.open()
    for role, other in ((READER, RECORDER), (RECORDER, READER)):
        with pytest.raises(BusPermissionError, match="forbids subscribing"):
            await buses[role].subscribe(f"_INBOX.{other}.>", lambda _message: None)
    assert [each.payload for each in await recorder.read(1)] == [b"1"]
    recorder.close()
    # It needs no status of a component, so it may not see one.
    status = status_subject("app", "pf")
    await buses[READER].subscribe(status, lambda _message: None)
    with pytest.raises(BusPermissionError, match="forbids subscribing"):
        await buses[RECORDER].subscribe(status, lambda _message: None)


async def test_strategy_may_not_read_the_stream_of_orders(
    server: EmbeddedServer, money: NatsStream
) -> None:
    await money.append(ORDER, b"secret")
    bus = await NatsBus.connect(server.url_for("strategy"), name="strategy")
    reader = DirectReader(bus, MONEY_STREAM.name)
    reader.open()
    with pytest.raises((NoListenerError, BusPermissionError, BusTimeoutError)):
        await reader.read(1)
    await bus.close()
