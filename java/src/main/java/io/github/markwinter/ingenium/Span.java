package io.github.markwinter.ingenium;

import java.time.Instant;
import java.util.Map;

/**
 * A finished span: of a handled event, or of a sent one. Its ids follow from those of events, as
 * those of the Python SDK do, so a redelivery gives the same span.
 *
 * @param name such as {@code process ingenium.portfolio.order}
 * @param isSend whether an event was sent, not handled
 * @param traceId 32 hexadecimal digits
 * @param spanId 16 hexadecimal digits
 * @param parentId 16 hexadecimal digits; empty for the root of a trace
 * @param linkTraceId the trace of the handling that sent an execution which belongs to the trace of
 *     its order; empty without such a link
 * @param linkSpanId the span of that handling; empty without a link
 * @param start when it began
 * @param end when it ended
 * @param attributes by their names in the semantic conventions
 * @param error what a handler that failed has thrown; otherwise null
 */
public record Span(
    String name,
    boolean isSend,
    String traceId,
    String spanId,
    String parentId,
    String linkTraceId,
    String linkSpanId,
    Instant start,
    Instant end,
    Map<String, String> attributes,
    Exception error) {}
