"""Streams on a real server: what was acknowledged is read once and in order, whatever happens."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from ingenium.bus import NatsBus, NatsOptions
from ingenium.bus.nats.stream_layout import (
    DATA_STREAM,
    MONEY_STREAM,
    StreamLayout,
    has_streams,
    open_stream,
)
from ingenium.bus.stream import MESSAGE_ID, MemoryStream, Record, Stream
from ingenium.errors import BusTimeoutError, EventTooLargeError, StreamError
from ingenium.subjects.names import EXECUTION, ORDER, SIGNAL

MakeServer = Callable[[str], Any]


def jetstream(folder: Path, *more: str) -> str:
    lines = [f'store_dir: "{folder}"', "sync_interval: always", *more]
    return "jetstream {\n" + "\n".join(lines) + "\n}"


@pytest.fixture
def server(make_server: MakeServer, tmp_path: Path) -> Any:
    return make_server(jetstream(tmp_path / "store"))


@pytest.fixture
async def bus(server: Any) -> AsyncIterator[NatsBus]:
    bus = await NatsBus.connect(server.url, options=NatsOptions(ping_interval_seconds=1))
    yield bus
    await bus.close()


@pytest.fixture(params=["memory", "nats"])
async def stream(request: pytest.FixtureRequest, bus: NatsBus) -> Stream:
    if request.param == "memory":
        return MemoryStream()
    return await open_stream(bus, MONEY_STREAM)


async def take(stream: Stream, count: int, after: int = 0, *subjects: str) -> list[Record]:
    found: list[Record] = []
    async with asyncio.timeout(20), aclosing(stream.read(subjects or ("ingenium.>",), after)) as it:
        async for record in it:
            found.append(record)
            if len(found) == count:
                break
    return found


async def append_all(stream: Stream, count: int, start: int = 0) -> None:
    for number in range(start, start + count):
        while True:
            try:
                await stream.append(SIGNAL, b"%d" % number, {MESSAGE_ID: f"signal_{number}"})
            except BusTimeoutError:
                await asyncio.sleep(0.05)
            else:
                break


async def test_read_gives_what_was_kept_in_its_order(stream: Stream) -> None:
    first = await stream.append(SIGNAL, b"one", {MESSAGE_ID: "a", "More": "x"})
    second = await stream.append(ORDER, b"two", {MESSAGE_ID: "b"})
    assert (first.sequence, second.sequence) == (1, 2)
    records = await take(stream, 2)
    assert [r.sequence for r in records] == [1, 2]
    assert [r.message.payload for r in records] == [b"one", b"two"]
    assert [r.message.subject for r in records] == [SIGNAL, ORDER]
    assert records[0].message.headers["More"] == "x"
    assert records[0].time <= records[1].time
    state = await stream.state()
    assert (state.first, state.last) == (1, 2)


async def test_append_of_a_known_id_is_kept_once(stream: Stream) -> None:
    first = await stream.append(ORDER, b"one", {MESSAGE_ID: "same"})
    again = await stream.append(ORDER, b"one", {MESSAGE_ID: "same"})
    assert not first.duplicate
    assert again.duplicate
    assert again.sequence == first.sequence
    assert (await stream.state()).last == 1


async def test_read_after_a_position_gives_only_the_subjects_that_are_wanted(
    stream: Stream,
) -> None:
    for number in range(4):
        await stream.append(SIGNAL, b"s%d" % number, {MESSAGE_ID: f"s{number}"})
        await stream.append(EXECUTION, b"e%d" % number, {MESSAGE_ID: f"e{number}"})
    records = await take(stream, 3, 2, EXECUTION)
    assert [r.message.payload for r in records] == [b"e1", b"e2", b"e3"]


async def test_read_many_gives_the_same_as_read(stream: Stream) -> None:
    for number in range(600):
        await stream.append(ORDER if number % 3 else SIGNAL, b"%d" % number)
    found: list[Record] = []
    async with asyncio.timeout(20), aclosing(stream.read_many([ORDER], 10)) as arriving:
        async for records in arriving:
            assert records
            found += records
            if found[-1].sequence == 600:
                break
    assert found == await take(stream, len(found), 10, ORDER)
    assert [record.sequence for record in found] == [n for n in range(11, 601) if (n - 1) % 3]


async def test_read_waits_for_what_comes(stream: Stream) -> None:
    reading = asyncio.create_task(take(stream, 600))
    await append_all(stream, 600)
    records = await reading
    assert [int(r.message.payload) for r in records] == list(range(600))


async def test_last_gives_the_newest_message_of_a_subject(stream: Stream) -> None:
    assert await stream.last(ORDER) is None
    for number in range(3):
        await stream.append(ORDER, b"%d" % number, {MESSAGE_ID: f"o{number}"})
    await stream.append(SIGNAL, b"s")
    found = await stream.last(ORDER)
    assert found is not None
    assert (found.sequence, found.message.payload) == (3, b"2")


async def test_message_is_found_by_its_place(stream: Stream) -> None:
    assert await stream.at(1) is None
    for number in range(50):
        await stream.append(ORDER, b"%d" % number, {MESSAGE_ID: f"o{number}"})
    for record in await take(stream, 50):
        found = await stream.at(record.sequence)
        assert found is not None
        assert (found.mark, found.message.payload) == (record.mark, record.message.payload)
    assert await stream.at(51) is None


@pytest.mark.parametrize("waits", [True, False], ids=["while it waits", "before it reads"])
async def test_read_stops_where_others_took_the_place_it_begins_behind(
    make_server: MakeServer, tmp_path: Path, waits: bool
) -> None:
    """Fault 21: a halt in such a place would be passed over in silence."""
    folder, copy = tmp_path / "store", tmp_path / "copy"
    server = make_server(jetstream(folder))
    bus = await NatsBus.connect(server.url)
    stream = await open_stream(bus, MONEY_STREAM)
    await append_all(stream, 2)
    server.kill()
    shutil.copytree(folder, copy)
    server.start()
    await append_all(stream, 1, 2)
    place = await stream.at(3)
    assert place is not None
    # Nothing comes on this subject, so that no message shows what has become of the place.
    reading = anext(stream.read([EXECUTION], 3, mark=place.mark))
    task = asyncio.create_task(reading) if waits else None
    async with asyncio.timeout(20):
        while waits and not await bus.client.jetstream().consumers_info("INGENIUM"):
            await asyncio.sleep(0)
    server.kill()
    shutil.rmtree(folder)
    shutil.copytree(copy, folder)
    # It has grown beyond the place before the reader gets there.
    other = make_server(jetstream(folder))
    elsewhere = await NatsBus.connect(other.url)
    await append_all(await open_stream(elsewhere, MONEY_STREAM), 5, 10)
    await elsewhere.close()
    other.kill()
    server.start()
    with pytest.raises(StreamError, match="message 3 of stream INGENIUM is not the one"):
        async with asyncio.timeout(20):
            await (task or reading)
    await bus.close()


@pytest.mark.timeout(120)
async def test_killed_server_loses_nothing_that_was_acknowledged_and_gives_nothing_twice(
    server: Any, bus: NatsBus
) -> None:
    stream = await open_stream(bus, MONEY_STREAM)
    reading = asyncio.create_task(take(stream, 400))
    for start in range(0, 400, 100):
        await append_all(stream, 50, start)
        server.kill()
        writing = asyncio.create_task(append_all(stream, 50, start + 50))
        await asyncio.to_thread(server.start)
        await writing
    records = await reading
    assert [int(r.message.payload) for r in records] == list(range(400))
    assert [r.sequence for r in records] == list(range(1, 401))


async def test_stopped_server_makes_an_append_time_out_that_is_kept_all_the_same(
    server: Any, bus: NatsBus
) -> None:
    stream = await open_stream(bus, MONEY_STREAM)
    server.pause()
    with pytest.raises(BusTimeoutError):
        await stream.append(ORDER, b"one", {MESSAGE_ID: "one"})
    server.go_on()
    await append_all(stream, 1)
    again = await stream.append(ORDER, b"one", {MESSAGE_ID: "one"})
    records = await take(stream, 2)
    assert sorted(r.message.payload for r in records) == [b"0", b"one"]
    assert again.duplicate


async def test_read_stops_where_messages_fell_out(bus: NatsBus) -> None:
    small = StreamLayout("SMALL", ("ingenium.small",), False, 2_000, 0, 1_000, 120, is_final=False)
    stream = await open_stream(bus, small)
    for number in range(20):
        await stream.append("ingenium.small", b"x" * 500, {MESSAGE_ID: str(number)})
    with pytest.raises(StreamError, match=r"no longer holds messages 2 to 1\d"):
        await take(stream, 1, 1)


async def test_read_stops_where_the_end_of_the_stream_is_lost(bus: NatsBus) -> None:
    stream = await open_stream(bus, MONEY_STREAM)
    await stream.append(SIGNAL, b"one")
    with pytest.raises(StreamError, match="ends at message 1, before message 5"):
        await take(stream, 1, 5)


async def test_read_stops_when_the_stream_is_made_anew(bus: NatsBus) -> None:
    stream = await open_stream(bus, DATA_STREAM)
    subject = "ingenium.ingestor.data.aapl"
    await bus.publish(subject, b"one")
    await bus.flush()

    async def read_on() -> None:
        async with aclosing(stream.read(["ingenium.>"], 0)) as records:
            async for _ in records:
                await bus.client.jetstream().delete_stream("INGENIUM_DATA")
                await open_stream(bus, DATA_STREAM)

    with pytest.raises(StreamError, match="was recreated"):
        async with asyncio.timeout(20):
            await read_on()


async def test_core_messages_are_kept_too(bus: NatsBus) -> None:
    stream = await open_stream(bus, MONEY_STREAM)
    await bus.publish(EXECUTION, b"from Go")
    [record] = await take(stream, 1)
    assert record.message.payload == b"from Go"


async def test_append_too_large_for_stream_or_server_is_refused(bus: NatsBus) -> None:
    stream = await open_stream(bus, MONEY_STREAM)
    for size in (140_000, 1_048_570, 2_000_000):
        with pytest.raises(EventTooLargeError):
            await stream.append(ORDER, b"x" * size, {MESSAGE_ID: "big"})
    await stream.append(ORDER, b"small")
    assert (await stream.state()).last == 1


async def test_append_without_a_stream_times_out_and_says_why(bus: NatsBus) -> None:
    stream = await open_stream(bus, MONEY_STREAM)
    with pytest.raises(BusTimeoutError, match="no JetStream, or no stream INGENIUM"):
        await stream.append("elsewhere", b"one")


async def test_a_stream_that_differs_is_refused(bus: NatsBus) -> None:
    from dataclasses import replace

    await open_stream(bus, replace(MONEY_STREAM, subjects=(SIGNAL,), duplicate_window_seconds=60))
    with pytest.raises(StreamError) as caught:
        await open_stream(bus, MONEY_STREAM)
    assert "subjects is ingenium.strategy.signal" in str(caught.value)
    assert "duplicate_window is 60 s, not 3600 s" in str(caught.value)


@pytest.mark.parametrize(
    ("layout", "made", "text"),
    [
        (MONEY_STREAM, {"max_msg_size": 1_000}, "max_msg_size is 1000, not 131072"),
        (MONEY_STREAM, {"max_msg_size": 131_071}, "max_msg_size is 131071, not 131072"),
        (MONEY_STREAM, {"max_age": 3_599}, "max_age is 3599 s, not 0 s"),
        (DATA_STREAM, {"max_age": 3_600}, "max_age is 3600 s, not 86400 s"),
        (MONEY_STREAM, {"max_msgs": 5}, "max_msgs is 5, not without a limit"),
        (MONEY_STREAM, {"max_msgs_per_subject": 1}, "max_msgs_per_subject is 1, not without"),
        (MONEY_STREAM, {"retention": "interest"}, "retention is interest, not limits"),
        (MONEY_STREAM, {"discard": "new"}, "discard is new, not old"),
        (MONEY_STREAM, {"storage": "memory"}, "storage is memory, not file"),
        (MONEY_STREAM, {"no_ack": True}, "no_ack is True, not False"),
    ],
)
async def test_a_stream_that_would_lose_something_is_refused_with_what_and_why(
    bus: NatsBus, layout: StreamLayout, made: dict[str, Any], text: str
) -> None:
    from nats.js.api import StreamConfig

    usual: dict[str, Any] = {
        "name": layout.name,
        "subjects": list(layout.subjects),
        "storage": "file" if layout.in_files else "memory",
        "duplicate_window": layout.duplicate_window_seconds,
        "no_ack": not layout.answers,
    }
    if "max_age" in made:
        usual["duplicate_window"] = min(layout.duplicate_window_seconds, made["max_age"])
    js = bus.client.jetstream()
    await js.add_stream(StreamConfig(**(usual | made)))
    with pytest.raises(StreamError) as caught:
        await open_stream(bus, layout)
    assert text in str(caught.value)
    assert f"stream {layout.name} on the server at {bus.url} is not as it should be" in str(
        caught.value
    )


@pytest.mark.parametrize("size", [-1, 131_072, 1_000_000])
async def test_a_stream_that_takes_large_messages_is_taken(bus: NatsBus, size: int) -> None:
    from dataclasses import replace

    await open_stream(bus, replace(MONEY_STREAM, max_message_bytes=size))
    assert (await open_stream(bus, MONEY_STREAM)).name == "INGENIUM"


async def test_a_stream_with_larger_limits_is_taken(bus: NatsBus) -> None:
    from dataclasses import replace

    larger = replace(DATA_STREAM, in_files=True, max_age_seconds=2 * 86_400, max_bytes=10**9)
    await open_stream(bus, larger)
    assert (await open_stream(bus, DATA_STREAM)).name == "INGENIUM_DATA"


async def test_the_money_stream_lets_nobody_delete(bus: NatsBus) -> None:
    from nats.js.errors import APIError

    stream = await open_stream(bus, MONEY_STREAM)
    await stream.append(ORDER, b"one")
    with pytest.raises(APIError):
        await bus.client.jetstream().purge_stream(stream.name)
    with pytest.raises(APIError):
        await bus.client.jetstream().delete_msg(stream.name, 1)


async def test_a_plain_server_has_no_streams(make_server: MakeServer) -> None:
    bus = await NatsBus.connect(make_server("").url)
    assert not await has_streams(bus)
    await bus.close()


async def test_a_server_with_jetstream_has_streams(bus: NatsBus) -> None:
    assert await has_streams(bus)


@pytest.mark.timeout(120)
async def test_append_that_waits_when_the_server_is_killed_fails_at_once_and_is_kept_once(
    server: Any, bus: NatsBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingenium.bus.nats.stream.CALL_SECONDS", 600.0)
    stream = await open_stream(bus, MONEY_STREAM)
    server.pause()
    waiting = asyncio.create_task(stream.append(ORDER, b"one", {MESSAGE_ID: "same"}))
    # Its turn comes before that of whoever is next, so it has sent the message by then.
    await asyncio.sleep(0)
    server.kill()
    with pytest.raises(BusTimeoutError, match="was lost when the server was to keep a message"):
        async with asyncio.timeout(20):
            await waiting
    pausing = asyncio.create_task(stream.pause(600.0))
    await asyncio.to_thread(server.start)
    async with asyncio.timeout(20):
        assert await pausing
    await stream.append(ORDER, b"one", {MESSAGE_ID: "same"})
    assert (await stream.state()).last == 1


async def test_pause_ends_when_its_time_is_over_or_the_bus_is_closed(
    stream: Stream, bus: NatsBus
) -> None:
    assert not await stream.pause(0.01)
    if isinstance(stream, MemoryStream):
        return
    pausing = asyncio.create_task(stream.pause(600.0))
    await asyncio.sleep(0)
    await bus.close()
    async with asyncio.timeout(20):
        assert await pausing
