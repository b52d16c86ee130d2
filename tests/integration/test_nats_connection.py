"""Connections to NATS that fail, are refused, are lost and come back."""

import asyncio
import contextlib

import pytest
from support.peering import PERMISSIONS, USERS, Peer

from ingenium.bus import IncidentKind, Message, NatsBus, NatsOptions
from ingenium.errors import (
    BusClosedError,
    BusConnectError,
    BusError,
    BusPermissionError,
    BusTimeoutError,
)
from ingenium.testing import Collector, IncidentLog, wait_until

# M11


async def test_first_connect_says_that_nothing_listens_within_its_time(unused_port, caplog):
    options = NatsOptions(connect_timeout_seconds=0.5)
    url = f"nats://bob:hunter2@127.0.0.1:{unused_port}"
    async with asyncio.timeout(3):
        with pytest.raises(BusConnectError) as raised:
            await NatsBus.connect(url, options=options)
    assert str(raised.value) == (
        f"cannot reach nats://127.0.0.1:{unused_port}: connection refused: no server listens there"
    )
    assert "hunter2" not in caplog.text
    assert "trying for 0.5 s" in caplog.text


async def test_first_connect_waits_for_a_server_that_is_still_starting(make_server):
    server = make_server()
    server.kill()
    connect = asyncio.create_task(NatsBus.connect(server.url))
    await asyncio.to_thread(server.start)
    bus = await connect
    await bus.flush()
    await bus.close()


@pytest.mark.parametrize("credentials", ["alice:wrong@", "bob:right@", "alice:@", ""])
async def test_first_connect_with_wrong_credentials_fails_at_once(make_server, credentials):
    server = make_server(USERS % "right")
    async with asyncio.timeout(3):
        with pytest.raises(BusConnectError) as raised:
            await NatsBus.connect(f"nats://{credentials}{server.address}")
    user = credentials.split(":")[0]
    whom = f" as user '{user}'" if user else ""
    assert str(raised.value) == (
        f"cannot reach nats://{server.address}{whom}: authorization violation: the server does "
        "not take these credentials"
    )


async def test_password_with_reserved_letters_is_decoded_from_the_url(make_server):
    server = make_server(USERS % "p@ss:w/rd%")
    bus = await NatsBus.connect(f"nats://alice:p%40ss%3Aw%2Frd%25@{server.address}")
    assert bus.url == f"nats://{server.address}"
    await bus.close()


async def test_first_connect_to_an_unknown_host_fails_at_once():
    async with asyncio.timeout(8):
        with pytest.raises(
            BusConnectError, match=r"tls://no-such-host\.invalid:4222: unknown host"
        ):
            await NatsBus.connect("tls://no-such-host.invalid")


async def test_first_connect_to_something_else_says_so():
    async def http(peer, reader, writer):
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async def greet(peer, reader, writer):
        writer.write(b"220 mail.example ESMTP\r\n")
        await reader.read()

    for behaviour, reason in ((http, "no answer"), (greet, "is no NATS server")):
        async with Peer(behaviour) as peer:
            options = NatsOptions(connect_timeout_seconds=0.5)
            with pytest.raises(BusConnectError, match=reason):
                await NatsBus.connect(peer.url, options=options)


async def test_server_that_hangs_up_in_the_handshake_is_an_error_and_no_hang():
    async def hang_up(peer, reader, writer):
        writer.write(b'INFO {"max_payload":1048576}\r\n')
        await reader.readline()
        writer.close()

    async with Peer(hang_up) as peer:
        options = NatsOptions(connect_timeout_seconds=0.5)
        with pytest.raises(BusConnectError, match="ended the connection during the handshake"):
            await NatsBus.connect(peer.url, options=options)


async def test_tls_that_the_server_does_not_offer_is_an_error_and_sends_no_password():
    async with Peer() as peer:
        url = peer.url.replace("nats://", "tls://alice:secret@")
        with pytest.raises(BusConnectError, match="does not offer the TLS that was asked for"):
            await NatsBus.connect(url)
        assert b"secret" not in peer.received


