package io.github.markwinter.ingenium;

import com.google.protobuf.Message;
import io.github.markwinter.ingenium.v1.ExecutionEvent;
import io.github.markwinter.ingenium.v1.OrderEvent;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Carries the W3C trace context of the handled event on to what is sent. */
public final class Traces {
  static final String TRACEPARENT = "traceparent";
  private static final int KEPT_ORDERS = 65_536;
  private static final Pattern FORM =
      Pattern.compile("([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?");

  private final Map<String, Trace> orders =
      new LinkedHashMap<>() {
        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Trace> eldest) {
          return size() > KEPT_ORDERS;
        }
      };
  private Trace trace;

  private record Trace(String id, boolean sampled) {}

  Traces() {}

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

  /** Begins with the header of an event; nothing is carried on where it has none. */
  void begin(String header, Message event) {
    trace = header == null ? null : parse(header);
    if (trace != null && event instanceof OrderEvent order) {
      orders.put(order.getId(), trace);
    }
  }

  void end() {
    trace = null;
  }

  /** The header of an event that is sent, null without any; an execution is in its order's trace. */
  String headerOf(Message event, String id) {
    Trace found = trace;
    if (event instanceof ExecutionEvent execution) {
      found = orders.getOrDefault(execution.getOrderId(), trace);
    }
    if (found == null || id.isEmpty()) {
      return null;
    }
    return "00-" + found.id + "-" + sendSpanId(id) + (found.sampled ? "-01" : "-00");
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
    return new Trace(form.group(2), (Integer.parseInt(form.group(4), 16) & 1) == 1);
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
