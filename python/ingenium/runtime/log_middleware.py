"""Gives log records the component and the trace of what is handled."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Token
from functools import partial

from ingenium.components.middleware import Handling, Middleware, Outcome
from ingenium.events import DataEvent
from ingenium.telemetry.logs import LogContext, log_context
from ingenium.telemetry.trace_context import (
    TRACEPARENT,
    parse_traceparent,
    process_span_id,
    trace_id_of,
)

__all__ = ["LogMiddleware"]

_TOKEN = "log_context"  # noqa: S105 - the key of a note


class LogMiddleware(Middleware):
    """Sets `ingenium.telemetry.logs.log_context` while a handler runs.

    The trace is that of the event's header. Without one it is known for market data, which begins
    a trace.
    """

    def before(self, handling: Handling) -> None:
        """Set the context of one call."""
        handling.notes[_TOKEN] = log_context.set(partial(_context_of, handling))

    def after(self, handling: Handling, outcome: Outcome) -> None:
        """Restore the context before the call."""
        token: Token[Callable[[], LogContext] | None] | None = handling.notes.pop(_TOKEN, None)
        if token is not None:
            log_context.reset(token)


def _context_of(handling: Handling) -> LogContext:
    event, name = handling.event, handling.component.name
    if event is None or not event.id:
        return LogContext(name)
    received = parse_traceparent(handling.headers.get(TRACEPARENT, ""))
    trace_id = "" if received is None else received.trace_id
    if received is None and isinstance(event, DataEvent):
        trace_id = trace_id_of(event.id)
    return LogContext(name, trace_id, process_span_id(event.id, name))
