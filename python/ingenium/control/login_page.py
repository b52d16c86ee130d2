"""Opens sessions: by the one-time token of a URL, or by the password."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qs

from ingenium.control.callers import CallerRegistry
from ingenium.control.plain_answer import Receive, Scope, Send, say

__all__ = ["LoginPage"]

_MOST_BYTES = 4096
_FORM = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Sign in to Ingenium</title>
<form method="post" action="/login">
<p><label>Password <input type="password" name="password" autocomplete="current-password" required
 autofocus></label> <button>Sign in</button></p>
</form>
</html>"""
# Without it a browser hides the origin of the form, which is then refused.
_ORIGIN = b"referrer-policy", b"same-origin"
_BLOCKED = 429, "too many attempts have failed: wait a minute"


class LoginPage:
    """Answers ``/login``.

    Args:
        callers: Knows credentials.
        cookie: Name of the cookie.
        is_secure: Whether the cookie goes over TLS only.
    """

    def __init__(self, callers: CallerRegistry, cookie: str, *, is_secure: bool) -> None:
        self._callers = callers
        self._cookie = cookie
        self._flags = f"HttpOnly; SameSite=Strict; Path=/{'; Secure' if is_secure else ''}"

    async def answer(
        self, scope: Scope, receive: Receive, send: Send, headers: Mapping[str, str]
    ) -> None:
        """Answer a request.

        Args:
            scope: The request.
            receive: Receives its body.
            send: Sends the answer.
            headers: Headers of the request, by name in lower case.
        """
        method = scope["method"]
        if method == "GET":
            query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
            if self._callers.has_password and "token" not in query:
                await say(send, 200, _FORM, _ORIGIN, kind="text/html")
                return
            await self._by_token(query.get("token", [""])[0], send)
        elif method == "POST" and self._callers.has_password:
            await self._by_password(receive, send, headers)
        else:
            allowed = "GET, POST" if self._callers.has_password else "GET"
            await say(send, 405, "use GET", (b"allow", allowed.encode()))

    async def _by_token(self, token: str, send: Send) -> None:
        was_blocked = self._callers.is_blocked("token")
        secret = self._callers.log_in(token)
        if secret:
            await self._open(secret, send)
        elif was_blocked:
            await say(send, *_BLOCKED)
        else:
            text = (
                "this URL has been used or is too old: ingenium dashboard --url prints another one"
            )
            await say(send, 403, text)

    async def _by_password(self, receive: Receive, send: Send, headers: Mapping[str, str]) -> None:
        # A form of another site has another origin, and the door has refused it; one without an
        # origin is no form.
        if "origin" not in headers:
            await say(send, 403, "the header origin is missing")
            return
        if self._callers.is_blocked("password"):
            await say(send, *_BLOCKED)
            return
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > _MOST_BYTES:
                await say(send, 413, f"a request has at most {_MOST_BYTES} bytes")
                return
            if not message.get("more_body", False):
                break
        found = parse_qs(body.decode("latin-1"), keep_blank_values=True).get("password", [""])
        secret = self._callers.log_in_by_password(found[0])
        if secret:
            await self._open(secret, send)
        else:
            await say(send, 403, "this is not the password")

    async def _open(self, secret: str, send: Send) -> None:
        cookie = f"{self._cookie}={secret}; {self._flags}"
        await say(send, 303, "", (b"location", b"/"), (b"set-cookie", cookie.encode()))
