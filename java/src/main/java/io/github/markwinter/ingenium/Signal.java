package io.github.markwinter.ingenium;

/** The words of a signal. */
public final class Signal {
  /** To be long. */
  public static final String LONG = "ingenium.signal.long";

  /** To be short. */
  public static final String SHORT = "ingenium.signal.short";

  /** To hold nothing. */
  public static final String FLAT = "ingenium.signal.flat";

  private Signal() {}
}
