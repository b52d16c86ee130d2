"""Spans that are encoded without the SDK's own are those that the SDK makes."""

from __future__ import annotations

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from support.otlp_receiver import receiving

from ingenium.errors import ConfigError
from ingenium.telemetry.otel_export import OtelExport
from ingenium.telemetry.otlp_spans import encode_span
from ingenium.telemetry.spans import FinishedSpan, SpanKind, SpanPattern

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
LONG = "é" * 70_000
"""A text whose length needs three bytes on the wire."""


def spans() -> list[FinishedSpan]:
    shared = {"ingenium.role": "executor", "ingenium.component": "größe"}
    own = {"ingenium.symbol": "ÄÖ/€", "long": LONG, "short": "x" * 127, "more": "x" * 128}
    patterns = [SpanPattern(f"{kind} x", kind, shared) for kind in SpanKind]
    found = [
        FinishedSpan(
            pattern, TRACE, f"{number + 1:016x}", parent, 1_700_000_000_000_000_000,
            1_700_000_000_123_456_789, own,
        )
        for number, (pattern, parent) in enumerate([(p, i) for p in patterns for i in ("", PARENT)])
    ]  # fmt: skip
    linked = ("1" * 32, "2" * 16)
    consumer = patterns[2]
    failures = [ValueError("it is 5, not 6"), ConfigError("x" * 300), KeyError()]
    odd = [
        FinishedSpan(consumer, TRACE, f"{number + 20:016x}", PARENT, 1, 2, {}, error, link)
        for number, (error, link) in enumerate(
            [(None, linked), *((each, None) for each in failures), (failures[0], linked)]
        )
    ]
    return [*found, *odd]


def exported(monkeypatch: pytest.MonkeyPatch, **variables: str) -> list[bytes]:
    """Return what a collector gets, each span in the encoding of its own library."""
    with receiving() as received, monkeypatch.context() as patch:
        patch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.url)
        for name, value in variables.items():
            patch.setenv(name, value)
        export = OtelExport({}, "app")
        for span in spans():
            export.export(span)
        export.close()
        found: list[Span] = list(received.spans)
        return [span.SerializeToString(deterministic=True) for span in found]


def test_spans_are_equal_to_those_that_the_sdk_makes_and_encodes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[str] = []

    def note(span: FinishedSpan) -> bytes:
        seen.append(span.span_id)
        return encode_span(span)

    with monkeypatch.context() as patch:
        patch.setattr("ingenium.telemetry.otel_spans.encode_span", note)
        fast = exported(monkeypatch)
    assert seen == [span.span_id for span in spans()]
    # A limit is kept by the SDK's own spans only.
    assert fast == exported(monkeypatch, OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT="100")
    assert len(fast) == len(spans()) == 11


def test_attributes_of_a_span_are_those_of_its_pattern_and_its_own() -> None:
    span = spans()[0]
    assert span.attributes == {**span.pattern.attributes, **span.own}
    assert (span.name, span.kind) == ("producer x", SpanKind.PRODUCER)


def test_limit_of_attributes_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    [first, *_] = exported(monkeypatch, OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT="5")
    values = {each.key: each.value.string_value for each in Span.FromString(first).attributes}
    assert values["long"] == "é" * 5
