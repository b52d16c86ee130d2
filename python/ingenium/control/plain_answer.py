"""A short answer over HTTP, and the names of ASGI's parts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

__all__ = ["Receive", "Scope", "Send", "say"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]


async def say(
    send: Send,
    status: int,
    text: str,
    *headers: tuple[bytes, bytes],
    kind: str = "text/plain",
) -> None:
    """Answer a request.

    Args:
        send: Sends a message of ASGI.
        status: Status of HTTP.
        text: The body, without a line end.
        headers: Further headers.
        kind: Type of the body.
    """
    body = f"{text}\n".encode() if text else b""
    own = (
        (b"content-type", f"{kind}; charset=utf-8".encode()),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    )
    await send({"type": "http.response.start", "status": status, "headers": [*own, *headers]})
    await send({"type": "http.response.body", "body": body})
