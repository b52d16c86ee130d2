"""What every call passes: its role, limits, a deadline, the audit log, and plain errors."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from connectrpc.request import RequestContext
from protobuf import Message

from ingenium.control.audit_log import AuditLog
from ingenium.control.callers import CALLER, AccessRole, Caller
from ingenium.control.method_roles import role_for
from ingenium.errors import (
    BusError,
    ConfigError,
    IngeniumError,
    MissingDependencyError,
    NoListenerError,
    RecorderError,
    StreamError,
    SubjectError,
)

__all__ = ["CallBoundary", "RoleGuard", "caller_now", "not_found", "refuse"]

_log = logging.getLogger("ingenium.control")

MOST_CALLS = 64
"""Calls that are answered at once; further ones are refused."""
DEADLINE_SECONDS = 60.0
"""Time limit of a call that is no stream."""

_CODES: tuple[tuple[type[IngeniumError], Code], ...] = (
    (ConfigError, Code.INVALID_ARGUMENT),
    (SubjectError, Code.INVALID_ARGUMENT),
    (MissingDependencyError, Code.FAILED_PRECONDITION),
    (RecorderError, Code.FAILED_PRECONDITION),
    (NoListenerError, Code.NOT_FOUND),
    (StreamError, Code.FAILED_PRECONDITION),
    (BusError, Code.UNAVAILABLE),
)


def caller_now() -> Caller:
    """Return the caller of the current call, which has passed `RoleGuard`."""
    caller = CALLER.get()
    assert caller is not None  # noqa: S101 - the guard has refused it otherwise
    return caller


def refuse(text: str) -> ConnectError:
    """Return the error for a request whose values are not valid."""
    return ConnectError(Code.INVALID_ARGUMENT, text)


def not_found(text: str) -> ConnectError:
    """Return the error for something that is not there."""
    return ConnectError(Code.NOT_FOUND, text)


class RoleGuard:
    """Refuses a call before its body is read: without credentials, role or a free place."""

    def __init__(self) -> None:
        self.calls = 0

    async def on_start(self, ctx: RequestContext[Any, Any]) -> None:
        """Check a call.

        Raises:
            ConnectError: It is refused.
        """
        caller = CALLER.get()
        if caller is None:
            raise ConnectError(
                Code.UNAUTHENTICATED,
                "no valid session or token: open the URL that ingenium dashboard prints, or send "
                "the header authorization with a token of its file",
            )
        method = ctx.method
        needed = role_for(method.service_name, method.name)
        if needed is None:
            raise ConnectError(Code.PERMISSION_DENIED, f"nobody may call {method.name}")
        if caller.role < needed:
            raise ConnectError(
                Code.PERMISSION_DENIED,
                f"{method.name} needs the role {needed.name.lower()}, and this caller has "
                f"{caller.role.name.lower()}",
            )
        if self.calls >= MOST_CALLS:
            raise ConnectError(
                Code.RESOURCE_EXHAUSTED, f"{MOST_CALLS} calls are under way: try again later"
            )
        self.calls += 1

    async def on_end(
        self, token: None, ctx: RequestContext[Any, Any], error: Exception | None, /
    ) -> None:
        """Free its place."""
        self.calls -= 1


class CallBoundary:
    """Bounds calls in time, makes codes of errors, and writes the audit log.

    Args:
        audit: Receives each call that needs more than the role read.
    """

    def __init__(self, audit: AuditLog) -> None:
        self._audit = audit

    async def intercept_unary(
        self,
        call_next: Callable[[Any, RequestContext[Any, Any]], Awaitable[Any]],
        request: Any,
        ctx: RequestContext[Any, Any],
        /,
    ) -> Any:
        """Answer a call.

        Raises:
            ConnectError: It has failed.
        """
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                answer = await call_next(request, ctx)
        except Exception as error:
            raise self._failed(ctx, request, error) from error
        self._note(ctx, request, "ok")
        return answer

    async def intercept_server_stream(
        self,
        call_next: Callable[[Any, RequestContext[Any, Any]], AsyncIterator[Any]],
        request: Any,
        ctx: RequestContext[Any, Any],
        /,
    ) -> AsyncIterator[Any]:
        """Answer a call with a stream.

        Raises:
            ConnectError: It has failed.
        """
        # A caller that leaves ends the stream without an outcome.
        self._note(ctx, request, "begun")
        try:
            answers: Any = call_next(request, ctx)
            async with aclosing(answers):
                async for answer in answers:
                    yield answer
        except Exception as error:
            raise self._failed(ctx, request, error) from error
        self._note(ctx, request, "ok")

    def _failed(
        self, ctx: RequestContext[Any, Any], request: Message[Any], error: Exception
    ) -> ConnectError:
        found = _as_connect_error(error, ctx.method.name)
        self._note(ctx, request, f"{found.code.value}: {found.message}")
        return found

    def _note(self, ctx: RequestContext[Any, Any], request: Message[Any], outcome: str) -> None:
        method = ctx.method
        needed = role_for(method.service_name, method.name)
        if needed is None or needed <= AccessRole.READ:
            return
        try:
            self._audit.write(caller_now(), method.name, request.to_json(), outcome)
        except OSError as error:
            # A full disk must not keep trading from being halted.
            _log.error("%s cannot be written: %s", self._audit.path, error)


def _as_connect_error(error: Exception, method: str) -> ConnectError:
    if isinstance(error, ConnectError):
        return error
    if isinstance(error, IngeniumError):
        code = next((code for kind, code in _CODES if isinstance(error, kind)), Code.INTERNAL)
        return ConnectError(code, str(error))
    if isinstance(error, TimeoutError):
        return ConnectError(
            Code.DEADLINE_EXCEEDED, f"{method} was not answered within {DEADLINE_SECONDS:g} s"
        )
    _log.error("%s has failed", method, exc_info=error)
    return ConnectError(Code.INTERNAL, f"{method} has failed: see the log of the server")