@pytest.mark.parametrize("url", ["", "http://x", "nats://", "nats://h:99999", "nats://a:b@:1"])
async def test_address_that_cannot_be_read_is_an_error(url):
    with pytest.raises(BusConnectError, match="write it as nats://host:port"):
        await NatsBus.connect(url)


async def test_credentials_changed_during_the_run_close_for_good(make_server):
    server = make_server(USERS % "right")
    bus = await NatsBus.connect(f"nats://alice:right@{server.address}")
    log = IncidentLog()
    bus.on_incident(log)
    await bus.subscribe("a", Collector[Message]())
    server.reload(USERS % "changed")
    (incident,) = await log.wait_for(IncidentKind.CLOSED)
    assert "authorization violation" in incident.detail
    with pytest.raises(BusClosedError, match="is closed: authorization violation"):
        await bus.publish("a", b"")
    with pytest.raises(BusClosedError):
        await bus.flush()
    await bus.drain()


async def test_server_that_comes_back_with_other_credentials_closes_for_good(make_server):
    server = make_server(USERS % "right")
    bus = await NatsBus.connect(f"nats://alice:right@{server.address}")
    log = IncidentLog()
    bus.on_incident(log)
    server.kill()
    server.config = USERS % "changed"
    await asyncio.to_thread(server.start)
    (incident,) = await log.wait_for(IncidentKind.CLOSED, timeout_seconds=10)
    assert "authorization violation" in incident.detail
    assert [item.kind for item in log.items] == [IncidentKind.DISCONNECTED, IncidentKind.CLOSED]
    await bus.close()


# M12


async def test_forbidden_subscription_raises_and_others_go_on(make_server):
    server = make_server(PERMISSIONS)
    bus = await NatsBus.connect(f"nats://limited:pw@{server.address}")
    log, got = IncidentLog(), Collector()
    bus.on_incident(log)
    await bus.subscribe("allowed", got)
    for queue_group in ("", "group"):
        with pytest.raises(BusPermissionError, match=r"subscribing to 'Forbidden\.In'") as raised:
            await bus.subscribe("Forbidden.In", got, queue_group=queue_group)
        assert raised.value.subject == "Forbidden.In"
    await bus.publish("allowed", b"1")
    await got.wait(1)
    assert log.items == []
    await bus.close()


async def test_forbidden_publish_surfaces_at_flush_and_as_incident(make_server):
    server = make_server(PERMISSIONS)
    bus = await NatsBus.connect(f"nats://limited:pw@{server.address}")
    log = IncidentLog()
    bus.on_incident(log)
    await bus.publish("Forbidden.Out", b"1")
    with pytest.raises(BusPermissionError, match=r"publishing to 'Forbidden\.Out'") as raised:
        await bus.flush()
    assert raised.value.subject == "Forbidden.Out"
    (incident,) = log.of(IncidentKind.PERMISSION)
    assert incident.subject == "Forbidden.Out"
    await bus.flush()
    await bus.close()


# M13


async def test_slow_handler_is_a_gap_with_its_count(nats_server):
    options = NatsOptions(pending_bytes=100 * (512 + 10))
    bus = await NatsBus.connect(nats_server.url, options=options)
    log, go_on, handled = IncidentLog(), asyncio.Event(), Collector()
    bus.on_incident(log)

    async def handler(message):
        await go_on.wait()
        handled(message)

    await bus.subscribe("slow", handler)
    for number in range(1000):
        await bus.publish("slow", b"%010d" % number)
    await bus.flush()
    (first,) = log.of(IncidentKind.GAP)
    assert "messages are being dropped" in first.detail
    assert first.subject == "slow"
    go_on.set()
    _, second = await log.wait_for(IncidentKind.GAP, 2)
    dropped = int(second.detail.split()[0])
    assert dropped + len(handled.items) == 1000
    # All that fit were handled, in order, and one more that the handler held already.
    assert [int(message.payload) for message in handled.items[:100]] == list(range(100))
    await bus.publish("slow", b"after")
    await wait_until(lambda: handled.items[-1].payload == b"after")
    await bus.close()


