"""The frames of a real nats-server, recorded, in the parser, the client and the bus."""

from __future__ import annotations

from typing import Any

import pytest
from nats.errors import ProtocolError
from support.nats_replay import ReplayServer, frames_of

from ingenium.bus import IncidentKind, Message, NatsBus
from ingenium.bus.nats.frames import Deliver, FrameParser
from ingenium.errors import BusConnectError, BusPermissionError
from ingenium.testing import Collector, IncidentLog, wait_until

HEADER = b"NATS/1.0\r\nX: sch\xc3\xb6n\r\n\r\n"
BODY = b"MSG 1\r\n\x00"
# What was published while both subscriptions were there, and then with the second alone.
PUBLISHED = [(b"", b"", b"hello"), (b"reply.to", b"", b""), (b"", HEADER, BODY)]
PUBLISHED.append((b"reply.to", HEADER, b""))
EXPECTED = sorted(
    [(sid, b"a.b", *message) for message in PUBLISHED for sid in (b"1", b"2")]
    + [(b"2", b"a.b", b"", b"", b"x")]
)


class Reader:
    """Takes what the parser reads; subscription 2 is one that only nats-py knows."""

    def __init__(self) -> None:
        self.messages: list[tuple[bytes, ...]] = []
        self.said: list[Any] = []
        self.deliveries: dict[bytes, Deliver] = {b"1": self._deliver}

    def _deliver(self, subject: bytes, reply: bytes, headers: bytes, payload: bytes) -> None:
        self.messages.append((b"1", subject, reply, headers, payload))

    async def _process_msg(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes
    ) -> None:
        self.messages.append((b"%d" % sid, subject, reply, headers, data))

    async def _process_ping(self) -> None:
        self.said.append("PING")

    async def _process_pong(self) -> None:
        self.said.append("PONG")

    async def _process_err(self, err_msg: str) -> None:
        self.said.append(err_msg)

    async def _process_info(self, info: dict[str, Any]) -> None:
        self.said.append(info)


def from_server(name: str) -> bytes:
    return b"".join(data for side, data in frames_of(name) if side == "<")


async def read(pieces: list[bytes]) -> Reader:
    reader = Reader()
    parser = FrameParser(reader)
    for piece in pieces:
        await parser.parse(piece)
    return reader


def texts_of(reader: Reader) -> list[str]:
    return [each for each in reader.said if isinstance(each, str)]


async def test_recorded_messages_are_read_wherever_the_stream_is_cut() -> None:
    data = from_server("messages")
    for cut in range(len(data) + 1):
        reader = await read([data[:cut], data[cut:]])
        assert sorted(reader.messages) == EXPECTED, cut
        assert reader.said[0]["version"] == "2.15.1"
        assert texts_of(reader) == ["PONG"] * 5


async def test_recorded_messages_are_read_byte_by_byte() -> None:
    data = from_server("messages")
    reader = await read([data[at : at + 1] for at in range(len(data))])
    assert sorted(reader.messages) == EXPECTED


async def test_nothing_is_given_out_before_its_last_byte() -> None:
    data = from_server("messages")
    before_last = data.rindex(b"MSG a.b 2 1\r\nx\r\n") + len(b"MSG a.b 2 1\r\nx\r\n") - 1
    reader = await read([data[:before_last]])
    assert sorted(reader.messages) == sorted(message for message in EXPECTED if message[-1] != b"x")


async def test_errors_of_the_server_keep_the_case_of_the_subject() -> None:
    reader = await read([from_server("permissions")])
    assert texts_of(reader)[1:] == [
        "'Permissions Violation for Publish to \"Secret.Orders\"'",
        "'Permissions Violation for Subscription to \"Secret.>\"'",
        "PONG",
    ]


async def test_lame_duck_is_an_info_on_a_running_connection() -> None:
    reader = await read([from_server("lame_duck")])
    infos = [each for each in reader.said if isinstance(each, dict)]
    assert [info.get("ldm", False) for info in infos] == [False, False, True]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"MSG a.b 1 5\r\n", b"MSG a.b 1 x\r\n"),
        (b"MSG a.b 1 5\r\n", b"MSG a.b 1 -5\r\n"),
        (b"MSG a.b 1 5\r\n", b"MSG a.b 1 4\r\n"),
        (b"MSG a.b 1 5\r\n", b"MSG a.b\r\n"),
        (b"HMSG a.b 1 23 31\r\n", b"HMSG a.b 1 32 31\r\n"),
        (b"MSG a.b 1 5\r\n", b"MSG a.b 1 300000000\r\n"),
        (b"+OK\r\nPONG", b"OK\r\nPONG"),
        (b"INFO {", b"INFO "),
    ],
)
async def test_damaged_frame_is_refused(old: bytes, new: bytes) -> None:
    data = from_server("messages")
    assert old in data
    with pytest.raises(ProtocolError):
        await read([data.replace(old, new, 1)])


async def test_forgotten_rest_of_a_frame_is_not_put_before_the_next_connection() -> None:
    data = from_server("messages")
    reader = Reader()
    parser = FrameParser(reader)
    await parser.parse(data[: data.index(b"hello") + 2])
    parser.reset()
    await parser.parse(data)
    assert sorted(reader.messages) == EXPECTED


async def test_bus_reports_a_refused_subject_and_stays_connected() -> None:
    log = IncidentLog()
    async with ReplayServer(["permissions"]) as server:
        bus = await NatsBus.connect(server.url.replace("//", "//guest:guest@"), name="test")
        bus.on_incident(log)
        await bus.publish("Secret.Orders", b"x")
        with pytest.raises(BusPermissionError, match=r"Secret\.Orders"):
            await bus.flush()
        incidents = await log.wait_for(IncidentKind.PERMISSION, 2)
        assert "Secret.Orders" in incidents[0].detail
        assert log.of(IncidentKind.DISCONNECTED) == []
        await bus.close()
    assert b'"user": "guest"' in server.received[0]


async def test_wrong_password_ends_the_first_connection_with_the_reason() -> None:
    async with ReplayServer(["wrong_password"] * 20) as server:
        url = server.url.replace("//", "//guest:wrong@")
        with pytest.raises(BusConnectError, match=r"(?i)authorization violation"):
            await NatsBus.connect(url, name="test")
    assert len(server.received) == 1


async def test_bus_comes_back_and_subscribes_again_after_the_server_ended_the_connection() -> None:
    log, got = IncidentLog(), Collector[Message]()
    async with ReplayServer(["lame_duck", "lame_duck"]) as server:
        bus = await NatsBus.connect(server.url, name="test")
        bus.on_incident(log)
        await bus.subscribe("a.b", got)
        await wait_until(lambda: b"SUB a.b  1\r\n" in server.received[0])
        assert log.of(IncidentKind.DISCONNECTED) == []
        server.hang_up()
        await log.wait_for(IncidentKind.RECONNECTED)
        assert len(log.of(IncidentKind.DISCONNECTED)) == 1
        await wait_until(lambda: b"SUB a.b  1\r\n" in server.received[1])
        await bus.close()
    assert server.received[0].count(b"CONNECT ") == 1
    assert server.received[1].count(b"CONNECT ") == 1
