/// The relative strength index after Wilder, one close at a time: the same numbers as
/// ingenium.indicators.Rsi in Python, to the last bit.
pub struct Rsi {
    period: f64,
    missing: u32,
    last: f64,
    gain: f64,
    loss: f64,
}

impl Rsi {
    /// An index over a number of closes.
    pub fn new(period: u32) -> Self {
        Rsi { period: period.into(), missing: period + 1, last: 0.0, gain: 0.0, loss: 0.0 }
    }

    /// Takes a close and returns the index, NaN until one close more than the period has come.
    pub fn update(&mut self, close: f64) -> f64 {
        let change = close - self.last;
        self.last = close;
        if self.missing > 0 {
            return self.warm(change);
        }
        let keep = self.period - 1.0;
        self.gain = (self.gain * keep + change.max(0.0)) / self.period;
        self.loss = (self.loss * keep + (-change).max(0.0)) / self.period;
        self.value()
    }

    fn warm(&mut self, change: f64) -> f64 {
        self.missing -= 1;
        // The first close has none before it, so no change.
        if f64::from(self.missing) < self.period {
            self.gain += change.max(0.0);
            self.loss += (-change).max(0.0);
        }
        if self.missing > 0 {
            return f64::NAN;
        }
        self.gain /= self.period;
        self.loss /= self.period;
        self.value()
    }

    fn value(&self) -> f64 {
        let total = self.gain + self.loss;
        if total == 0.0 { 50.0 } else { 100.0 * self.gain / total }
    }
}

#[cfg(test)]
mod tests {
    use super::Rsi;

    #[test]
    fn update_gives_wilders_numbers_worked_by_hand() {
        let mut index = Rsi::new(2);
        assert!(index.update(10.0).is_nan());
        assert!(index.update(11.0).is_nan());
        assert_eq!(index.update(13.0), 100.0); // gains 1 and 2, no loss
        assert_eq!(index.update(12.0), 60.0); // gain 1.5 -> 0.75, loss 0 -> 0.5
        assert_eq!(index.update(12.0), 60.0); // both halve
    }

    #[test]
    fn update_of_a_flat_market_is_50() {
        let mut index = Rsi::new(2);
        let last = [7.0; 4].map(|close| index.update(close))[3];
        assert_eq!(last, 50.0);
    }
}
