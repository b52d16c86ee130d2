"""Export of spans by the OpenTelemetry SDK."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import cast

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, DEFAULT_ON, Decision

from ingenium.errors import ConfigError
from ingenium.telemetry.conventions import (
    ERROR_TYPE,
    EXCEPTION,
    EXCEPTION_MESSAGE,
    EXCEPTION_TYPE,
    SCHEMA_URL,
    SCOPE,
)
from ingenium.telemetry.otel_setup import (
    apply_file,
    exporters_of,
    file_of,
    resource_of,
    shut_down,
)
from ingenium.telemetry.otel_spans import SpanConverter, span_context
from ingenium.telemetry.spans import FinishedSpan, error_name
from ingenium.telemetry.trace_budget import TraceBudget

__all__ = ["OtelExport"]

_LIMIT = re.compile("OTEL_.*_LIMIT")


class OtelExport:
    """Exports spans as standard variables or ``OTEL_CONFIG_FILE`` say.

    A full queue drops spans, so `export` never waits for a collector. Spans go to the queues of the
    SDK without being started, unless a file configures the SDK, or limits of spans are set, which
    only the SDK's own spans keep.

    Args:
        environment: Variables of the process. The SDK reads those of ``os.environ`` itself.
        service: ``service.name`` where no variable sets it.
        is_live: Whether events come at a rate that nobody chose: without a configured sampler, a
            `TraceBudget` then bounds the traces that begin here.

    Raises:
        ConfigError: The configuration is invalid, or an exporter is missing.
    """

    def __init__(
        self, environment: Mapping[str, str], service: str, *, is_live: bool = False
    ) -> None:
        self._queues: list[tuple[SpanConverter, BatchSpanProcessor]] = []
        path = file_of(environment)
        if path:
            provider = _provider_of_file(path)
        else:
            resource = resource_of(environment, service)
            provider = TracerProvider(resource=resource, shutdown_on_exit=False)
            for exporter in exporters_of(environment, "traces"):
                converter = SpanConverter(exporter, resource)
                processor = BatchSpanProcessor(converter)
                provider.add_span_processor(processor)
                self._queues.append((converter, processor))
        if any(_LIMIT.fullmatch(name) for name in os.environ):
            self._queues = []
        self._provider = provider
        self._samples_all = provider.sampler in (ALWAYS_ON, DEFAULT_ON)
        is_default = not path and not environment.get("OTEL_TRACES_SAMPLER", "").strip()
        self._budget = TraceBudget() if is_live and is_default else None
        self._ids = _EventIds()
        # An author's own spans keep the generator of the provider.
        before, provider.id_generator = provider.id_generator, self._ids
        self._tracer = provider.get_tracer(SCOPE, schema_url=SCHEMA_URL)
        provider.id_generator = before

    @property
    def keeps_failures(self) -> bool:
        """Whether failed and slow calls have a span also where their trace is not sampled."""
        return self._budget is not None

    def is_sampled(self, trace_id: str) -> bool:
        """Return whether the configured sampler samples a trace that begins with this id."""
        if self._budget is not None:
            return self._budget.samples(trace_id)
        if self._samples_all:
            return True
        result = self._provider.sampler.should_sample(Context(), int(trace_id, 16), SCOPE)
        return result.decision is Decision.RECORD_AND_SAMPLE

    def export(self, span: FinishedSpan) -> None:
        """Queue a span of a sampled trace."""
        if not self._queues:
            self._start(span)
        for converter, processor in self._queues:
            processor.on_end(cast("ReadableSpan", converter.queued(span)))

    def _start(self, span: FinishedSpan) -> None:
        """Have the SDK make a span."""
        self._ids.trace_id, self._ids.span_id = int(span.trace_id, 16), int(span.span_id, 16)
        context = Context()
        if span.parent_id:
            parent = span_context(span.trace_id, span.parent_id)
            context = trace.set_span_in_context(trace.NonRecordingSpan(parent), context)
        links = [] if span.link is None else [trace.Link(span_context(*span.link))]
        made = self._tracer.start_span(
            span.name,
            context,
            trace.SpanKind[span.kind.name],
            dict(span.attributes),
            links,
            span.start,
        )
        if span.error is not None:
            name, text = error_name(span.error), str(span.error)
            made.set_attribute(ERROR_TYPE, name)
            made.add_event(EXCEPTION, {EXCEPTION_TYPE: name, EXCEPTION_MESSAGE: text}, span.end)
            made.set_status(trace.StatusCode.ERROR, text)
        made.end(span.end)

    def close(self) -> None:
        """Export the queued spans, for at most `CLOSE_SECONDS`, and end the export."""
        shut_down(self._provider.shutdown, "spans")


class _EventIds(RandomIdGenerator):
    """Gives the next span the ids that follow from its event."""

    trace_id = 0
    span_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id

    def is_trace_id_random(self) -> bool:
        return False


def _provider_of_file(path: str) -> TracerProvider:
    apply_file(path)
    found = trace.get_tracer_provider()
    if isinstance(found, TracerProvider):
        return found
    raise ConfigError(
        f"OTEL_CONFIG_FILE {path!r} sets up no traces: add a tracer_provider, or set "
        "OTEL_SDK_DISABLED=true"
    )
