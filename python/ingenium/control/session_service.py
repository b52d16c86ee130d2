"""Tells a caller about itself and about the server."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

from connectrpc.request import RequestContext

from ingenium.control._gen.ingenium.control.v1 import session_pb as pb
from ingenium.control._gen.ingenium.control.v1.session_connect import SessionService
from ingenium.control.call_guard import caller_now
from ingenium.control.callers import CallerRegistry

__all__ = ["SessionCalls"]

Context = RequestContext[Any, Any]
_SECOND = 1_000_000_000


class SessionCalls(SessionService):
    """Implements SessionService.

    Args:
        callers: Knows credentials.
        url: URL of this server.
        instance: Name of this start of the server.
        check: Returns the state of each part that the server depends on, of a named app.
    """

    def __init__(
        self,
        callers: CallerRegistry,
        url: str,
        instance: str,
        check: Callable[[str], Awaitable[list[pb.HealthCheck]]],
    ) -> None:
        self._callers = callers
        self._url = url
        self._instance = instance
        self._check = check

    async def get_session(self, request: pb.GetSessionRequest, _: Context) -> pb.GetSessionResponse:
        """Return role and ends of the session."""
        caller = caller_now()
        now = time.time_ns()
        ends = self._callers.ends_of(caller)
        return pb.GetSessionResponse(
            user=caller.user,
            role=pb.Role(int(caller.role)),
            idle_end_time=None if ends is None else now + int(ends[0] * _SECOND),
            absolute_end_time=None if ends is None else now + int(ends[1] * _SECOND),
            server_time=now,
            server_instance=self._instance,
        )

    async def create_login(
        self, request: pb.CreateLoginRequest, _: Context
    ) -> pb.CreateLoginResponse:
        """Return a one-time URL."""
        token = self._callers.make_login(caller_now().role)
        return pb.CreateLoginResponse(url=f"{self._url}/login?token={token}")

    async def end_session(self, request: pb.EndSessionRequest, _: Context) -> pb.EndSessionResponse:
        """End the session."""
        self._callers.log_out(caller_now())
        return pb.EndSessionResponse()

    async def get_health(self, request: pb.GetHealthRequest, _: Context) -> pb.GetHealthResponse:
        """Return the state of each part."""
        checks = await self._check(request.app)
        return pb.GetHealthResponse(checks=checks, is_well=all(each.is_well for each in checks))
