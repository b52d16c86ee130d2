"""Export of spans by the OpenTelemetry SDK; the only module that imports it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from importlib.metadata import entry_points
from threading import Thread
from typing import cast

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
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
from ingenium.telemetry.spans import FinishedSpan

__all__ = ["CLOSE_SECONDS", "OtelExport"]

CLOSE_SECONDS = 1.5
"""Time that a stop waits for a collector; with the rest of a stop it stays below 2 s."""

_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_OTLP = {"": "otlp_proto_http", "http/protobuf": "otlp_proto_http", "grpc": "otlp_proto_grpc"}

_log = logging.getLogger("ingenium.telemetry")


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
        path = environment.get("OTEL_CONFIG_FILE", "").strip()
        provider = _provider_of_file(path) if path else _provider(environment, service)
        self._provider = provider
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
        # The SDK's own shutdown waits for retries, longer than a component may take to stop.
        thread = Thread(target=self._provider.shutdown, name="telemetry-close", daemon=True)
        thread.start()
        thread.join(CLOSE_SECONDS)
        if thread.is_alive():
            _log.warning(
                "the collector has not taken all spans within %g s: the rest is dropped",
                CLOSE_SECONDS,
            )


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
    """Return a provider as single variables describe it."""
    named = environment.get("OTEL_SERVICE_NAME", "").strip() or "service.name=" in environment.get(
        "OTEL_RESOURCE_ATTRIBUTES", ""
    )
    resource = Resource.create({} if named else {SERVICE_NAME: service})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    names = environment.get("OTEL_TRACES_EXPORTER", "").strip() or "otlp"
    for name in names.split(","):
        provider.add_span_processor(BatchSpanProcessor(_exporter(environment, name.strip())))
    return provider


def _exporter(environment: Mapping[str, str], name: str) -> SpanExporter:
    if name == "otlp":
        protocol = next((text for each in _PROTOCOLS if (text := environment.get(each))), "")
        if protocol not in _OTLP:
            raise ConfigError(
                f"OTLP protocol {protocol!r} is unknown: use http/protobuf or grpc in "
                f"{_PROTOCOLS[1]}"
            )
        name = _OTLP[protocol]
    found = entry_points(group="opentelemetry_traces_exporter", name=name)
    for each in found:
        return cast("SpanExporter", each.load()())
    package = f"opentelemetry-exporter-{name.replace('_', '-')}"
    raise ConfigError(
        f"OTEL_TRACES_EXPORTER asks for {name!r}, which is not installed: pip install {package}"
    )


def _provider_of_file(path: str) -> TracerProvider:
    """Return the provider of a declarative configuration."""
    from opentelemetry.configuration import configure_sdk, load_config_file

    try:
        configure_sdk(load_config_file(path))
    except Exception as error:
        # Its errors have no common base, and each is one of the file.
        raise ConfigError(f"OTEL_CONFIG_FILE {path!r} cannot be used: {error}") from error
    provider = trace.get_tracer_provider()
    if not isinstance(provider, TracerProvider):
        raise ConfigError(
            f"OTEL_CONFIG_FILE {path!r} sets up no traces: add a tracer_provider, or set "
            "OTEL_SDK_DISABLED=true"
        )
    return provider
