"""What was published before a connection closes goes out, or somebody is told."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from support.peering import Peer

from ingenium.bus import IncidentKind, Message, NatsBus
from ingenium.errors import BusClosedError
from ingenium.testing import Collector, IncidentLog, wait_until

LARGE = b"x" * 900_000


async def stand_still(peer: Peer, reader: asyncio.StreamReader, writer: Any) -> None:
    """Take a connection, and then nothing any more."""
    info = {"server_id": "x", "version": "2.15.1", "max_payload": 1048576, "headers": True}
    writer.write(b"INFO " + json.dumps(info).encode() + b"\r\n")
    while await reader.readline() != b"PING\r\n":
        pass
    writer.write(b"PONG\r\n")
    await asyncio.Event().wait()


async def outcomes(tasks: list[asyncio.Task[None]]) -> list[str]:
    found = await asyncio.gather(*tasks, return_exceptions=True)
    return [type(each).__name__ if isinstance(each, Exception) else "sent" for each in found]


async def test_publish_that_waits_while_the_bus_closes_is_sent_or_raises(nats_server: Any) -> None:
    listener = await NatsBus.connect(nats_server.url, name="listener")
    got = Collector[Message]()
    await listener.subscribe("closing.*", got)
    bus = await NatsBus.connect(nats_server.url, name="closing")
    small = [asyncio.create_task(bus.publish("closing.a", b"%d" % n)) for n in range(200)]
    large = [asyncio.create_task(bus.publish("closing.b", LARGE)) for _ in range(20)]
    await asyncio.sleep(0)
    await bus.close()
    found = await outcomes([*small, *large])
    await listener.flush()
    assert set(found) == {"sent"}
    await got.wait(len(found))
    await listener.close()


async def test_publish_to_a_server_that_takes_nothing_raises_when_the_bus_closes() -> None:
    async with Peer(stand_still) as peer:
        bus = await NatsBus.connect(peer.url, name="closing")
        log = IncidentLog()
        bus.on_incident(log)
        tasks = [asyncio.create_task(bus.publish("a.b", LARGE)) for _ in range(30)]
        await wait_until(lambda: any(task.done() for task in tasks))
        async with asyncio.timeout(5):
            await bus.close()
            found = await outcomes(tasks)
        assert found[-1] == BusClosedError.__name__
        assert found == sorted(found, reverse=True), "the first ones are sent"
        lost = found.count("BusClosedError")
        [gap] = log.of(IncidentKind.GAP)
        assert "closed before all was sent that was published" in gap.detail
        count = int(gap.detail.split(":")[-1].split()[0].replace(",", ""))
        assert (lost - 1) * len(LARGE) < count <= (lost + 1) * (len(LARGE) + 100)


async def test_what_waits_for_a_connection_that_never_comes_back_is_said(make_server: Any) -> None:
    server = make_server()
    bus = await NatsBus.connect(server.url, name="closing")
    log = IncidentLog()
    bus.on_incident(log)
    server.kill()
    await log.wait_for(IncidentKind.DISCONNECTED)
    await bus.publish("a.b", b"12345")
    await bus.close()
    await bus.close()
    [gap] = log.of(IncidentKind.GAP)
    frame = b"PUB a.b 5\r\n12345\r\n"
    assert gap.detail.endswith(f"{len(frame)} bytes are lost")


async def test_nothing_is_said_when_all_was_sent(nats_server: Any) -> None:
    bus = await NatsBus.connect(nats_server.url, name="closing")
    log = IncidentLog()
    bus.on_incident(log)
    await bus.publish("a.b", b"1")
    await bus.close()
    assert not log.of(IncidentKind.GAP)
