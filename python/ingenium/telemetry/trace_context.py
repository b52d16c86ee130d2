"""Trace identity: ids that follow from event ids, and the W3C header that carries them.

Every participant computes the same ids, so a redelivery or a replay gives the same span, and a
program in another language needs SHA-256 only. With ``+`` for concatenation of UTF-8 text:

- trace id: the first 16 bytes of SHA-256 of ``"trace" + id of the root event``
- span id of a sent event: the first 8 bytes of SHA-256 of ``"send" + event id``
- span id of a handled event: the first 8 bytes of SHA-256 of
  ``"process" + event id + "/" + component``

The span of a handled event is a child of the span of its sending, and a sent event is a child of
the handling that sent it.

References:
    https://www.w3.org/TR/trace-context/
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import NamedTuple

__all__ = [
    "TRACEPARENT",
    "TraceContext",
    "known_traceparent",
    "parse_traceparent",
    "process_span_id",
    "send_span_id",
    "trace_id_of",
]

TRACEPARENT = "traceparent"
"""Header of a message with its trace context."""

_USUAL = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-0[01]", re.ASCII)
_HEADER = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_SAMPLED = 1


class TraceContext(NamedTuple):
    """The place of an event in a trace.

    Attributes:
        trace_id: 32 hexadecimal digits.
        span_id: Span of its sending, 16 hexadecimal digits.
        is_sampled: Whether spans of the trace are exported.
    """

    trace_id: str
    span_id: str
    is_sampled: bool

    @property
    def traceparent(self) -> str:
        """The W3C header. The flag for random trace ids is unset, since ours are not."""
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.is_sampled else '00'}"


def trace_id_of(root_id: str) -> str:
    """Return the trace id of the event that caused all others of a trace.

    Args:
        root_id: Id of the event.

    Returns:
        32 hexadecimal digits.
    """
    return _digest(f"trace{root_id}")[:32]


def send_span_id(event_id: str) -> str:
    """Return the id of the span of sending an event, 16 hexadecimal digits."""
    return _digest(f"send{event_id}")[:16]


def process_span_id(event_id: str, component: str) -> str:
    """Return the id of the span of handling an event.

    Args:
        event_id: Id of the event.
        component: Name of the component that handles it.

    Returns:
        16 hexadecimal digits.
    """
    return _digest(f"process{event_id}/{component}")[:16]


def parse_traceparent(text: str) -> TraceContext | None:
    """Read a W3C header.

    Args:
        text: The value; any sender may have written it.

    Returns:
        The context; ``None`` for a value that the specification says to ignore.
    """
    found = _HEADER.fullmatch(text.strip())
    if found is None:
        return None
    version, trace_id, span_id, flags, rest = found.groups()
    if version == "ff" or (version == "00" and rest) or not (trace_id.strip("0")):
        return None
    if not span_id.strip("0"):
        return None
    return TraceContext(trace_id, span_id, bool(int(flags, 16) & _SAMPLED))


def known_traceparent(text: str) -> str:
    """Read a W3C header, and return it as `TraceContext.traceparent` writes it.

    Args:
        text: The value; any sender may have written it.

    Returns:
        Version, trace id, span id and flags, of 2, 32, 16 and 2 digits; empty for a value that the
        specification says to ignore.
    """
    if _USUAL.fullmatch(text) is not None:
        return text
    context = parse_traceparent(text) if text else None
    return "" if context is None else context.traceparent


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
