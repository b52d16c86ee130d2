"""Frames that nats-py could not take, each from a real server or a raw peer."""

import asyncio

import pytest
from support.peering import Peer, raw_publish

from ingenium.bus import IncidentKind, Message, NatsBus
from ingenium.errors import (
    BusTimeoutError,
    EventTooLargeError,
    SubjectError,
)
from ingenium.events import DeadLetterEvent, DeadLetterReason, decode
from ingenium.testing import Collector, IncidentLog, wait_until

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
    await raw_publish(server, subject, b"poison")
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
    await raw_publish(server, b"ingenium.a", b"payload", headers)
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
    await raw_publish(server, subject, b"12345")
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
    await raw_publish(server, b"ingenium.\xff", b"poison")
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
