//! Bars, and the numbers, times and lengths in them.

use std::time::Duration;

use prost_types::Timestamp;

use crate::Error;
use crate::v1::DataEvent;

/// The market data of one symbol over one length of time.
#[derive(Clone, Debug)]
pub struct Bar {
    /// The symbol as the component asked for it.
    pub symbol: String,
    /// The first price; like the other numbers for indicators, and NaN where the sender left it out.
    /// The exact texts are in `event`.
    pub open: f64,
    /// The highest price.
    pub high: f64,
    /// The lowest price.
    pub low: f64,
    /// The last price, which is always there.
    pub close: f64,
    /// What was traded.
    pub volume: f64,
    /// When the bar was known; `None` when the sender did not say so.
    pub time: Option<Timestamp>,
    /// The length of the bar; `None` when the sender did not state one of fixed length.
    pub period: Option<Duration>,
    /// What arrived.
    pub event: DataEvent,
}

impl Bar {
    /// Reads the bar of an event; an error says what cannot be read.
    pub fn new(event: DataEvent) -> Result<Bar, Error> {
        let ohlc = event.ohlc.clone().unwrap_or_default();
        let number = |name: &str, text: &str| match text {
            "" if name != "Close" => Ok(f64::NAN),
            text => parse_decimal(text)
                .map_err(|error| format!("DataEvent.Ohlc.{name} of {}: {error}", event.symbol)),
        };
        Ok(Bar {
            symbol: event.symbol.clone(),
            open: number("Open", &ohlc.open)?,
            high: number("High", &ohlc.high)?,
            low: number("Low", &ohlc.low)?,
            close: number("Close", &ohlc.close)?,
            volume: number("Volume", &ohlc.volume)?,
            time: parse_time(&event.timestamp),
            period: parse_period(ohlc.period.as_deref().unwrap_or_default()),
            event,
        })
    }
}

/// Reads a price or quantity; an exponent is taken, infinity is not.
pub fn parse_decimal(text: &str) -> Result<f64, Error> {
    let is_plain = text.chars().all(|c| matches!(c, '0'..='9' | '.' | '+' | '-' | 'e' | 'E'));
    match text.parse::<f64>() {
        Ok(value) if is_plain && value.is_finite() => Ok(value),
        _ => Err(format!("expected a decimal number, found {text:?}").into()),
    }
}

/// Writes a number as the format has it: plainly, never with an exponent.
pub fn format_decimal(value: f64) -> Result<String, Error> {
    if value.is_finite() {
        Ok(value.to_string())
    } else {
        Err(format!("{value} is no price or quantity: it has to be finite").into())
    }
}

/// Reads the length of a bar, such as `5m` or `1d`, which is how the Python SDK writes it; `None` for
/// other texts and for months, which differ in length.
pub fn parse_period(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = text.split_at(digits);
    let micros: u64 = match unit {
        "us" => 1,
        "ms" => 1_000,
        "s" => 1_000_000,
        "m" => 60_000_000,
        "h" => 3_600_000_000,
        "d" => 86_400_000_000,
        "w" => 604_800_000_000,
        _ => return None,
    };
    let count: u64 = count.parse().ok().filter(|count| *count > 0)?;
    count.checked_mul(micros).map(Duration::from_micros)
}

/// Reads RFC 3339; a time without a zone is UTC, and year 1 is how Go writes that there is none.
pub(crate) fn parse_time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if text.starts_with("0001-01-01") {
        return None;
    }
    text.parse().or_else(|_| format!("{}Z", text.replace(' ', "T")).parse()).ok()
}

/// Writes RFC 3339 without zeros at the end of the fraction.
pub(crate) fn format_time(time: &Timestamp) -> String {
    let text = time.to_string();
    let text = text.trim_end_matches('Z');
    match text.split_once('.') {
        None => format!("{text}Z"),
        Some((whole, part)) => match part.trim_end_matches('0') {
            "" => format!("{whole}Z"),
            part => format!("{whole}.{part}Z"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::Ohlc;

    #[test]
    fn decimals() {
        for (text, value) in [("185.25", 185.25), ("1e-05", 0.00001), ("1E+6", 1e6), ("-3", -3.0)] {
            assert_eq!(parse_decimal(text).unwrap(), value);
        }
        for text in ["", "NaN", "inf", "0x10", "1_000", " 1", "1,5", "1e999"] {
            assert!(parse_decimal(text).is_err(), "{text:?}");
        }
        assert_eq!(format_decimal(0.00001).unwrap(), "0.00001");
        assert_eq!(format_decimal(1e21).unwrap(), "1000000000000000000000");
        assert!(format_decimal(f64::NAN).is_err());
    }

    #[test]
    fn periods() {
        let seconds = |text| parse_period(text).map(|length| length.as_secs());
        assert_eq!(seconds("5m"), Some(300));
        assert_eq!(seconds("1d"), Some(86_400));
        assert_eq!(seconds("1w"), Some(604_800));
        for text in ["", "m", "0m", "-5m", "1mo", "99999999999999999999d", "9999999999999999d"] {
            assert_eq!(parse_period(text), None, "{text:?}");
        }
    }

    #[test]
    fn bar_of_an_event() {
        let ohlc = Ohlc {
            open: "1e2".into(),
            close: "101.5".into(),
            period: Some("1d".into()),
            ..Default::default()
        };
        let bar = Bar::new(DataEvent {
            symbol: "AAPL".into(),
            timestamp: "2024-01-03T14:30:00.500+01:00".into(),
            ohlc: Some(ohlc),
            ..Default::default()
        })
        .unwrap();
        assert_eq!((bar.open, bar.close), (100.0, 101.5));
        assert!(bar.high.is_nan());
        assert_eq!(bar.period, Some(Duration::from_secs(86_400)));
        assert_eq!(format_time(&bar.time.unwrap()), "2024-01-03T13:30:00.5Z");
        assert!(Bar::new(DataEvent::default()).is_err());
    }

    #[test]
    fn times() {
        let read = |text| parse_time(text).map(|time| format_time(&time));
        assert_eq!(read("2024-01-03T14:30:00Z").as_deref(), Some("2024-01-03T14:30:00Z"));
        assert_eq!(read("2024-01-03 14:30:00").as_deref(), Some("2024-01-03T14:30:00Z"));
        assert_eq!(read("0001-01-01T00:00:00Z"), None);
        assert_eq!(read("yesterday"), None);
    }
}
