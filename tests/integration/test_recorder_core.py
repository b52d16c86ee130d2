"""What no stream keeps is recorded as it is heard."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from sqlalchemy import select
from support.delivering import jetstream

from ingenium.bus import NatsBus
from ingenium.bus.nats.stream_layout import MONEY_STREAM, open_stream
from ingenium.events import OrderEvent, encode
from ingenium.recorder import schema
from ingenium.recorder.batch import RecordedStream
from ingenium.recorder.core_feed import CoreFeed
from ingenium.recorder.database import Database
from ingenium.recorder.event_recorder import Recorder
from ingenium.recorder.live_recording import open_database
from ingenium.subjects.names import ORDER
from ingenium.testing import wait_until


async def record(
    bus: NatsBus, sender: NatsBus, database: Database, subjects: list[str]
) -> tuple[list[tuple[str, int, str, bytes]], list[str]]:
    """Record while two messages are sent on each subject; return what was recorded."""
    notices: list[str] = []
    recorder = Recorder(bus, database, "app", notices.append, ["acme.>"])
    stop = asyncio.Event()
    running = asyncio.create_task(recorder.run(stop))
    # It listens when one of its messages arrives.
    async with asyncio.timeout(10):
        while not recorder.counts.events:
            await sender.publish("acme.begin", b"")
            await sender.flush()
            await asyncio.sleep(0)
    for subject in subjects:
        for n in range(2):
            await sender.publish(subject, b"%d" % n)
    await sender.flush()
    await bus.flush()
    stop.set()
    await running
    events = schema.EVENTS
    with database.engine.connect() as connection:
        rows = connection.execute(
            select(events.c["stream"], events.c["sequence"], events.c["subject"], events.c["body"])
            .where(events.c.subject != "acme.begin")
            .order_by(events.c.stream, events.c.sequence)
        ).all()
    return [tuple(row) for row in rows], notices


async def test_server_without_streams_is_recorded_at_most_once_and_it_says_so(
    make_server: Any, tmp_path: Path
) -> None:
    server = make_server()
    database = open_database(str(tmp_path / "record.db"))
    bus = await NatsBus.connect(server.url, name="recorder")
    sender = await NatsBus.connect(server.url, name="sender")
    order = encode(OrderEvent(id="order_1", symbol="A", side="buy", quantity="1", type="market"))
    rows, notices = await record(bus, sender, database, [ORDER, "acme.news"])
    assert [(row[0], row[2], row[3]) for row in rows] == [
        ("app/core", ORDER, b"0"),
        ("app/core", ORDER, b"1"),
        ("app/core", "acme.news", b"0"),
        ("app/core", "acme.news", b"1"),
    ]
    assert [text.split(":")[0] for text in notices] == ["AT MOST ONCE"]
    # It goes on behind its position.
    again, _ = await record(bus, sender, database, [])
    assert again == rows
    await sender.publish(ORDER, order)
    await bus.close()
    await sender.close()


async def test_events_of_a_users_own_are_recorded_beside_the_streams(
    make_server: Any, tmp_path: Path
) -> None:
    server = make_server(jetstream(tmp_path / "js"))
    database = open_database(str(tmp_path / "record.db"))
    bus = await NatsBus.connect(server.url, name="recorder")
    sender = await NatsBus.connect(server.url, name="sender")
    await open_stream(sender, MONEY_STREAM)
    rows, notices = await record(bus, sender, database, [ORDER, "acme.news"])
    assert [(row[0], row[2], row[3]) for row in rows] == [
        ("app/INGENIUM", ORDER, b"0"),
        ("app/INGENIUM", ORDER, b"1"),
        ("app/core", "acme.news", b"0"),
        ("app/core", "acme.news", b"1"),
    ]
    assert notices == []
    await bus.close()
    await sender.close()


async def test_what_is_too_much_is_dropped_and_is_a_gap(make_server: Any) -> None:
    server = make_server()
    bus = await NatsBus.connect(server.url, name="recorder")
    sender = await NatsBus.connect(server.url, name="sender")
    stream = RecordedStream("app", "core", sequence=7)
    arrived = 0

    def count() -> None:
        nonlocal arrived
        arrived += 1

    feed = CoreFeed(bus, stream, ["acme.>"], count)
    feed.open()
    await bus.flush()
    # 64 MiB are 127 messages of half a megabyte and their overhead.
    for _ in range(130):
        await sender.publish("acme.news", b"x" * 524_288)
        await sender.flush()
    await wait_until(lambda: arrived == 130)
    taken = feed.take(1000)
    assert [each.sequence for each in taken] == list(range(8, 8 + 127))
    assert [(row[0], row[1], row[2], row[4]) for row in feed.take_gaps()] == [
        ("app/core", 8 + 127, 8 + 129, "too fast")
    ]
    assert feed.take_gaps() == []
    await sender.publish("acme.news", b"x")
    await wait_until(lambda: arrived == 131)
    assert [each.sequence for each in feed.take(1000)] == [8 + 130]
    feed.close()
    await bus.close()
    await sender.close()
