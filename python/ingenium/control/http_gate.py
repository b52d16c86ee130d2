"""The one door: host, origin, credentials and headers of every request, before any service."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import cookies
from typing import Any

from ingenium.control.callers import CALLER, Caller, CallerRegistry
from ingenium.control.login_page import LoginPage
from ingenium.control.network_access import NetworkAccess
from ingenium.control.plain_answer import Receive, Scope, Send, say
from ingenium.control.static_files import StaticFiles

__all__ = ["MOST_BYTES", "HttpGate"]

Application = Callable[[Scope, Receive, Send], Awaitable[None]]

MOST_BYTES = 64 * 1024
"""Largest body of a request."""

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; font-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    (b"x-frame-options", b"DENY"),
)
BODY_SECONDS = 10.0
"""Time limit for the body of a request to arrive."""

_SAME = {"same-origin", "none"}
_CONTENT_TYPES = (
    "application/json",
    "application/proto",
    "application/connect+json",
    "application/connect+proto",
    "application/grpc",
)


class HttpGate:
    """An ASGI application in front of services and files.

    Args:
        access: How it is reached.
        port: Port that it is reached at.
        callers: Knows credentials.
        services: Applications of the services by their path, ``"/package.Service"``.
        files: The pages.
    """

    def __init__(
        self,
        access: NetworkAccess,
        port: int,
        callers: CallerRegistry,
        services: Mapping[str, Application],
        files: StaticFiles,
    ) -> None:
        self._hosts = access.hosts(port)
        self._scheme = access.scheme
        self._is_local = access.is_local
        self._cookie = access.cookie_name(port)
        self._login = LoginPage(callers, self._cookie, is_secure=not access.is_local)
        self._callers = callers
        self._services = services
        self._files = files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = list(_HEADERS)
        if not self._is_local:
            headers.append((b"strict-transport-security", b"max-age=31536000"))

        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                known = {name.lower() for name, _ in message.get("headers", ())}
                added = [each for each in headers if each[0] not in known]
                message = {**message, "headers": [*message.get("headers", ()), *added]}
            await send(message)

        await self._answer(scope, receive, send_with_headers)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = _headers_of(scope)
        if not all(map(str.isascii, headers.values())):
            await say(send, 400, "headers have ASCII characters only")
            return
        if headers.get("host", "") not in self._hosts:
            names = "localhost" if self._is_local else " or ".join(sorted(self._hosts))
            await say(send, 421, f"this server is reached as {names} only")
            return
        origin = headers.get("origin")
        if origin is not None and not self._is_own(origin):
            await say(send, 403, "requests from other origins are refused")
            return
        path, method = scope["path"], scope["method"]
        if path == "/login":
            await self._login.answer(scope, _bounded(receive), send, headers)
            return
        service = self._services.get(path.rpartition("/")[0])
        if service is None:
            if method not in {"GET", "HEAD"}:
                await say(send, 405, "use GET", (b"allow", b"GET, HEAD"))
                return
            is_page = headers.get("sec-fetch-mode") == "navigate"
            if is_page and self._callers.has_password and not self._caller(scope, headers)[0]:
                await say(send, 303, "", (b"location", b"/login"))
                return
            await self._files.send(path, method, send)
            return
        caller, is_cookie = self._caller(scope, headers)
        refusal = _refusal(method, headers, is_cookie=is_cookie)
        if refusal is not None:
            await say(send, *refusal)
            return
        CALLER.set(caller)
        await service(scope, _bounded(receive), send)

    def _is_own(self, origin: str) -> bool:
        scheme, _, host = origin.partition("://")
        return scheme == self._scheme and host in self._hosts

    def _caller(self, scope: Scope, headers: Mapping[str, str]) -> tuple[Caller | None, bool]:
        address = (scope.get("client") or ("",))[0]
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind:
            is_bearer = kind.lower() == "bearer"
            return (self._callers.by_bearer(token.strip(), address) if is_bearer else None), False
        secret = _cookie_of(headers, self._cookie)
        return (self._callers.by_session(secret, address) if secret else None), bool(secret)


def _refusal(method: str, headers: Mapping[str, str], *, is_cookie: bool) -> tuple[int, str] | None:
    """Return status and text for a call that no service may see."""
    if method != "POST":
        return 405, "use POST"
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _CONTENT_TYPES and not kind.startswith("application/grpc+"):
        return 415, "use application/json, or a Connect or gRPC client"
    length = headers.get("content-length", "0")
    if not kind.startswith("application/grpc") and (
        not length.isdigit() or int(length) > MOST_BYTES
    ):
        return 413, f"a request has at most {MOST_BYTES} bytes"
    if not is_cookie:
        return None
    # A browser adds the cookie to a request of any page; only a page of ours can add the header.
    if "x-ingenium" not in headers:
        return 403, "the header x-ingenium is missing"
    if headers.get("sec-fetch-site", "same-origin") not in _SAME:
        return 403, "requests from other sites are refused"
    return None


def _headers_of(scope: Scope) -> dict[str, str]:
    return {
        name.decode("latin-1").lower(): value.decode("latin-1")
        for name, value in scope.get("headers", ())
    }


def _cookie_of(headers: Mapping[str, str], name: str) -> str:
    try:
        found = cookies.SimpleCookie(headers.get("cookie", "")).get(name)
    except cookies.CookieError:
        return ""
    return "" if found is None else found.value


def _bounded(receive: Receive) -> Receive:
    """Return what receives the body of a request in a bounded time, and then its end."""
    end = asyncio.get_running_loop().time() + BODY_SECONDS
    is_whole = False

    async def bounded() -> Any:
        nonlocal is_whole
        if is_whole:
            return await receive()
        try:
            async with asyncio.timeout_at(end):
                message = await receive()
        except TimeoutError:
            # The service ends the call as for a caller that has left.
            is_whole = True
            return {"type": "http.disconnect"}
        is_whole = not message.get("more_body", False)
        return message

    return bounded


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
