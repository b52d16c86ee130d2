package com.example.rsi;

/**
 * The relative strength index after Wilder, one close at a time: the same numbers as
 * ingenium.indicators.Rsi in Python, to the last bit.
 */
final class Rsi {
  private final double period;
  private int missing;
  private double last;
  private double gain;
  private double loss;

  Rsi(int period) {
    this.period = period;
    this.missing = period + 1;
  }

  /** Takes a close and returns the index, NaN until one close more than the period has come. */
  double update(double close) {
    double change = close - last;
    last = close;
    if (missing > 0) {
      return warm(change);
    }
    double keep = period - 1;
    if (change > 0) {
      gain = (gain * keep + change) / period;
      loss = loss * keep / period;
    } else {
      gain = gain * keep / period;
      loss = (loss * keep - change) / period;
    }
    return value();
  }

  private double warm(double change) {
    missing--;
    if (missing < period) { // the first close has none before it, so no change
      if (change > 0) {
        gain += change;
      } else {
        loss -= change;
      }
    }
    if (missing > 0) {
      return Double.NaN;
    }
    gain /= period;
    loss /= period;
    return value();
  }

  private double value() {
    double total = gain + loss;
    return total == 0 ? 50 : 100 * gain / total;
  }
}
