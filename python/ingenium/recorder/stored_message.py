"""Messages as a stream or a recording holds them."""

from __future__ import annotations

from ingenium.bus.base import Message
from ingenium.bus.headers import RawHeaders
from ingenium.telemetry.trace_context import TRACEPARENT, parse_traceparent

__all__ = ["stored_message", "trace_id_in"]

_TRACEPARENT = TRACEPARENT.encode()


def stored_message(subject: str, headers: bytes, body: bytes) -> Message:
    """Return a message from its parts; ``headers`` may be empty."""
    return Message(subject, body, RawHeaders(headers))


def trace_id_in(headers: bytes) -> str:
    """Return the trace id in a block of headers, 32 hexadecimal digits; empty without one."""
    if _TRACEPARENT not in headers.lower():
        return ""
    found = parse_traceparent(RawHeaders(headers).get(TRACEPARENT, ""))
    return "" if found is None else found.trace_id
