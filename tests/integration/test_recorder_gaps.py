"""Holes in a stream, through the whole recorder."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from sqlalchemy import select
from support.delivering import jetstream

from ingenium.bus import NatsBus
from ingenium.bus.nats.stream_layout import DATA_STREAM, MONEY_STREAM, open_stream
from ingenium.events import DataEvent, Ohlc, encode
from ingenium.recorder.event_recorder import Recorder, RecorderCounts
from ingenium.recorder.live_recording import open_database
from ingenium.recorder.schema import BARS, GAPS
from ingenium.subjects.names import data_subject


async def test_hole_in_a_stream_is_a_gap(
    make_server: Any, tmp_path: Path, database_url: str
) -> None:
    bus = await NatsBus.connect(make_server(jetstream(tmp_path / "js")).url, name="test")
    stream = await open_stream(bus, DATA_STREAM)
    await open_stream(bus, MONEY_STREAM)
    for number in range(1, 8):
        close = str(100 + number)
        bar = Ohlc(open=close, high=close, low=close, close=close, volume="7")
        event = DataEvent(type="ohlc", symbol="AAPL", timestamp="2024-01-02T15:30:00Z", ohlc=bar)
        await bus.publish(data_subject("AAPL"), encode(event))
    await bus.flush()
    async with asyncio.timeout(10):
        while (await stream.state()).last < 7:
            continue
    # At the start as by the stream's limits, in between as by damage.
    for sequence in (1, 4, 5):
        answer = await bus.client.request(
            f"$JS.API.STREAM.MSG.DELETE.{DATA_STREAM.name}",
            json.dumps({"seq": sequence}).encode(),
            timeout=5,
        )
        assert json.loads(answer.data)["success"]
    database = open_database(database_url)
    notices: list[str] = []

    async def record() -> RecorderCounts:
        recorder = Recorder(bus, database, "app", notices.append)
        await recorder.run(asyncio.Event(), once=True)
        return recorder.counts

    assert await record() == RecorderCounts(4, 2)
    # The position is behind the holes, so they are not found again.
    assert await record() == RecorderCounts(0, 0)
    with database.engine.connect() as connection:
        gaps = select(GAPS.c.first, GAPS.c.last, GAPS.c.reason).order_by(GAPS.c.first)
        assert [tuple(row) for row in connection.execute(gaps)] == [
            (1, 1, "start"),
            (4, 5, "missing"),
        ]
        closes = select(BARS.c.close).order_by(BARS.c.sequence)
        assert list(connection.scalars(closes)) == [102, 103, 106, 107]
    assert sum("are gone from the stream" in notice for notice in notices) == 2
    await bus.close()
