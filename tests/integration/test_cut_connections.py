"""Connections that break in the middle of a frame, at any byte."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.delivering import connected, jetstream
from support.proxy import Proxy

from ingenium.backoff import Backoff
from ingenium.bus.nats.stream import NatsStream
from ingenium.bus.nats.stream_layout import MONEY_STREAM, open_stream
from ingenium.bus.stream import MESSAGE_ID, Record, Stream
from ingenium.errors import BusTimeoutError
from ingenium.subjects.names import SIGNAL

_CLIENTS = 8
_CUTS = 25


@pytest.mark.timeout(240)
async def test_connection_cut_at_any_byte_loses_and_mangles_nothing(
    make_server: Callable[[str], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault 11: 200 cuts, each somewhere within the next few frames that a client sends."""
    # How long it waits for an answer that will not come, and before it connects again.
    monkeypatch.setattr("ingenium.bus.nats.stream.CALL_SECONDS", 0.3)
    backoff = Backoff(first_seconds=0.02, longest_seconds=0.5)
    monkeypatch.setattr("ingenium.bus.nats.nats_client._BACKOFF", backoff)
    server = make_server(jetstream(tmp_path / "store"))
    async with connected(server.url) as direct:
        await open_stream(direct, MONEY_STREAM)
    sent = await asyncio.gather(*(_send_through_cuts(server.port, n) for n in range(_CLIENTS)))
    async with connected(server.url) as direct:
        kept = await _all(await open_stream(direct, MONEY_STREAM))
    assert len(kept) == sum(map(len, sent))
    assert {record.message.subject for record in kept} == {SIGNAL}
    for client, payloads in enumerate(sent):
        prefix = f"signal_{client}_"
        own = [each for each in kept if each.message.headers[MESSAGE_ID].startswith(prefix)]
        assert [record.message.payload for record in own] == payloads
        assert [record.message.headers[MESSAGE_ID] for record in own] == [
            f"{prefix}{number}" for number in range(len(payloads))
        ]


async def _send_through_cuts(port: int, client: int) -> list[bytes]:
    """Append until the connection was cut often enough; returns what was acknowledged."""
    chance = random.Random(client)
    sent: list[bytes] = []
    async with Proxy(port) as proxy, connected(proxy.url) as bus:
        stream = NatsStream(bus, MONEY_STREAM.name)
        while proxy.cuts < _CUTS:
            if proxy.cut_after is None:
                proxy.cut_after = chance.randrange(1, 700)
            # Payloads that look like frames, were one taken for the other.
            payload = b"%d PUB x 5\r\nhello\r\n" % len(sent) * chance.randint(1, 10)
            await _append(stream, payload, f"signal_{client}_{len(sent)}")
            sent.append(payload)
        proxy.cut_after = None
    return sent


async def _append(stream: Stream, payload: bytes, identifier: str) -> None:
    while True:
        try:
            await stream.append(SIGNAL, payload, {MESSAGE_ID: identifier})
        except BusTimeoutError:
            # How often it is tried again; the connection comes back by itself.
            await asyncio.sleep(0.01)
        else:
            return


async def _all(stream: Stream) -> list[Record]:
    found: list[Record] = []
    last = (await stream.state()).last
    async for record in stream.read([SIGNAL], 0):
        found.append(record)
        if record.sequence == last:
            break
    return found
