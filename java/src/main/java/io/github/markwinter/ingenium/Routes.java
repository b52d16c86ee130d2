package io.github.markwinter.ingenium;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import io.nats.client.impl.Headers;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The handlers of a component by the subjects that they are for. */
final class Routes {
  /** Handles a message as it has arrived. */
  interface Route {
    void take(Component component, io.nats.client.Message message) throws Exception;
  }

  private record Wild(String pattern, Route route) {}

  private final Map<String, List<Route>> exact = new HashMap<>();
  private final List<Wild> wild = new ArrayList<>();

  <T extends Message> void add(String pattern, T type, Handler<Arrived<T>> handler) {
    Route route =
        (component, message) -> {
          T event = read(component, message, type);
          if (event != null) {
            component.begin(message, event);
            handler.handle(new Arrived<>(event, source(message)), component);
          }
        };
    if (pattern.contains("*") || pattern.contains(">")) {
      wild.add(new Wild(pattern, route));
    } else {
      exact.computeIfAbsent(pattern, none -> new ArrayList<>()).add(route);
    }
  }

  @SuppressWarnings("unchecked")
  private static <T extends Message> T read(
      Component component, io.nats.client.Message message, T type) {
    Message.Builder builder = type.newBuilderForType();
    try {
      Headers headers = message.getHeaders();
      Codec.read(headers == null ? null : headers.get("Content-Type"), message.getData(), builder);
      return (T) builder.build();
    } catch (InvalidProtocolBufferException error) {
      System.err.println(
          "passed over what cannot be read on " + message.getSubject() + ": " + error.getMessage());
      component.report.countUnreadable(error.getMessage());
      return null;
    }
  }

  private static String source(io.nats.client.Message message) {
    String source = message.getHeaders() == null ? null : message.getHeaders().getFirst("Ingenium-Source");
    return source == null ? "" : source;
  }

  /** Lets all handlers of a subject handle a message. */
  void dispatch(Component component, String subject, io.nats.client.Message message)
      throws Exception {
    for (Route route : exact.getOrDefault(subject, List.of())) {
      route.take(component, message);
    }
    for (Wild each : wild) {
      if (Subjects.covers(each.pattern(), subject)) {
        each.route().take(component, message);
      }
    }
  }

  /** The subjects to subscribe to, without those that others cover. */
  Set<String> patterns(Role role) {
    Set<String> all = new LinkedHashSet<>(exact.keySet());
    Set<String> wilds = new LinkedHashSet<>();
    wild.forEach(each -> wilds.add(each.pattern()));
    // A replay counts what these roles have handled, whether they have a handler for it or not.
    if (role == Role.EXECUTOR) {
      wilds.add(Subjects.PORTFOLIO);
    } else if (role == Role.PORTFOLIO) {
      all.addAll(List.of(Subjects.SIGNAL, Subjects.EXECUTION));
    }
    all.addAll(wilds);
    boolean hasData = all.stream().anyMatch(pattern -> pattern.startsWith(Subjects.DATA));
    if (!hasData && (role == Role.EXECUTOR || role == Role.PORTFOLIO)) {
      all.add(Subjects.DATA + ">");
    }
    all.removeIf(
        pattern ->
            wilds.stream().anyMatch(w -> !w.equals(pattern) && Subjects.covers(w, pattern)));
    return all;
  }

  /**
   * Returns a symbol as it was asked for, or {@code null}. Only where a sender does not say who it is,
   * as the original Go library, the case of a symbol does not count.
   */
  static String choose(List<String> symbols, String symbol, String source) {
    if (symbols.isEmpty() || symbols.contains(symbol)) {
      return symbol;
    }
    if (!source.isEmpty()) {
      return null;
    }
    return symbols.stream().filter(symbol::equalsIgnoreCase).findFirst().orElse(null);
  }
}
