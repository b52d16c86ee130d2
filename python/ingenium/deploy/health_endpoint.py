"""An HTTP endpoint at which a process says whether it lives and whether it is ready."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from ingenium.errors import ConfigError

__all__ = ["LIVE_PATH", "READY_PATH", "serve_health"]

LIVE_PATH = "/livez"
"""Answers 200 as long as the event loop of the process turns."""
READY_PATH = "/readyz"
"""Answers 200 while the process does its work, and 503 with the reason otherwise."""

_REQUEST_BYTES = 8192
_REQUEST_SECONDS = 5.0


@asynccontextmanager
async def serve_health(port: int | None, problem: Callable[[], str]) -> AsyncIterator[None]:
    """Serve the endpoint on all addresses, for the probes of a cluster.

    It runs in the event loop of the component, so that a blocked loop answers nothing. It tells
    states only, and takes nothing.

    Args:
        port: The port; no endpoint for ``None``.
        problem: Returns why the process is not ready; empty when it is.

    Raises:
        ConfigError: The port is taken.
    """
    if port is None:
        yield
        return

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, ValueError, TimeoutError, asyncio.IncompleteReadError):
            async with asyncio.timeout(_REQUEST_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                method, path, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
                writer.write(_answer(method, path.partition("?")[0], problem))
                await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    try:
        server = await asyncio.start_server(answer, None, port, limit=_REQUEST_BYTES)
    except OSError as error:
        raise ConfigError(
            f"port {port} of INGENIUM_HEALTH_PORT cannot be used: {error.strerror}: name another"
        ) from error
    try:
        yield
    finally:
        server.close()
        await server.wait_closed()


def _answer(method: str, path: str, problem: Callable[[], str]) -> bytes:
    if method != "GET":
        return _response("405 Method Not Allowed", "use GET")
    if path == LIVE_PATH:
        return _response("200 OK", "ok")
    if path != READY_PATH:
        return _response("404 Not Found", f"use {LIVE_PATH} or {READY_PATH}")
    if text := problem():
        return _response("503 Service Unavailable", text)
    return _response("200 OK", "ok")


def _response(status: str, text: str) -> bytes:
    body = f"{text}\n".encode()
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("latin-1") + body
