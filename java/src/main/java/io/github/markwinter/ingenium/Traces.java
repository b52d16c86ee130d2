package io.github.markwinter.ingenium;

import com.google.protobuf.Message;
import io.github.markwinter.ingenium.v1.ExecutionEvent;
import io.github.markwinter.ingenium.v1.OrderEvent;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Carries the W3C trace context of the handled event on to what is sent, and makes their spans. */
public final class Traces {
  static final String TRACEPARENT = "traceparent";
  private static final int KEPT_ORDERS = 65_536;
  // A handling of market data that sent nothing has a span from this time on.
  private static final Duration SLOW = Duration.ofMillis(100);
  private static final Pattern FORM =
      Pattern.compile("([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?");

  private final Map<String, Trace> orders =
      new LinkedHashMap<>() {
        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Trace> eldest) {
          return size() > KEPT_ORDERS;
        }
      };
  private final String component;
  private final String role;
  private final boolean exports;
  private final List<Sent> sent = new ArrayList<>();
  private Trace trace;
  private String id = "";

  private record Trace(String id, String span, boolean sampled) {}

  private record Sent(Message event, String subject, String id, Trace trace, Instant at) {}

  /** With {@code exports} there are spans; otherwise only the header is carried on. */
  Traces(String component, String role, boolean exports) {
    this.component = component;
    this.role = role;
    this.exports = exports;
  }

  /**
   * Returns the id of the trace that an event begins.
   *
   * @param rootId id of the event
   * @return 32 hexadecimal digits
   */
  public static String traceId(String rootId) {
    return digest("trace" + rootId).substring(0, 32);
  }

  /**
   * Returns the id of the span of sending an event.
   *
   * @param eventId id of the event
   * @return 16 hexadecimal digits
   */
  public static String sendSpanId(String eventId) {
    return digest("send" + eventId).substring(0, 16);
  }

  /**
   * Returns the id of the span of a component that handles an event.
   *
   * @param eventId id of the event
   * @param component name of the component
   * @return 16 hexadecimal digits
   */
  public static String processSpanId(String eventId, String component) {
    return digest("process" + eventId + "/" + component).substring(0, 16);
  }

  /**
   * Begins with the header of an event. Where it has none, nothing is carried on without exports; with
   * them the event begins a trace: ids follow from events, so all who do this join the same.
   */
  void begin(String header, Message event, String id) {
    this.id = id;
    sent.clear();
    trace = header == null ? null : parse(header);
    if (trace == null && exports) {
      trace = new Trace(traceId(id), sendSpanId(id), true);
    }
    if (trace != null && event instanceof OrderEvent order) {
      orders.put(order.getId(), trace);
    }
  }

  /** Ends with the spans of the handled event and of what it has sent. */
  List<Span> end(String subject, Subjects.Kind kind, Instant start, Exception failure) {
    Trace ended = trace;
    List<Sent> events = List.copyOf(sent);
    trace = null;
    sent.clear();
    Instant end = Instant.now();
    boolean isQuiet =
        events.isEmpty() && failure == null && Duration.between(start, end).compareTo(SLOW) < 0;
    boolean isQuietData = kind == Subjects.Kind.DATA && isQuiet;
    if (!exports || ended == null || !ended.sampled || isQuietData) {
      return List.of();
    }
    String own = processSpanId(id, component);
    Map<String, String> attributes = attributes("process", subject, id);
    String name = "process " + attributes.get("messaging.destination.template");
    List<Span> spans = new ArrayList<>();
    spans.add(
        new Span(
            name, false, ended.id, own, ended.span, "", "", start, end, attributes, failure));
    events.forEach(each -> spans.add(span(each, ended.id, own)));
    return spans;
  }

  private Span span(Sent sent, String handledTrace, String handling) {
    Map<String, String> attributes = attributes("send", sent.subject, sent.id);
    String symbol = Subjects.text(sent.event, "symbol");
    String order =
        sent.event instanceof OrderEvent ? sent.id : Subjects.text(sent.event, "order_id");
    if (!order.isEmpty()) {
      attributes.put("ingenium.order.id", order);
    }
    if (!symbol.isEmpty()) {
      attributes.put("ingenium.symbol", symbol);
    }
    boolean isLater = sent.event instanceof ExecutionEvent && !order.isEmpty() && !order.equals(id);
    return new Span(
        "send " + attributes.get("messaging.destination.template"),
        true,
        sent.trace.id,
        sent.trace.span,
        isLater ? processSpanId(order, component) : handling,
        isLater ? handledTrace : "",
        isLater ? handling : "",
        sent.at,
        sent.at,
        attributes,
        null);
  }

  private Map<String, String> attributes(String operation, String subject, String id) {
    boolean isData = subject.startsWith(Subjects.DATA);
    Map<String, String> attributes = new LinkedHashMap<>();
    attributes.put("messaging.system", "nats");
    attributes.put("messaging.operation.name", operation);
    attributes.put("messaging.operation.type", operation);
    attributes.put("messaging.destination.name", subject);
    attributes.put(
        "messaging.destination.template", isData ? Subjects.DATA + "{symbol}" : subject);
    attributes.put("messaging.message.id", id);
    attributes.put("messaging.client.id", component);
    attributes.put("ingenium.component", component);
    attributes.put("ingenium.role", role);
    return attributes;
  }

  /** The header of an event that is sent, null without any; an execution is in its order's trace. */
  String headerOf(Message event, String id, String subject) {
    Trace found = trace;
    if (event instanceof ExecutionEvent execution) {
      found = orders.getOrDefault(execution.getOrderId(), trace);
    }
    if (found == null || id.isEmpty()) {
      return null;
    }
    Trace own = new Trace(found.id, sendSpanId(id), found.sampled);
    if (exports && trace != null) {
      sent.add(new Sent(event, subject, id, own, Instant.now()));
    }
    return "00-" + own.id + "-" + own.span + (own.sampled ? "-01" : "-00");
  }

  private static Trace parse(String header) {
    Matcher form = FORM.matcher(header.strip());
    if (!form.matches()) {
      return null;
    }
    boolean isOdd = form.group(1).equals("ff") || form.group(1).equals("00") && form.group(5) != null;
    if (isOdd || form.group(2).matches("0+") || form.group(3).matches("0+")) {
      return null;
    }
    return new Trace(form.group(2), form.group(3), (Integer.parseInt(form.group(4), 16) & 1) == 1);
  }

  private static String digest(String text) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      return HexFormat.of().formatHex(digest.digest(text.getBytes(StandardCharsets.UTF_8)));
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException(impossible);
    }
  }
}
