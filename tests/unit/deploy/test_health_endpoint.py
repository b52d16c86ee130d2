"""The health endpoint: what probes ask, and what they get."""

from __future__ import annotations

import asyncio

import pytest
from support.deployed import free_port, probe

from ingenium.deploy.health_endpoint import serve_health
from ingenium.errors import ConfigError


async def asked(port: int, path: str) -> tuple[int, str]:
    return await asyncio.to_thread(probe, port, path)


async def sent(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    writer.write_eof()
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await writer.wait_closed()
    return answer


async def test_process_is_ready_when_it_has_no_problem_and_alive_in_any_case() -> None:
    port, problems = free_port(), ["no connection to nats://there"]
    async with serve_health(port, lambda: problems[0]):
        assert await asked(port, "/livez") == (200, "ok\n")
        assert await asked(port, "/readyz") == (503, "no connection to nats://there\n")
        problems[0] = ""
        assert await asked(port, "/readyz?verbose") == (200, "ok\n")
    assert await asked(port, "/livez") == (0, "")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /metrics HTTP/1.1\r\n\r\n", b"404"),
        (b"POST /livez HTTP/1.1\r\n\r\n", b"405"),
        (b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n", b"200"),
        (b"nothing\r\n\r\n", b""),
        (b"GET /livez HTTP/1.1\r\n" + b"a" * 9000, b""),
        (b"", b""),
    ],
)
async def test_answer_of_a_request(request_bytes: bytes, status: bytes) -> None:
    port = free_port()
    async with serve_health(port, lambda: ""):
        answer = await sent(port, request_bytes)
        assert answer.partition(b" ")[2][:3] == status
        # Whatever was sent, the next one is answered.
        assert await asked(port, "/livez") == (200, "ok\n")


async def test_no_port_is_no_endpoint_and_a_taken_one_is_an_error() -> None:
    async with serve_health(None, lambda: ""):
        pass
    port = free_port()
    async with serve_health(port, lambda: ""):
        with pytest.raises(ConfigError, match=f"port {port} of INGENIUM_HEALTH_PORT"):
            async with serve_health(port, lambda: ""):
                pass
