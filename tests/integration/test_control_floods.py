"""Floods and noise at the port of the control plane: it stays small, and answers others."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import grpc  # type: ignore[import-untyped]
import pytest
from support.control_plane import PACKAGE, ControlClient, control_plane, hypercorn_plane
from support.running import until

from ingenium.control import connection_limits, http_gate

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
PING = bytes([0, 0, 8, 6, 0, 0, 0, 0, 0]) + b"12345678"
GET_SESSION = f"/{PACKAGE}.SessionService/GetSession"
MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module", params=["uvicorn", "hypercorn"])
def plane(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ControlClient]:
    folder = tmp_path_factory.mktemp("floods")
    make = control_plane if request.param == "uvicorn" else hypercorn_plane
    with make(folder) as client:
        yield client


def _connect(plane: ControlClient) -> socket.socket:
    host, _, port = plane.host.partition(":")
    return socket.create_connection((host, int(port)), timeout=20)


def _memory(plane: ControlClient) -> int:
    """Return the memory of the server in bytes."""
    for line in Path(f"/proc/{plane.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


def _answers(plane: ControlClient) -> None:
    began = time.monotonic()
    assert plane.call("SessionService/GetSession", "read")["role"] == "ROLE_READ"
    assert time.monotonic() - began < 10


@pytest.mark.timeout(60)
def test_flood_of_pings_that_reads_nothing_is_cut_off_or_held_back(plane: ControlClient) -> None:
    before = _memory(plane)
    sent = 0
    with _connect(plane) as flood:
        flood.settimeout(2)
        flood.sendall(PREFACE)
        # Either the server closes the connection, or it reads no more until answers are read.
        with suppress(OSError):
            while sent < 200 * MEGABYTE:
                flood.sendall(PING * 4000)
                sent += len(PING) * 4000
        assert sent < 200 * MEGABYTE
        _answers(plane)
    until(lambda: _memory(plane) - before < 60 * MEGABYTE, "little memory is used")


@pytest.mark.timeout(60)
def test_two_hundred_streams_at_once_are_answered_or_refused_with_a_code(
    plane: ControlClient,
) -> None:
    with plane.channel() as channel:
        watch = channel.unary_stream(f"/{PACKAGE}.WatchService/Watch")
        codes = {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.NOT_FOUND}
        call = channel.unary_unary(GET_SESSION)
        metadata = plane.metadata("read")
        futures = [call.future(b"", metadata=metadata, timeout=40) for _ in range(200)]
        streams = [watch(b"", metadata=metadata, timeout=40) for _ in range(200)]
        good = 0
        for each in futures:
            if each.code() is grpc.StatusCode.OK:
                good += 1
            else:
                assert each.code() is grpc.StatusCode.RESOURCE_EXHAUSTED, each.details()
        assert good >= 64
        for stream in streams:
            with pytest.raises(grpc.RpcError) as refused:
                list(stream)
            assert refused.value.code() in codes, refused.value.details()
    _answers(plane)


@pytest.mark.timeout(120)
def test_random_bytes_get_no_answer_but_an_error(plane: ControlClient) -> None:
    generator = random.Random(7)
    starts = (
        b"", PREFACE, PREFACE[:-9], b"\x16\x03\x01", b"GET / HTTP/1.1\r\n",
        b"POST " + GET_SESSION.encode() + b" HTTP/1.1\r\nhost: " + plane.host.encode() + b"\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 9999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n",
        b"GET " + b"/" * 70_000, b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 5000,
    )  # fmt: skip

    def noise(number: int) -> bytes:
        made = random.Random(number)
        with _connect(plane) as connection, suppress(OSError):
            connection.sendall(starts[number % len(starts)] + made.randbytes(made.randint(1, 4000)))
            connection.shutdown(socket.SHUT_WR)
            connection.settimeout(1)
            return connection.recv(65536)
        return b""

    before = _memory(plane)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(noise, (generator.randrange(10**9) for _ in range(200))))
    assert not any(b" 200 " in answer.partition(b"\r\n")[0] for answer in answers)
    assert not any(b"Traceback" in answer or b"uvicorn" in answer for answer in answers)
    _answers(plane)
    assert _memory(plane) - before < 60 * MEGABYTE
    assert "Traceback" not in plane.process.err


@pytest.mark.timeout(90)
def test_connections_that_say_nothing_or_half_are_closed(tmp_path: Path) -> None:
    token = "authorization: Bearer "
    with control_plane(tmp_path) as plane:
        head = (
            f"POST {GET_SESSION} HTTP/1.1\r\nhost: {plane.host}\r\n"
            f"content-type: application/json\r\n{token}{plane.tokens['read']}\r\n"
        )
        slow = [
            b"",
            b"POST /x HTTP/1.1\r\nhost: ",
            PREFACE,
            # The whole head, and no body.
            f"{head}content-length: 10\r\n\r\n".encode(),
        ]
        began = time.monotonic()
        open_ones = []
        for data in slow:
            connection = _connect(plane)
            connection.sendall(data)
            connection.settimeout(60)
            open_ones.append(connection)
        limit = max(connection_limits.IDLE_SECONDS, http_gate.BODY_SECONDS)
        for connection in open_ones:
            with suppress(ConnectionResetError):
                while connection.recv(65536):
                    pass
            connection.close()
        assert time.monotonic() - began < limit + 15
        _answers(plane)
