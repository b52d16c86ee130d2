package com.example.rsi;

import com.example.ingenium.v1.DataEvent;
import com.example.ingenium.v1.LockstepGrant;
import com.example.ingenium.v1.LockstepReport;
import com.example.ingenium.v1.SignalEvent;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageOrBuilder;
import com.google.protobuf.util.JsonFormat;
import com.google.protobuf.util.Timestamps;
import io.nats.client.Connection;
import io.nats.client.impl.Headers;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.text.ParseException;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;

/** Long when the index is low, short when it is high, on the types of {@code buf generate}. */
final class Strategy {
  private static final int PERIOD = 2;
  private static final double BUY_BELOW = 5;
  private static final double SELL_ABOVE = 95;

  // The format writes fields without presence even when they are empty.
  private static final JsonFormat.Printer WRITE =
      JsonFormat.printer().alwaysPrintFieldsWithNoPresence().omittingInsignificantWhitespace();
  // A later version may send fields that this program does not know.
  private static final JsonFormat.Parser READ = JsonFormat.parser().ignoringUnknownFields();

  private final Connection connection;
  private final String name;
  private final String app;
  private final Map<String, Rsi> symbols = new HashMap<>();
  private int dataHandled;
  private int signalsSent;

  Strategy(Connection connection, String name, String app, String[] symbols) {
    this.connection = connection;
    this.name = name;
    this.app = app;
    for (String symbol : symbols) {
      this.symbols.put(symbol, new Rsi(PERIOD));
    }
  }

  /** Puts the prefix before a subject that keeps apps on one server apart. */
  static String onServer(String subject) {
    String prefix = System.getenv("INGENIUM_PREFIX");
    return prefix == null || prefix.isEmpty() ? subject : prefix + "." + subject;
  }

  /** The subject of {@code "report"} or {@code "grant"}. */
  String controlSubject(String kind) {
    return onServer("_ingenium." + app + "." + kind);
  }

  /**
   * Whether a grant says that the replay is over. A strategy needs no other grant: it handles what
   * arrives. Step 0 asks who is there, and the report that follows is the answer.
   */
  boolean isEnd(byte[] payload) {
    LockstepGrant.Builder grant = LockstepGrant.newBuilder();
    return read(payload, grant) && grant.getEnd();
  }

  void handleData(byte[] payload) {
    dataHandled++;
    DataEvent.Builder event = DataEvent.newBuilder();
    if (!read(payload, event)) {
      return;
    }
    Rsi index = symbols.get(event.getSymbol());
    double price;
    try {
      price = Double.parseDouble(event.getOhlc().getClose());
    } catch (NumberFormatException none) {
      return;
    }
    if (index == null) {
      return;
    }
    double value = index.update(price);
    if (value < BUY_BELOW) {
      sendSignal(event, "ingenium.signal.long");
    } else if (value > SELL_ABOVE) {
      sendSignal(event, "ingenium.signal.short");
    }
  }

  /** Tells a replay what has been handled and sent, and why it cannot go on, if so. */
  void sendReport(String problem) {
    publish(
        controlSubject("report"),
        LockstepReport.newBuilder()
            .setComponent(name)
            .setRole("strategy")
            .setDataHandled(dataHandled)
            .setSignalsSent(signalsSent)
            .setError(problem));
  }

  private void sendSignal(DataEvent.Builder cause, String opinion) {
    SignalEvent.Builder event =
        SignalEvent.newBuilder()
            .setSymbol(cause.getSymbol())
            .setSignal(opinion)
            // An id that follows from the cause: a replay that is run again makes the same one.
            .setId("signal_" + hash(name + cause.getId() + opinion).substring(0, 27));
    try {
      // The time of the replay, not of this machine.
      event.setTimestamp(Timestamps.parse(cause.getTimestamp()));
    } catch (ParseException none) {
      event.clearTimestamp();
    }
    publish(onServer("ingenium.strategy.signal"), event);
    signalsSent++;
  }

  private void publish(String subject, MessageOrBuilder event) {
    try {
      byte[] payload = WRITE.print(event).getBytes(StandardCharsets.UTF_8);
      connection.publish(subject, new Headers().put("Ingenium-Source", name), payload);
    } catch (InvalidProtocolBufferException error) {
      throw new IllegalStateException("cannot write " + event, error);
    }
  }

  private static boolean read(byte[] payload, com.google.protobuf.Message.Builder event) {
    try {
      READ.merge(new String(payload, StandardCharsets.UTF_8), event);
      return true;
    } catch (InvalidProtocolBufferException error) {
      System.err.println("skipped what cannot be read: " + error.getMessage());
      return false;
    }
  }

  private static String hash(String text) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      return HexFormat.of().formatHex(digest.digest(text.getBytes(StandardCharsets.UTF_8)));
    } catch (NoSuchAlgorithmException impossible) {
      throw new IllegalStateException(impossible);
    }
  }
}
