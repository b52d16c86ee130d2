package io.github.markwinter.ingenium;

import java.util.Locale;

/** What a component does in its app. */
public enum Role {
  /** Sends market data. */
  INGESTOR,
  /** Turns market data into signals. */
  STRATEGY,
  /** Turns signals into orders. */
  PORTFOLIO,
  /** Turns orders into executions. */
  EXECUTOR;

  /** The word for it on the bus. */
  String word() {
    return name().toLowerCase(Locale.ROOT);
  }
}
