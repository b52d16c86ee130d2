"""The faults of nats-py that DELIVERY.md measured, each against a real server or a raw peer."""

import asyncio
import contextlib
import json

import pytest

from ingenium.bus import IncidentKind, Message, NatsBus, NatsOptions
from ingenium.errors import (
    BusClosedError,
    BusConnectError,
    BusError,
    BusPermissionError,
    BusTimeoutError,
    EventTooLargeError,
    SubjectError,
)
from ingenium.events import DeadLetterEvent, DeadLetterReason, decode
from ingenium.testing import Collector, IncidentLog, wait_until

USERS = """
authorization {
  users = [
    { user: "alice", password: "%s" }
  ]
}
"""
PERMISSIONS = """
authorization {
  users = [
    { user: "limited", password: "pw", permissions: {
        publish: { deny: ["Forbidden.Out"] }
        subscribe: { deny: ["Forbidden.In"] } } }
  ]
}
"""


class Peer:
    """A server that says what the test wants it to say."""

    def __init__(self, on_connect=None):
        self._server = None
        self._on_connect = on_connect or self.accept
        self.writers = []
        self.received = bytearray()
        self.pings = 0
        self.answers_pings = True
        self.connections = 0

    async def __aenter__(self):
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        self.url = f"nats://{host}:{port}"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for writer in self.writers:
            writer.close()
        await self._server.wait_closed()

    async def _serve(self, reader, writer):
        self.connections += 1
        self.writers.append(writer)
        with contextlib.suppress(ConnectionError):
            await self._on_connect(self, reader, writer)

    @staticmethod
    async def accept(peer, reader, writer):
        info = {"server_id": "x", "version": "2.15.1", "max_payload": 1048576, "headers": True}
        writer.write(b"INFO " + json.dumps(info).encode() + b"\r\n")
        while line := await reader.readline():
            peer.received += line
            if line == b"PING\r\n":
                peer.pings += 1
                if peer.answers_pings:
                    writer.write(b"PONG\r\n")

    def say(self, data):
        self.writers[-1].write(data)


