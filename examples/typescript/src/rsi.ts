/**
 * The relative strength index of one symbol after Wilder, one close at a time. It gives the same
 * numbers as ingenium.indicators.Rsi in Python, to the last bit.
 */
export class Rsi {
  private readonly period: number;
  private missing: number;
  private last = 0;
  private gain = 0;
  private loss = 0;

  /** An index over a number of closes. */
  constructor(period: number) {
    this.period = period;
    this.missing = period + 1;
  }

  /** Takes a close and returns the index, NaN until period + 1 closes have come. */
  update(close: number): number {
    const change = close - this.last;
    this.last = close;
    if (this.missing > 0) {
      return this.warm(change);
    }
    const keep = this.period - 1;
    if (change > 0) {
      this.gain = (this.gain * keep + change) / this.period;
      this.loss = (this.loss * keep) / this.period;
    } else {
      this.gain = (this.gain * keep) / this.period;
      this.loss = (this.loss * keep - change) / this.period;
    }
    return this.value();
  }

  private warm(change: number): number {
    this.missing--;
    // The first close has none before it, so no change.
    if (this.missing < this.period) {
      if (change > 0) {
        this.gain += change;
      } else {
        this.loss -= change;
      }
    }
    if (this.missing > 0) {
      return NaN;
    }
    this.gain /= this.period;
    this.loss /= this.period;
    return this.value();
  }

  private value(): number {
    const total = this.gain + this.loss;
    return total === 0 ? 50 : (100 * this.gain) / total;
  }
}
