/** Sends the spans of a component to a collector, by OpenTelemetry's SDK for JavaScript. */
import type { Component, Span } from "@markwinter/ingenium";
import {
  type Link,
  ROOT_CONTEXT,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
} from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { defaultResource, detectResources, envDetector } from "@opentelemetry/resources";
import {
  AlwaysOnSampler,
  BasicTracerProvider,
  BatchSpanProcessor,
} from "@opentelemetry/sdk-trace-base";

// A dead collector delays a stop no longer than this.
const LIMIT_MS = 1500;

/** Has the spans sent; what it returns sends the rest. The OTEL_* variables say where to. */
export function exportSpans(component: Component): () => Promise<void> {
  let next: Span;
  const exporter = new OTLPTraceExporter({ timeoutMillis: LIMIT_MS });
  const provider = new BasicTracerProvider({
    resource: defaultResource().merge(detectResources({ detectors: [envDetector] })),
    sampler: new AlwaysOnSampler(), // the library has sampled, by the header of the event
    // Ids follow from events.
    idGenerator: { generateTraceId: () => next.traceId, generateSpanId: () => next.spanId },
    spanProcessors: [new BatchSpanProcessor(exporter, { exportTimeoutMillis: LIMIT_MS })],
  });
  const tracer = provider.getTracer("ingenium");
  component.onSpan((span) => {
    next = span;
    const kind = span.isSend ? SpanKind.PRODUCER : SpanKind.CONSUMER;
    const links: Link[] = span.link ? [{ context: contextOf(span.link) }] : [];
    const parent = contextOf({ traceId: span.traceId, spanId: span.parentId });
    const context = span.parentId ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT;
    const { start: startTime, attributes } = span;
    const made = tracer.startSpan(span.name, { kind, startTime, attributes, links }, context);
    if (span.error !== undefined) {
      const error = span.error instanceof Error ? span.error : new Error(String(span.error));
      made.recordException(error, span.end);
      made.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
    }
    made.end(span.end);
  });
  return async () => {
    try {
      await provider.shutdown();
    } catch (error) {
      console.error(`the collector has not taken all spans: ${error}`);
    }
  };
}

function contextOf(ids: { traceId: string; spanId: string }): SpanContext {
  return { ...ids, traceFlags: TraceFlags.SAMPLED, isRemote: true };
}
