"""Conversion of finished spans for exporters of the OpenTelemetry SDK, in their thread.

The SDK's own span costs 50 microseconds to make and 60 to encode, in a process that sends seven
spans an order. For OTLP over HTTP, spans are therefore encoded here, and other exporters get spans
that were never started.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import lru_cache
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
from ingenium.telemetry.spans import FinishedSpan

__all__ = ["QueuedSpan", "SpanConverter", "error_name", "span_context"]

_log = logging.getLogger("ingenium.telemetry")
_SCOPE = InstrumentationScope(SCOPE, schema_url=SCHEMA_URL)
_KINDS = {"internal": 1, "producer": 4, "consumer": 5}
_HAS_IS_REMOTE, _IS_REMOTE = 0x100, 0x300
_KEPT_ATTRIBUTES = 4096


class QueuedSpan:
    """A finished span in the queue of a processor, which looks at its context only.

    Args:
        span: A span of a sampled trace.
    """

    __slots__ = ("span",)
    context = trace.SpanContext(1, 1, False, trace.TraceFlags(trace.TraceFlags.SAMPLED))

    def __init__(self, span: FinishedSpan) -> None:
        self.span = span


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

    def export(self, spans: Sequence[Any]) -> SpanExportResult:
        """Export a batch."""
        queued = [each.span for each in spans if isinstance(each, QueuedSpan)]
        others = [each for each in spans if not isinstance(each, QueuedSpan)]
        if self._post is None:
            others += [self._readable(span) for span in queued]
        result = SpanExportResult.SUCCESS
        if others:
            result = self._exporter.export(others)
        if queued and self._post is not None and not self._post(self._request(queued)):
            result = SpanExportResult.FAILURE
        return result

    def shutdown(self) -> None:
        """End the exporter."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Export what the exporter holds."""
        return self._exporter.force_flush(timeout_millis)

    def _readable(self, span: FinishedSpan) -> ReadableSpan:
        attributes: dict[str, str] = dict(span.attributes)
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

    def _request(self, spans: Sequence[FinishedSpan]) -> bytes:
        """Return an export request of OTLP with these spans."""
        from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

        if not self._around:
            request = encode_spans([self._readable(spans[0])]).resource_spans[0]
            del request.scope_spans[0].spans[:]
            self._scope = request.scope_spans[0].SerializeToString()
            del request.scope_spans[:]
            self._around = request.SerializeToString()
        encoded = [self._scope]
        for span in spans:
            if span.error is None and span.link is None:
                encoded.append(_field(0x12, _encode(span)))
            else:  # few
                made = encode_spans([self._readable(span)]).resource_spans[0].scope_spans[0]
                encoded.append(_field(0x12, made.spans[0].SerializeToString()))
        return _field(0x0A, self._around + _field(0x12, b"".join(encoded)))


def error_name(error: BaseException) -> str:
    """Return the qualified name of the type of an error; that of a built-in one has no module."""
    kind = type(error)
    name = kind.__qualname__
    return name if kind.__module__ == "builtins" else f"{kind.__module__}.{name}"


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


# The wire format of protobuf, for the messages of opentelemetry/proto/trace/v1/trace.proto.


def _encode(span: FinishedSpan) -> bytes:
    """Return a message ``Span`` without events and links."""
    kind = _KINDS[span.kind.value]
    head = b"\x0a\x10" + bytes.fromhex(span.trace_id) + b"\x12\x08" + bytes.fromhex(span.span_id)
    if span.parent_id:
        head += b"\x22\x08" + bytes.fromhex(span.parent_id)
    parts = [
        head,
        _text(0x2A, span.name),
        bytes((0x30, kind, 0x39)),
        span.start.to_bytes(8, "little"),
        b"\x41",
        span.end.to_bytes(8, "little"),
    ]
    parts += [_attribute(name, value) for name, value in span.attributes.items()]
    flags = _IS_REMOTE if span.parent_id else _HAS_IS_REMOTE
    # An empty status is a field without content, as the SDK writes it.
    parts += [b"\x7a\x00\x85\x01", flags.to_bytes(4, "little")]
    return b"".join(parts)


@lru_cache(_KEPT_ATTRIBUTES)
def _attribute(name: str, value: str) -> bytes:
    return _field(0x4A, _text(0x0A, name) + _field(0x12, _text(0x0A, value)))


def _text(tag: int, text: str) -> bytes:
    return _field(tag, text.encode("utf-8", "replace"))


def _field(tag: int, content: bytes) -> bytes:
    """Return a field with a length: the tag, which is one byte, the length and the content."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = bytearray()
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    length.append(size)
    return bytes((tag,)) + bytes(length) + content
