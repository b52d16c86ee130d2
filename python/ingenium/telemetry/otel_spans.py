"""Spans in the queues of the OpenTelemetry SDK, and their way to its exporters.

The SDK's own span costs 50 microseconds to make and 60 to encode, in a process that sends seven
spans an order. For OTLP over HTTP, spans are therefore queued as they are sent, and other exporters
get spans that were never started.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace.status import Status, StatusCode

from ingenium.telemetry.conventions import (
    ERROR_TYPE,
    EXCEPTION,
    EXCEPTION_MESSAGE,
    EXCEPTION_TYPE,
    SCHEMA_URL,
    SCOPE,
)
from ingenium.telemetry.otlp_spans import encode_span, field
from ingenium.telemetry.spans import FinishedSpan, SpanKind, SpanPattern, error_name

__all__ = ["EncodedSpan", "QueuedSpan", "SpanConverter", "span_context"]

_SCOPE = InstrumentationScope(SCOPE, schema_url=SCHEMA_URL)
_SAMPLED = trace.SpanContext(1, 1, False, trace.TraceFlags(trace.TraceFlags.SAMPLED))


class QueuedSpan:
    """A finished span in the queue of a processor, which looks at its context only.

    Args:
        span: A span of a sampled trace.
    """

    __slots__ = ("span",)
    context = _SAMPLED

    def __init__(self, span: FinishedSpan) -> None:
        self.span = span


class EncodedSpan(bytes):
    """A queued span as the field of its request, which the garbage collector need not look at."""

    __slots__ = ()
    context = _SAMPLED


class SpanConverter(SpanExporter):
    """Hands queued spans to an exporter of the SDK, and spans of other tracers as they are.

    Args:
        exporter: The exporter.
        resource: The resource of the spans.
    """

    def __init__(self, exporter: SpanExporter, resource: Resource) -> None:
        self._exporter = exporter
        self._resource = resource
        self._post = _post_of(exporter)
        self._scope = b""
        self._around = b""

    def queued(self, span: FinishedSpan) -> QueuedSpan | EncodedSpan:
        """Return what is to be queued for a span of a sampled trace."""
        return (
            QueuedSpan(span) if self._post is None else EncodedSpan(field(0x12, encode_span(span)))
        )

    def export(self, spans: Sequence[Any]) -> SpanExportResult:
        """Export a batch."""
        encoded = [each for each in spans if type(each) is EncodedSpan]
        others = [
            self._readable(each.span) if isinstance(each, QueuedSpan) else each
            for each in spans
            if type(each) is not EncodedSpan
        ]
        result = SpanExportResult.SUCCESS
        if others:
            result = self._exporter.export(others)
        if encoded and self._post is not None and not self._post(self._request(encoded)):
            result = SpanExportResult.FAILURE
        return result

    def shutdown(self) -> None:
        """End the exporter."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Export what the exporter holds."""
        return self._exporter.force_flush(timeout_millis)

    def _readable(self, span: FinishedSpan) -> ReadableSpan:
        attributes = span.attributes
        events: list[Event] = []
        status = Status()
        if span.error is not None:
            name, text = error_name(span.error), str(span.error)
            attributes[ERROR_TYPE] = name
            details = {EXCEPTION_TYPE: name, EXCEPTION_MESSAGE: text}
            events.append(Event(EXCEPTION, details, span.end))
            status = Status(StatusCode.ERROR, text)
        return ReadableSpan(
            span.name,
            span_context(span.trace_id, span.span_id, is_remote=False),
            span_context(span.trace_id, span.parent_id) if span.parent_id else None,
            self._resource,
            attributes,
            events,
            [] if span.link is None else [trace.Link(span_context(*span.link))],
            trace.SpanKind[span.kind.name],
            None,
            status,
            span.start,
            span.end,
            _SCOPE,
        )

    def _request(self, spans: Sequence[EncodedSpan]) -> bytes:
        """Return an export request of OTLP with these spans."""
        if not self._around:
            self._encode_around()
        return field(0x0A, self._around + field(0x12, b"".join((self._scope, *spans))))

    def _encode_around(self) -> None:
        """Have the SDK encode resource and scope, which are the same in each request."""
        from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

        pattern = SpanPattern("", SpanKind.INTERNAL, {})
        empty = FinishedSpan(pattern, "1" * 32, "1" * 16, "", 0, 0, {})
        request = encode_spans([self._readable(empty)]).resource_spans[0]
        del request.scope_spans[0].spans[:]
        self._scope = request.scope_spans[0].SerializeToString()
        del request.scope_spans[:]
        self._around = request.SerializeToString()


def span_context(trace_id: str, span_id: str, *, is_remote: bool = True) -> trace.SpanContext:
    """Return the context of a sampled span."""
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED)
    return trace.SpanContext(int(trace_id, 16), int(span_id, 16), is_remote, flags)


def _post_of(exporter: SpanExporter) -> Callable[[bytes], bool] | None:
    """Return what sends an encoded request; ``None`` if the exporter is of another kind.

    The client inside the SDK's exporter has no public name: without it, spans are encoded by the
    SDK, which takes longer.
    """
    if type(exporter).__module__ != "opentelemetry.exporter.otlp.proto.http.trace_exporter":
        return None
    send = getattr(getattr(exporter, "_client", None), "export", None)
    if send is None:
        return None
    return lambda data: bool(getattr(send(data), "success", False))
