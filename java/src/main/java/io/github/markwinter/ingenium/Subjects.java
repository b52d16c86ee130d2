package io.github.markwinter.ingenium;

import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import java.util.Map;
import java.util.regex.Pattern;

/** Subjects of the bus. */
public final class Subjects {
  static final String DATA = "ingenium.ingestor.data.";
  static final String SIGNAL = "ingenium.strategy.signal";
  static final String PORTFOLIO = "ingenium.portfolio.*";
  static final String EXECUTION = "ingenium.executor.execution";
  private static final int LONGEST = 64;
  // It would be read as an escaped letter.
  private static final Pattern ESCAPED = Pattern.compile("%(?=[0-9a-f]{2})");

  /** What the reports of a replay count. */
  enum Kind {
    DATA,
    SIGNAL,
    ORDER,
    EXECUTION,
    OTHER;

    static Kind of(String subject) {
      if (subject.startsWith(Subjects.DATA)) {
        return DATA;
      } else if (subject.equals(Subjects.SIGNAL)) {
        return SIGNAL;
      } else if (subject.startsWith("ingenium.portfolio.")) {
        return ORDER;
      }
      return subject.equals(Subjects.EXECUTION) ? EXECUTION : OTHER;
    }
  }

  /** How the events of a type are called in an id, and the subject of all of them. */
  record Channel(String prefix, String pattern) {}

  private static final Map<String, Channel> CHANNELS =
      Map.of(
          "ingenium.v1.DataEvent", new Channel("data", DATA + ">"),
          "ingenium.v1.SignalEvent", new Channel("signal", SIGNAL),
          "ingenium.v1.OrderEvent", new Channel("order", "ingenium.portfolio.order"),
          "ingenium.v1.CancelEvent", new Channel("cancel", "ingenium.portfolio.cancel"),
          "ingenium.v1.ReplaceEvent", new Channel("order", "ingenium.portfolio.replace"),
          "ingenium.v1.ExecutionEvent", new Channel("exec", EXECUTION),
          "ingenium.v1.DenialEvent", new Channel("denial", "ingenium.risk.denial"),
          "ingenium.v1.ControlEvent", new Channel("control", "ingenium.control.trading"),
          "ingenium.v1.DeadLetterEvent", new Channel("dead", "ingenium.deadletter.>"));

  private Subjects() {}

  static Channel channelOf(Message event) {
    String name = event.getDescriptorForType().getFullName();
    Channel channel = CHANNELS.get(name);
    if (channel == null) {
      throw new IllegalArgumentException(
          name + " is no event of the bus: use publishTo and onSubject with a subject");
    }
    return channel;
  }

  static String of(Message event) {
    String pattern = channelOf(event).pattern();
    if (pattern.startsWith(DATA)) {
      return data(text(event, "symbol"));
    }
    return pattern.endsWith(".>")
        ? pattern.substring(0, pattern.length() - 1) + text(event, "component")
        : pattern;
  }

  /** Returns a field of a message; empty where it has no such text. */
  static String text(Message event, String name) {
    FieldDescriptor field = event.getDescriptorForType().findFieldByName(name);
    boolean isText =
        field != null && field.getJavaType() == FieldDescriptor.JavaType.STRING && !field.isRepeated();
    return isText ? (String) event.getField(field) : "";
  }

  /**
   * Returns the subject of a symbol's market data.
   *
   * @param symbol the symbol
   * @return its subject
   * @throws IllegalArgumentException the symbol cannot be part of a subject
   */
  public static String data(String symbol) {
    check(symbol);
    StringBuilder lower = new StringBuilder();
    symbol.codePoints().map(Character::toLowerCase).forEach(lower::appendCodePoint);
    return DATA + ESCAPED.matcher(lower).replaceAll("%25").replace(" ", "%20");
  }

  /**
   * Refuses a symbol that cannot be part of a subject.
   *
   * @param symbol the symbol
   * @throws IllegalArgumentException it cannot
   */
  public static void check(String symbol) {
    String problem = "";
    if (symbol.isEmpty()) {
      problem = "is empty";
    } else if (symbol.codePointCount(0, symbol.length()) > LONGEST) {
      problem = "has more than 64 characters";
    } else if (symbol.contains("*") || symbol.contains(">")) {
      problem = "holds * or >, which means other subjects to NATS";
    } else if (symbol.codePoints().anyMatch(Subjects::cannotBeHeld)) {
      problem = "holds what no subject can hold";
    } else if (symbol.startsWith(" ") || symbol.endsWith(" ")) {
      problem = "begins or ends with a space";
    } else if (symbol.startsWith(".") || symbol.endsWith(".") || symbol.contains("..")) {
      problem = "has a leading, trailing or doubled dot";
    }
    if (!problem.isEmpty()) {
      throw new IllegalArgumentException(
          "symbol '" + symbol + "' " + problem + ": use letters, digits and signs like . / ^ = _ : -");
    }
  }

  private static boolean cannotBeHeld(int letter) {
    return letter != ' '
        && (Character.isWhitespace(letter)
            || Character.isSpaceChar(letter)
            || Character.isISOControl(letter)
            || !Character.isDefined(letter)
            || Character.getType(letter) == Character.SURROGATE);
  }

  /** Whether a pattern has a subject, or all subjects of another pattern. */
  static boolean covers(String pattern, String subject) {
    String[] patterns = pattern.split("\\.", -1);
    String[] parts = subject.split("\\.", -1);
    for (int i = 0; i < patterns.length; i++) {
      if (patterns[i].equals(">")) {
        return parts.length > i;
      }
      if (i >= parts.length || parts[i].equals(">")) {
        return false;
      }
      if (!patterns[i].equals("*") && !patterns[i].equals(parts[i])) {
        return false;
      }
    }
    return patterns.length == parts.length;
  }
}
