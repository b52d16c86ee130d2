package com.example.rsi;

import io.github.markwinter.ingenium.Component;
import io.github.markwinter.ingenium.Span;
import io.opentelemetry.api.trace.SpanBuilder;
import io.opentelemetry.api.trace.SpanContext;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.api.trace.TraceFlags;
import io.opentelemetry.api.trace.TraceState;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.context.Context;
import io.opentelemetry.sdk.OpenTelemetrySdk;
import io.opentelemetry.sdk.autoconfigure.AutoConfiguredOpenTelemetrySdk;
import io.opentelemetry.sdk.common.CompletableResultCode;
import io.opentelemetry.sdk.trace.IdGenerator;
import io.opentelemetry.sdk.trace.samplers.Sampler;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** Sends the spans of a component to a collector, by OpenTelemetry's SDK for Java. */
final class Spans implements IdGenerator {
  // A dead collector delays a stop no longer than this.
  private static final long LIMIT_MILLISECONDS = 1500;

  private final OpenTelemetrySdk sdk;
  private final Tracer tracer;
  private Span next;

  private Spans() {
    sdk =
        AutoConfiguredOpenTelemetrySdk.builder()
            .addPropertiesSupplier(() -> Map.of("otel.exporter.otlp.protocol", "http/protobuf"))
            .addPropertiesCustomizer(
                config ->
                    Map.of(
                        "otel.traces.exporter", "otlp",
                        "otel.metrics.exporter", "none",
                        "otel.logs.exporter", "none"))
            // Ids follow from events, and the library has sampled, by the header of the event.
            .addTracerProviderCustomizer(
                (provider, config) ->
                    provider.setIdGenerator(this).setSampler(Sampler.alwaysOn()))
            .disableShutdownHook()
            .build()
            .getOpenTelemetrySdk();
    tracer = sdk.getTracer("ingenium");
  }

  /** Has the spans of a component sent; the OTEL_* variables say where to. */
  static void export(Component.Builder component) {
    Spans spans = new Spans();
    component.onSpan(spans::send).closeAtEnd(spans::end);
  }

  private void send(Span span) {
    next = span;
    SpanBuilder builder =
        tracer
            .spanBuilder(span.name())
            .setSpanKind(span.isSend() ? SpanKind.PRODUCER : SpanKind.CONSUMER)
            .setStartTimestamp(span.start());
    if (span.parentId().isEmpty()) {
      builder.setNoParent();
    } else {
      SpanContext parent = context(span.traceId(), span.parentId());
      builder.setParent(Context.root().with(io.opentelemetry.api.trace.Span.wrap(parent)));
    }
    if (!span.linkSpanId().isEmpty()) {
      builder.addLink(context(span.linkTraceId(), span.linkSpanId()));
    }
    span.attributes().forEach(builder::setAttribute);
    io.opentelemetry.api.trace.Span made = builder.startSpan();
    if (span.error() != null) {
      made.recordException(span.error()).setStatus(StatusCode.ERROR, span.error().toString());
    }
    made.end(span.end());
  }

  private void end() {
    CompletableResultCode ended = sdk.getSdkTracerProvider().shutdown();
    if (!ended.join(LIMIT_MILLISECONDS, TimeUnit.MILLISECONDS).isSuccess()) {
      System.err.println("the collector has not taken all spans");
    }
  }

  private static SpanContext context(String trace, String span) {
    TraceState state = TraceState.getDefault();
    return SpanContext.createFromRemoteParent(trace, span, TraceFlags.getSampled(), state);
  }

  @Override
  public String generateTraceId() {
    return next.traceId();
  }

  @Override
  public String generateSpanId() {
    return next.spanId();
  }
}
