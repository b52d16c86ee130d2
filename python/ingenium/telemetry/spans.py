"""Finished spans, and the port through which they are exported."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

__all__ = ["FinishedSpan", "SpanExport", "SpanKind", "SpanPattern", "error_name"]


class SpanKind(StrEnum):
    """The kinds of spans that are made; values are those of OpenTelemetry in lower case."""

    PRODUCER = "producer"
    CONSUMER = "consumer"
    INTERNAL = "internal"


class SpanPattern:
    """What many spans have in common.

    Attributes:
        name: Name of the spans, one of few.
        kind: Their kind.
        attributes: Attributes that all of them have, by name; not to be changed.
        encoded: Storage of an exporter, which encodes a pattern once; ``None`` until then.
    """

    __slots__ = ("attributes", "encoded", "kind", "name")

    def __init__(self, name: str, kind: SpanKind, attributes: dict[str, str]) -> None:
        self.name = name
        self.kind = kind
        self.attributes = attributes
        self.encoded: bytes | None = None


class FinishedSpan:
    """A span, made after its end.

    Attributes:
        pattern: What it has in common with other spans.
        trace_id: 32 hexadecimal digits.
        span_id: 16 hexadecimal digits.
        parent_id: 16 hexadecimal digits; empty for the root of a trace.
        start: Nanoseconds since 1970, UTC.
        end: Nanoseconds since 1970, UTC.
        own: Attributes that are not in the pattern, by name.
        error: The error of a failed operation; ``None`` on success.
        link: Trace id and span id of another cause; ``None`` without any.
    """

    __slots__ = (
        "end",
        "error",
        "link",
        "own",
        "parent_id",
        "pattern",
        "span_id",
        "start",
        "trace_id",
    )

    def __init__(
        self,
        pattern: SpanPattern,
        trace_id: str,
        span_id: str,
        parent_id: str,
        start: int,
        end: int,
        own: dict[str, str],
        error: BaseException | None = None,
        link: tuple[str, str] | None = None,
    ) -> None:
        self.pattern = pattern
        self.trace_id = trace_id
        self.span_id = span_id
        self.parent_id = parent_id
        self.start = start
        self.end = end
        self.own = own
        self.error = error
        self.link = link

    @property
    def name(self) -> str:
        """Name of the span."""
        return self.pattern.name

    @property
    def kind(self) -> SpanKind:
        """Kind of the span."""
        return self.pattern.kind

    @property
    def attributes(self) -> dict[str, str]:
        """All attributes by name."""
        return {**self.pattern.attributes, **self.own}


def error_name(error: BaseException) -> str:
    """Return the qualified name of the type of an error; that of a built-in one has no module."""
    kind = type(error)
    name = kind.__qualname__
    return name if kind.__module__ == "builtins" else f"{kind.__module__}.{name}"


class SpanExport(Protocol):
    """Receives the spans of a process. Neither method waits."""

    def is_sampled(self, trace_id: str) -> bool:
        """Return whether a trace that begins here is exported; follows from its id."""
        ...

    def export(self, span: FinishedSpan) -> None:
        """Queue a span of a sampled trace."""
        ...
