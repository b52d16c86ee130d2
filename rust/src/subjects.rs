//! Subjects of the bus.

use crate::Error;

pub(crate) const DATA: &str = "ingenium.ingestor.data.";
pub(crate) const SIGNAL: &str = "ingenium.strategy.signal";
pub(crate) const PORTFOLIO: &str = "ingenium.portfolio.*";
pub(crate) const EXECUTION: &str = "ingenium.executor.execution";
const LONGEST: usize = 64;

/// What the reports of a replay count.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Kind {
    Data,
    Signal,
    Order,
    Execution,
    Other,
}

impl Kind {
    pub(crate) fn of(subject: &str) -> Kind {
        if subject.starts_with(DATA) {
            Kind::Data
        } else if subject == SIGNAL {
            Kind::Signal
        } else if subject.starts_with("ingenium.portfolio.") {
            Kind::Order
        } else if subject == EXECUTION {
            Kind::Execution
        } else {
            Kind::Other
        }
    }
}

/// Returns the subject of a symbol's market data.
pub fn data_subject(symbol: &str) -> Result<String, Error> {
    check_symbol(symbol)?;
    // Letter by letter, as Go does.
    let lower: Vec<char> = symbol
        .chars()
        .map(|letter| letter.to_lowercase().next().unwrap_or(letter))
        .collect();
    let is_hex = |letter: Option<&char>| {
        letter.is_some_and(|letter| matches!(letter, '0'..='9' | 'a'..='f'))
    };
    let mut part = String::new();
    for (place, letter) in lower.iter().enumerate() {
        match letter {
            ' ' => part.push_str("%20"),
            // It would be read as an escaped letter.
            '%' if is_hex(lower.get(place + 1)) && is_hex(lower.get(place + 2)) => {
                part.push_str("%25");
            }
            letter => part.push(*letter),
        }
    }
    Ok(format!("{DATA}{part}"))
}

/// Returns an error for a symbol that cannot be part of a subject.
pub fn check_symbol(symbol: &str) -> Result<(), Error> {
    let problem = if symbol.is_empty() {
        "is empty"
    } else if symbol.chars().count() > LONGEST {
        "has more than 64 characters"
    } else if symbol.contains(['*', '>']) {
        "holds * or >, which means other subjects to NATS"
    } else if symbol.chars().any(|c| c != ' ' && (c.is_whitespace() || c.is_control())) {
        "holds what no subject can hold"
    } else if symbol.trim() != symbol {
        "begins or ends with a space"
    } else if symbol.starts_with('.') || symbol.ends_with('.') || symbol.contains("..") {
        "has a leading, trailing or doubled dot"
    } else {
        return Ok(());
    };
    Err(format!("symbol {symbol:?} {problem}: use letters, digits and signs like . / ^ = _ : -")
        .into())
}

/// Whether a pattern has a subject, or all subjects of another pattern.
pub(crate) fn covers(pattern: &str, subject: &str) -> bool {
    let mut parts = subject.split('.');
    for each in pattern.split('.') {
        match (each, parts.next()) {
            (">", found) => return found.is_some(),
            (_, None | Some(">")) => return false,
            ("*", _) => {}
            (each, Some(part)) if each != part => return false,
            _ => {}
        }
    }
    parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of docs/wire-format.md.
    #[test]
    fn data_subject_is_that_of_the_wire_format() {
        for (symbol, part) in [
            ("BRK.B", "brk.b"),
            ("EUR/USD", "eur/usd"),
            ("^GSPC", "^gspc"),
            ("ES=F", "es=f"),
            ("BRK B", "brk%20b"),
            ("ES Z4", "es%20z4"),
            ("BRK%20B", "brk%2520b"),
        ] {
            assert_eq!(data_subject(symbol).unwrap(), format!("ingenium.ingestor.data.{part}"));
        }
        let long = "A".repeat(65);
        for symbol in ["", " A", "A ", "A\tB", "A*", ">", ".A", "A..B", &long] {
            assert!(data_subject(symbol).is_err(), "{symbol:?}");
        }
    }

    #[test]
    fn covers_as_nats_does() {
        for (pattern, subject, expected) in [
            ("a.b", "a.b", true),
            ("a.b", "a.c", false),
            ("a.b", "a.b.c", false),
            ("a.b.c", "a.b", false),
            ("a.*", "a.b", true),
            ("a.*", "a.b.c", false),
            ("a.>", "a.b.c", true),
            ("a.>", "a", false),
            ("a.*", "a.>", false),
            ("a.>", "a.*", true),
        ] {
            assert_eq!(covers(pattern, subject), expected, "{pattern} {subject}");
        }
    }
}