async def test_killed_server_that_comes_back_resumes_with_a_gap(make_server):
    server = make_server()
    bus = await NatsBus.connect(server.url)
    log, one, two = IncidentLog(), Collector(), Collector()
    bus.on_incident(log)
    await bus.subscribe("one", one)
    await bus.subscribe("two.>", two)
    server.kill()
    await log.wait_for(IncidentKind.DISCONNECTED)
    await bus.publish("one", b"buffered")
    with pytest.raises(BusTimeoutError):
        await bus.flush(0.05)
    await asyncio.to_thread(server.start)
    gaps = await log.wait_for(IncidentKind.GAP, 2, timeout_seconds=10)
    assert sorted(gap.subject for gap in gaps) == ["one", "two.>"]
    await bus.publish("two.x", b"1")
    await two.wait(1)
    assert [message.payload for message in await one.wait(1)] == [b"buffered"]
    kinds = [incident.kind for incident in log.items]
    assert kinds[:2] == [IncidentKind.DISCONNECTED, IncidentKind.RECONNECTED]
    await bus.drain()
    assert IncidentKind.CLOSED not in [incident.kind for incident in log.items]


async def test_without_a_buffer_publishing_while_disconnected_is_an_error(make_server):
    server = make_server()
    options = NatsOptions(reconnect_buffer_bytes=0)
    bus = await NatsBus.connect(server.url, options=options)
    log = IncidentLog()
    bus.on_incident(log)
    for _ in range(3):
        await bus.publish("order", b"x" * 100_000)
    server.kill()
    await log.wait_for(IncidentKind.DISCONNECTED)
    with pytest.raises(BusError, match=r"no connection to .* now"):
        await bus.publish("order", b"1")
    await bus.close()


async def test_buffer_for_a_lost_connection_is_bounded(make_server):
    server = make_server()
    options = NatsOptions(reconnect_buffer_bytes=1000)
    bus = await NatsBus.connect(server.url, options=options)
    log = IncidentLog()
    bus.on_incident(log)
    server.kill()
    await log.wait_for(IncidentKind.DISCONNECTED)
    for _ in range(4):
        await bus.publish("a", b"x" * 200)
    with pytest.raises(BusError, match=r"the buffer of 1,000 bytes for that time is full"):
        await bus.publish("a", b"x" * 200)
    await bus.close()


async def test_drain_while_the_server_is_gone_ends_in_time_and_twice(make_server):
    server = make_server()
    bus = await NatsBus.connect(server.url)
    log, got = IncidentLog(), Collector()
    bus.on_incident(log)
    await bus.subscribe("a", got)
    server.kill()
    await log.wait_for(IncidentKind.DISCONNECTED)
    async with asyncio.timeout(3):
        await asyncio.gather(bus.drain(), bus.drain())
        await bus.drain()
    assert not log.of(IncidentKind.CLOSED)


async def test_drain_with_a_handler_that_hangs_ends_in_time(nats_server):
    options = NatsOptions(drain_timeout_seconds=0.2)
    bus = await NatsBus.connect(nats_server.url, options=options)
    log, started = IncidentLog(), asyncio.Event()
    bus.on_incident(log)

    async def handler(message):
        started.set()
        await asyncio.Event().wait()

    await bus.subscribe("hang", handler)
    await bus.publish("hang", b"1")
    await started.wait()
    async with asyncio.timeout(3):
        await bus.drain()
    (gap,) = log.of(IncidentKind.GAP)
    assert "a handler still busy" in gap.detail


async def test_server_that_stands_still_is_found_by_its_silence(make_server):
    server = make_server()
    options = NatsOptions(ping_interval_seconds=0.1)
    bus = await NatsBus.connect(server.url, options=options)
    log = IncidentLog()
    bus.on_incident(log)
    server.pause()
    # More than the kernel takes, so that an orderly close of the old connection could not end.
    for _ in range(8):
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(bus.publish("a", b"x" * 1_000_000), 0.05)
    await log.wait_for(IncidentKind.DISCONNECTED)
    server.go_on()
    await log.wait_for(IncidentKind.RECONNECTED)
    await bus.flush()
    await bus.close()