async def _raw_publish(server, subject, payload=b"{}", headers=b""):
    """Publish as a client could that checks nothing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    await reader.readline()
    writer.write(b'CONNECT {"verbose":false,"headers":true}\r\n')
    if headers:
        size = len(headers) + len(payload)
        writer.write(b"HPUB %b %d %d\r\n%b%b\r\n" % (subject, len(headers), size, headers, payload))
    else:
        writer.write(b"PUB %b %d\r\n%b\r\n" % (subject, len(payload), payload))
    writer.write(b"PING\r\n")
    assert await reader.readline() == b"PONG\r\n"
    writer.close()
    await writer.wait_closed()


# M4


async def test_late_pong_after_a_flush_that_timed_out_leaves_the_client_alive():
    async with Peer() as peer:
        bus = await NatsBus.connect(peer.url)
        got, log = Collector(), IncidentLog()
        bus.on_incident(log)
        await bus.subscribe("a", got)
        peer.answers_pings = False
        with pytest.raises(BusTimeoutError, match=r"did not answer within 0\.05 s"):
            await bus.flush(0.05)
        peer.say(b"PONG\r\n")
        peer.answers_pings = True
        await bus.flush()
        peer.say(b"MSG a 1 2\r\nhi\r\n")
        assert [message.payload for message in await got.wait(1)] == [b"hi"]
        assert log.items == []
        await bus.close()


async def test_flush_proves_that_what_was_published_before_went_out_before():
    async with Peer() as peer:
        bus = await NatsBus.connect(peer.url)
        for number in range(100):
            await bus.publish("a", b"%d" % number)
        await bus.flush()
        received = bytes(peer.received)
        assert received.rindex(b"PING") > received.rindex(b"PUB a 2\r\n99\r\n")
        await bus.close()


# M5


@pytest.mark.parametrize("subject", [b"ingenium.\xff\xfe", b"ingenium.\xc3\x28.x"])
async def test_subject_that_is_no_utf8_becomes_incident_and_dead_letter(make_server, subject):
    server = make_server()
    bus = await NatsBus.connect(server.url, name="reader")
    got, log, letters = Collector(), IncidentLog(), Collector()
    bus.on_incident(log)
    await bus.subscribe("ingenium.>", got)
    await bus.subscribe("ingenium.deadletter.>", letters)
    await _raw_publish(server, subject, b"poison")
    await bus.publish("ingenium.after", b"1")
    await wait_until(lambda: "ingenium.after" in [message.subject for message in got.items])
    (incident,) = await log.wait_for(IncidentKind.UNDECODABLE)
    assert "is no UTF-8" in incident.detail
    letter = decode(DeadLetterEvent, (await letters.wait(1))[0].payload)
    assert letter.component == "reader"
    assert letter.reason == DeadLetterReason.UNDECODABLE
    assert letter.data == b"poison"
    assert not log.of(IncidentKind.DISCONNECTED)
    await bus.close()


@pytest.mark.parametrize(
    "headers",
    [
        b"NATS/1.0 \xff\xff\xff\r\n\r\n",
        b"NATS/1.0 503 \xff\r\nA: \xff\r\n\r\n",
        b"NATS/1.0\r\n\xff\xff: 1\r\nno colon\r\n: \r\n\r\n",
        b"NATS/1.0 503\r\n\r\n",
    ],
)
async def test_headers_that_make_no_sense_leave_message_and_client_alone(make_server, headers):
    server = make_server()
    bus = await NatsBus.connect(server.url)
    got, log = Collector(), IncidentLog()
    bus.on_incident(log)
    await bus.subscribe("ingenium.>", got)
    await _raw_publish(server, b"ingenium.a", b"payload", headers)
    await bus.publish("ingenium.b", b"1")
    first, second = await got.wait(2)
    assert (first.subject, first.payload) == ("ingenium.a", b"payload")
    assert "Status" not in dict(first.headers)
    assert second.subject == "ingenium.b"
    assert log.items == []
    await bus.close()


@pytest.mark.parametrize("subject", [b"ingenium.a\x0b1", b"ingenium.a\x0c7", b"ingenium.\x00"])
async def test_control_characters_in_a_subject_do_not_shift_the_frame(make_server, subject):
    server = make_server()
    bus = await NatsBus.connect(server.url)
    got, log = Collector(), IncidentLog()
    bus.on_incident(log)
    await bus.subscribe("ingenium.>", got)
    await _raw_publish(server, subject, b"12345")
    await bus.publish("ingenium.b", b"1")
    first, second = await got.wait(2)
    assert (first.subject, first.payload, first.reply) == (subject.decode(), b"12345", "")
    assert second.payload == b"1"
    assert log.items == []
    await bus.close()


async def test_frames_cut_at_every_byte_are_read_whole():
    async with Peer() as peer:
        bus = await NatsBus.connect(peer.url)
        got = Collector()
        await bus.subscribe("a", got)
        frames = (
            b"MSG a 1 2\r\nhi\r\n"
            b"HMSG a 1 reply.to 18 20\r\nNATS/1.0\r\nA: b\r\n\r\nxy\r\n"
            b"PING\r\n+OK\r\nMSG a 1 0\r\n\r\n"
        )
        for size in (1, 2, 3, 7, 19):
            got.items.clear()
            for start in range(0, len(frames), size):
                peer.say(frames[start : start + size])
                await peer.writers[-1].drain()
                await asyncio.sleep(0)
            messages = await got.wait(3)
            assert [message.payload for message in messages] == [b"hi", b"xy", b""]
            assert dict(messages[1].headers) == {"A": "b"}
            assert messages[1].reply == "reply.to"
        await bus.close()


@pytest.mark.parametrize(
    "garbage", [b"HELLO\r\n", b"MSG a 1 x\r\n", b"HMSG a 1 9 3\r\n", b"MSG a 1 2\r\nhixx\r\n"]
)
async def test_frames_that_are_none_make_a_new_connection(garbage):
    async with Peer() as peer:
        bus = await NatsBus.connect(peer.url)
        got, log = Collector(), IncidentLog()
        bus.on_incident(log)
        await bus.subscribe("a", got)
        peer.say(garbage)
        await log.wait_for(IncidentKind.RECONNECTED)
        (gap,) = await log.wait_for(IncidentKind.GAP)
        assert gap.subject == "a"
        peer.say(b"MSG a 1 2\r\nhi\r\n")
        await got.wait(1)
        assert peer.connections == 2
        await bus.close()


async def test_poison_does_not_end_subscriptions_of_the_client_itself(make_server):
    # JetStream and requests stand on nats-py's own subscriptions.
    server = make_server()
    bus = await NatsBus.connect(server.url)
    log, got = IncidentLog(), Collector[str]()
    bus.on_incident(log)

    async def callback(message):
        got(message.subject)

    await bus._client.subscribe("ingenium.>", cb=callback)
    await bus.flush()
    await _raw_publish(server, b"ingenium.\xff", b"poison")
    await bus.publish("ingenium.after", b"1")
    assert await got.wait(1) == ["ingenium.after"]
    assert log.items == []
    await bus.close()


async def test_read_loop_that_ends_unforeseen_makes_a_new_connection(make_server, monkeypatch):
    bus = await NatsBus.connect(make_server().url)
    log, got = IncidentLog(), Collector[Message]()
    bus.on_incident(log)
    await bus.subscribe("a", got)
    parse, calls = bus._client._ps.parse, []

    async def fail_once(data):
        calls.append(data)
        if len(calls) == 1:
            raise RuntimeError("unforeseen")
        await parse(data)

    monkeypatch.setattr(bus._client._ps, "parse", fail_once)
    await bus.publish("a", b"lost")
    await log.wait_for(IncidentKind.RECONNECTED)
    await bus.publish("a", b"1")
    await got.wait(1)
    await bus.close()


# M6


async def test_payload_of_300_kb_passes_and_one_of_1100_kb_is_refused(nats_bus):
    got, log = Collector(), IncidentLog()
    nats_bus.on_incident(log)
    await nats_bus.subscribe("big", got)
    await nats_bus.publish("big", b"x" * 300_000, {"A": "b"})
    with pytest.raises(EventTooLargeError, match=r"a message of 1,100,000 bytes.* takes 1,048,576"):
        await nats_bus.publish("big", b"x" * 1_100_000)
    await nats_bus.publish("big", b"after")
    assert [len(message.payload) for message in await got.wait(2)] == [300_000, 5]
    assert log.items == []


async def test_subject_too_long_for_the_protocol_is_refused_before_sending(nats_bus):
    with pytest.raises(SubjectError, match="5000 bytes: the longest allowed is 1024"):
        await nats_bus.publish("x" * 5000, b"")
    await nats_bus.flush()


async def test_error_that_nats_py_does_not_know_does_not_close_for_good():
    async with Peer() as peer:
        bus = await NatsBus.connect(peer.url)
        log = IncidentLog()
        bus.on_incident(log)
        peer.say(b"-ERR 'Maximum Payload Violation'\r\n")
        (incident,) = await log.wait_for(IncidentKind.DISCONNECTED)
        assert "maximum Payload Violation" in incident.detail
        await log.wait_for(IncidentKind.RECONNECTED)
        await bus.flush()
        await bus.close()


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
            BusConnectError, match=r"nats://no-such-host\.invalid:4222: unknown host"
        ):
            await NatsBus.connect("nats://no-such-host.invalid")


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
