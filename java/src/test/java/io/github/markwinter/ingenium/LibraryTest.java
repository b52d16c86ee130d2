package io.github.markwinter.ingenium;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.util.Timestamps;
import io.github.markwinter.ingenium.v1.DataEvent;
import io.github.markwinter.ingenium.v1.ExecutionEvent;
import io.github.markwinter.ingenium.v1.Ohlc;
import io.github.markwinter.ingenium.v1.OrderEvent;
import io.github.markwinter.ingenium.v1.SignalEvent;
import io.nats.client.Message;
import io.nats.client.impl.NatsMessage;
import java.math.BigDecimal;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class LibraryTest {
  /** The ids are those that ingenium.ids.make_id gives in Python. */
  @Test
  void idsAreThoseOfThePythonSdk() {
    assertEquals("signal_1m2iPYBGUAWA0m057rxICiJwAqw", Ids.make("signal", "rsi", "data_1", "0"));
    assertEquals("signal_eEJzEHqagye5JVXykGJTcu0u6ho", Ids.make("signal", "r\\si", "data_1", "0"));
    assertEquals("signal_pC0GpIDnG6n83PjeQ9giroVsxWP", Ids.make("signal", "r\u001fsi", "data_1", "0"));
    assertNotEquals(Ids.random("order"), Ids.random("order"));
  }

  /** The table of docs/wire-format.md. */
  @Test
  void dataSubjectIsThatOfTheWireFormat() {
    Map.of(
            "BRK.B", "brk.b", "EUR/USD", "eur/usd", "^GSPC", "^gspc", "ES=F", "es=f",
            "BRK B", "brk%20b", "ES Z4", "es%20z4", "BRK%20B", "brk%2520b")
        .forEach(
            (symbol, part) -> assertEquals("ingenium.ingestor.data." + part, Subjects.data(symbol)));
    for (String symbol :
        List.of("", " A", "A ", "A\tB", "A*", ">", ".A", "A..B", "A".repeat(65))) {
      assertThrows(IllegalArgumentException.class, () -> Subjects.data(symbol), symbol);
    }
  }

  @Test
  void coversAsNatsDoes() {
    assertTrue(Subjects.covers("a.b", "a.b"));
    assertFalse(Subjects.covers("a.b", "a.b.c"));
    assertFalse(Subjects.covers("a.b.c", "a.b"));
    assertTrue(Subjects.covers("a.*", "a.b"));
    assertFalse(Subjects.covers("a.*", "a.b.c"));
    assertTrue(Subjects.covers("a.>", "a.b.c"));
    assertFalse(Subjects.covers("a.>", "a"));
    assertFalse(Subjects.covers("a.*", "a.>"));
    assertTrue(Subjects.covers("a.>", "a.*"));
  }

  @Test
  void patternsCountWhatReplayCountsAndNothingTwice() {
    Routes routes = new Routes();
    routes.add(Subjects.data("AAPL"), DataEvent.getDefaultInstance(), (event, out) -> {});
    routes.add("ingenium.portfolio.order", OrderEvent.getDefaultInstance(), (event, out) -> {});
    assertEquals(
        Set.of("ingenium.ingestor.data.aapl", "ingenium.portfolio.*"),
        routes.patterns(Role.EXECUTOR));
    assertEquals(
        Set.of("ingenium.ingestor.data.>", Subjects.SIGNAL, Subjects.EXECUTION),
        new Routes().patterns(Role.PORTFOLIO));
  }

  @Test
  void decimals() {
    assertEquals(0, new BigDecimal("0.00001").compareTo(Bar.parseDecimal("1e-05")));
    assertEquals("0.00001", Bar.formatDecimal(new BigDecimal("1e-5")));
    for (String text : List.of("", "NaN", "Infinity", "0x10", "1_000", " 1", "1,5", "1d")) {
      assertThrows(NumberFormatException.class, () -> Bar.parseDecimal(text), text);
    }
  }

  @Test
  void barOfAnEvent() {
    DataEvent event =
        DataEvent.newBuilder()
            .setSymbol("AAPL")
            .setTimestamp("2024-01-03T14:30:00.5+01:00")
            .setOhlc(Ohlc.newBuilder().setOpen("1e2").setClose("101.5").setPeriod("1d"))
            .build();
    Bar bar = Bar.of(event, "AAPL");
    assertEquals(100, bar.open());
    assertEquals(101.5, bar.close());
    assertTrue(Double.isNaN(bar.high()));
    assertEquals(Instant.parse("2024-01-03T13:30:00.5Z"), bar.time());
    assertEquals(Duration.ofDays(1), bar.period());
    assertThrows(
        NumberFormatException.class, () -> Bar.of(DataEvent.getDefaultInstance(), "AAPL"));
  }

  @Test
  void periods() {
    assertEquals(Duration.ofMinutes(5), Bar.parsePeriod("5m"));
    assertEquals(Duration.ofDays(7), Bar.parsePeriod("1w"));
    assertEquals(Duration.ofMillis(250), Bar.parsePeriod("250ms"));
    for (String text : List.of("", "m", "0m", "-5m", "1mo", "what")) {
      assertEquals(Duration.ZERO, Bar.parsePeriod(text), text);
    }
  }

  @Test
  void caseOfSymbolCountsWhereTheSenderSaysWhoItIs() {
    assertEquals("AAPL", Routes.choose(List.of("AAPL"), "AAPL", "csv"));
    assertEquals(null, Routes.choose(List.of("AAPL"), "aapl", "csv"));
    assertEquals("AAPL", Routes.choose(List.of("AAPL"), "aapl", ""));
    assertEquals(null, Routes.choose(List.of("AAPL"), "IBM", ""));
  }

  @Test
  void causeGivesIdAndTime() throws Exception {
    Cause cause = new Cause();
    Object message = new Object();
    DataEvent event =
        DataEvent.newBuilder().setId("data_1").setTimestamp("2024-01-03T14:30:00Z").build();
    SignalEvent signal = SignalEvent.newBuilder().setSymbol("AAPL").build();
    cause.begin(message, event, new byte[0]);
    SignalEvent first = (SignalEvent) cause.complete("rsi", signal);
    cause.begin(message, event, new byte[0]); // a second handler of the same message
    SignalEvent second = (SignalEvent) cause.complete("rsi", signal);
    assertEquals("signal_1m2iPYBGUAWA0m057rxICiJwAqw", first.getId());
    assertNotEquals(first.getId(), second.getId());
    assertEquals(Timestamps.parse("2024-01-03T14:30:00Z"), first.getTimestamp());
    DataEvent nameless = DataEvent.newBuilder().setTimestamp("2024-01-03T14:30:00Z").build();
    cause.begin(new Object(), nameless, "{}".getBytes());
    SignalEvent third = (SignalEvent) cause.complete("rsi", signal);
    assertEquals(Ids.make("signal", "rsi", "cause_446OyRgkD2u7526qVhsSscZL9Kf", "0"), third.getId());
    SignalEvent given = signal.toBuilder().setId("signal_mine").build();
    assertEquals("signal_mine", ((SignalEvent) cause.complete("rsi", given)).getId());
  }

  @Test
  void messagesAreReadInTheFormThatTheySayTheyHave() throws Exception {
    SignalEvent event = SignalEvent.newBuilder().setSymbol("AAPL").setSignal(Signal.LONG).build();
    for (String form : List.of(Codec.JSON, Codec.BINARY)) {
      SignalEvent.Builder read = SignalEvent.newBuilder();
      Codec.read(List.of(form + "; charset=utf-8"), Codec.write(form, event), read);
      assertEquals(event, read.build());
    }
    for (List<String> forms : List.of(List.of("text/plain"), List.of(Codec.JSON, Codec.BINARY))) {
      assertThrows(
          InvalidProtocolBufferException.class,
          () -> Codec.read(forms, "{}".getBytes(), SignalEvent.newBuilder()));
    }
  }

  @Test
  void passwordsAreNotSentInTheClear() {
    for (String server : List.of("nats://127.0.0.1:4222", "localhost", "tls://nats.example.com")) {
      Settings.from(Map.of("NATS_SERVER", server), "rsi").check();
    }
    for (String server : List.of("nats://u:secret@nats.example.com", "127.0.0.1,other:4222")) {
      Settings settings = Settings.from(Map.of("NATS_SERVER", server), "rsi");
      Exception error = assertThrows(IllegalArgumentException.class, settings::check);
      assertFalse(error.getMessage().contains("secret"));
    }
    Settings.from(Map.of("NATS_SERVER", "far:4222", "INGENIUM_ALLOW_PLAINTEXT", "1"), "rsi").check();
    Settings odd = Settings.from(Map.of("INGENIUM_CONTENT_TYPE", "text/plain"), "rsi");
    assertThrows(IllegalArgumentException.class, odd::check);
  }

  // By sha256sum of tracedata_1, senddata_1 and processdata_1/rsi.
  @Test
  void idsOfTracesAreThoseOfThePythonSdk() {
    assertEquals("6ba620671ab28e8cd89e939a87019563", Traces.traceId("data_1"));
    assertEquals("cf4e0bbc18bc0096", Traces.sendSpanId("data_1"));
    assertEquals("efd9d9ef622ef158", Traces.processSpanId("data_1", "rsi"));
  }

  private static final String TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
  private static final String SPAN = "00f067aa0ba902b7";
  private static final String HEADER = "00-" + TRACE + "-" + SPAN + "-01";
  private static final OrderEvent ORDER = OrderEvent.newBuilder().setId("order_1").build();
  private static final DataEvent BAR = DataEvent.getDefaultInstance();

  @Test
  void whatIsSentIsInTheTraceOfItsCauseAndAnExecutionInThatOfItsOrder() {
    String other = "5" + TRACE.substring(1);
    Traces traces = new Traces("ex", "executor", false);
    SignalEvent signal = SignalEvent.getDefaultInstance();
    ExecutionEvent fill = ExecutionEvent.newBuilder().setOrderId("order_1").build();
    assertNull(traces.headerOf(signal, "data_1", Subjects.SIGNAL));
    traces.begin(HEADER, ORDER, "order_1");
    String expected = "00-" + TRACE + "-cf4e0bbc18bc0096-01";
    assertEquals(expected, traces.headerOf(signal, "data_1", Subjects.SIGNAL));
    traces.end("ingenium.portfolio.order", Subjects.Kind.ORDER, Instant.now(), null);
    for (String header : List.of("", "nonsense", "ff-" + HEADER.substring(3), HEADER + "-more")) {
      traces.begin(header, BAR, "data_9");
      assertNull(traces.headerOf(signal, "data_1", Subjects.SIGNAL));
    }
    traces.begin("00-" + other + "-" + SPAN + "-00", BAR, "data_9");
    String unsampled = "00-" + other + "-cf4e0bbc18bc0096-00";
    assertEquals(unsampled, traces.headerOf(signal, "data_1", Subjects.SIGNAL));
    assertEquals(expected, traces.headerOf(fill, "data_1", Subjects.EXECUTION));
  }

  @Test
  void spanOfAnExecutionHasTheHandlingOfItsOrderAsParentAndALinkToItsCause() {
    Traces traces = new Traces("ex", "executor", true);
    Exception failure = new IllegalStateException("no market");
    traces.begin(HEADER, ORDER, "order_1");
    List<Span> ordered =
        traces.end("ingenium.portfolio.order", Subjects.Kind.ORDER, Instant.now(), failure);
    // A bar of another trace fills it.
    traces.begin(null, BAR, "data_9");
    ExecutionEvent fill =
        ExecutionEvent.newBuilder().setOrderId("order_1").setSymbol("AAPL").build();
    traces.headerOf(fill, "exec_1", Subjects.EXECUTION);
    List<Span> filled =
        traces.end(Subjects.data("AAPL"), Subjects.Kind.DATA, Instant.now(), null);
    assertEquals(List.of(1, 2), List.of(ordered.size(), filled.size()));
    Span order = ordered.get(0);
    Span bar = filled.get(0);
    Span execution = filled.get(1);
    assertEquals(failure, order.error());
    assertEquals(
        List.of(TRACE, Traces.processSpanId("order_1", "ex"), SPAN),
        List.of(order.traceId(), order.spanId(), order.parentId()));
    assertEquals("process ingenium.ingestor.data.{symbol}", bar.name());
    assertEquals(
        List.of(Traces.traceId("data_9"), Traces.sendSpanId("data_9")),
        List.of(bar.traceId(), bar.parentId()));
    assertEquals(
        List.of(TRACE, Traces.sendSpanId("exec_1"), order.spanId()),
        List.of(execution.traceId(), execution.spanId(), execution.parentId()));
    assertEquals(
        List.of(bar.traceId(), bar.spanId()),
        List.of(execution.linkTraceId(), execution.linkSpanId()));
    assertEquals("order_1", execution.attributes().get("ingenium.order.id"));
    assertEquals("AAPL", execution.attributes().get("ingenium.symbol"));
  }

  @Test
  void quietMarketDataAndTracesThatAreNotSampledHaveNoSpans() {
    Traces traces = new Traces("rsi", "strategy", true);
    String subject = Subjects.data("AAPL");
    traces.begin(null, BAR, "data_1");
    assertEquals(List.of(), traces.end(subject, Subjects.Kind.DATA, Instant.now(), null));
    traces.begin("00-" + TRACE + "-" + SPAN + "-00", BAR, "data_2");
    Exception failure = new IllegalStateException("broken");
    assertEquals(List.of(), traces.end(subject, Subjects.Kind.DATA, Instant.now(), failure));
  }

  @Test
  void pausedComponentHoldsBackWhatIsNotMarketDataInOrder() {
    Pause pause = new Pause();
    Message order = NatsMessage.builder().subject("ingenium.portfolio.order").build();
    Message bar = NatsMessage.builder().subject(Subjects.data("AAPL")).build();
    assertFalse(pause.holds(order, Subjects.Kind.ORDER));
    pause.set(true);
    assertTrue(pause.holds(bar, Subjects.Kind.DATA));
    assertTrue(pause.holds(order, Subjects.Kind.ORDER));
    assertEquals(1, pause.waiting());
    assertNull(pause.next());
    pause.set(false);
    assertEquals(order, pause.next());
    assertNull(pause.next());
  }
}
