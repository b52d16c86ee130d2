package com.example.rsi;

import io.github.markwinter.ingenium.Component;
import io.github.markwinter.ingenium.Signal;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** An RSI strategy on the Java library of this repository, a full member of a replay. */
public final class Main {
  private static final int PERIOD = 2;
  private static final double BUY_BELOW = 5;
  private static final double SELL_ABOVE = 95;

  public static void main(String[] symbols) throws Exception {
    if (symbols.length == 0) {
      System.err.println("no symbols: pass them, such as AAPL IBM");
      System.exit(2);
    }
    Map<String, Rsi> indexes = new HashMap<>();
    Component.Builder strategy =
        Component.strategy("rsi")
            .onBar(
                List.of(symbols),
                (bar, out) -> {
                  Rsi index = indexes.computeIfAbsent(bar.symbol(), symbol -> new Rsi(PERIOD));
                  double value = index.update(bar.close());
                  if (value < BUY_BELOW) {
                    out.signal(bar.symbol(), Signal.LONG);
                  } else if (value > SELL_ABOVE) {
                    out.signal(bar.symbol(), Signal.SHORT);
                  }
                });
    // Without a collector, nothing of OpenTelemetry is loaded.
    if (System.getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != null
        || System.getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != null) {
      Spans.export(strategy);
    }
    strategy.run();
  }
}
