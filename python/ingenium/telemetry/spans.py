"""Finished spans, and the port through which they are exported."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple, Protocol

__all__ = ["FinishedSpan", "SpanExport", "SpanKind"]


_NO_ATTRIBUTES: Mapping[str, str] = MappingProxyType({})


class SpanKind(StrEnum):
    """The kinds of spans that are made; values are those of OpenTelemetry in lower case."""

    PRODUCER = "producer"
    CONSUMER = "consumer"
    INTERNAL = "internal"


class FinishedSpan(NamedTuple):
    """A span, made after its end.

    Attributes:
        name: Its name, one of few.
        kind: Its kind.
        trace_id: 32 hexadecimal digits.
        span_id: 16 hexadecimal digits.
        parent_id: 16 hexadecimal digits; empty for the root of a trace.
        start: Nanoseconds since 1970, UTC.
        end: Nanoseconds since 1970, UTC.
        attributes: Attributes by name.
        error: The error of a failed operation; ``None`` on success.
        link: Trace id and span id of another cause; ``None`` without any.
    """

    name: str
    kind: SpanKind
    trace_id: str
    span_id: str
    parent_id: str
    start: int
    end: int
    attributes: Mapping[str, str] = _NO_ATTRIBUTES
    error: BaseException | None = None
    link: tuple[str, str] | None = None


class SpanExport(Protocol):
    """Receives the spans of a process. Neither method waits."""

    def is_sampled(self, trace_id: str) -> bool:
        """Return whether a trace that begins here is exported; follows from its id."""
        ...

    def export(self, span: FinishedSpan) -> None:
        """Queue a span of a sampled trace."""
        ...
