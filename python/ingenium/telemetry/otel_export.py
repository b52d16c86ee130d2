"""Export of spans by the OpenTelemetry SDK."""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision

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
from ingenium.telemetry.spans import FinishedSpan

__all__ = ["OtelExport"]


class OtelExport:
    """Exports spans as standard variables or ``OTEL_CONFIG_FILE`` say.

    A full queue drops spans, so `export` never waits for a collector.

    Args:
        environment: Variables of the process. The SDK reads those of ``os.environ`` itself.
        service: ``service.name`` where no variable sets it.

    Raises:
        ConfigError: The configuration is invalid, or an exporter is missing.
    """

    def __init__(self, environment: Mapping[str, str], service: str) -> None:
        provider = self._provider = _provider(environment, service)
        self._ids = _EventIds()
        # An author's own spans keep the generator of the provider.
        before, provider.id_generator = provider.id_generator, self._ids
        self._tracer = provider.get_tracer(SCOPE, schema_url=SCHEMA_URL)
        provider.id_generator = before

    def is_sampled(self, trace_id: str) -> bool:
        """Return whether the configured sampler samples a trace that begins with this id."""
        result = self._provider.sampler.should_sample(Context(), int(trace_id, 16), SCOPE)
        return result.decision is Decision.RECORD_AND_SAMPLE

    def export(self, span: FinishedSpan) -> None:
        """Queue a span of a sampled trace."""
        self._ids.trace_id, self._ids.span_id = int(span.trace_id, 16), int(span.span_id, 16)
        context = Context()
        if span.parent_id:
            parent = _span_context(span.trace_id, span.parent_id)
            context = trace.set_span_in_context(trace.NonRecordingSpan(parent), context)
        links = [] if span.link is None else [trace.Link(_span_context(*span.link))]
        made = self._tracer.start_span(
            span.name,
            context,
            trace.SpanKind[span.kind.name],
            dict(span.attributes),
            links,
            span.start,
        )
        if span.error is not None:
            kind = type(span.error)
            name = kind.__qualname__
            if kind.__module__ != "builtins":
                name = f"{kind.__module__}.{name}"
            text = str(span.error)
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


def _span_context(trace_id: str, span_id: str) -> trace.SpanContext:
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED)
    return trace.SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=flags)


def _provider(environment: Mapping[str, str], service: str) -> TracerProvider:
    if path := file_of(environment):
        apply_file(path)
        found = trace.get_tracer_provider()
        if isinstance(found, TracerProvider):
            return found
        raise ConfigError(
            f"OTEL_CONFIG_FILE {path!r} sets up no traces: add a tracer_provider, or set "
            "OTEL_SDK_DISABLED=true"
        )
    provider = TracerProvider(resource=resource_of(environment, service), shutdown_on_exit=False)
    for exporter in exporters_of(environment, "traces"):
        provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider
