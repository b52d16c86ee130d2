//! Ids of events, as the Python SDK makes them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

const LENGTH: usize = 27;
const BORDER: &str = "\x1f";
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Makes the id of an event from its cause, as the Python SDK does: a run that is repeated makes the
/// same ids.
pub fn make_id(prefix: &str, cause: &[&str]) -> String {
    let mut text = cause.join(BORDER);
    if text.contains('\\') || text.matches(BORDER).count() >= cause.len() {
        let parts: Vec<String> =
            cause.iter().map(|part| part.replace('\\', "\\\\").replace(BORDER, "\\b")).collect();
        text = format!("\\{}", parts.join(BORDER));
    }
    let hash = Sha256::digest(text.as_bytes());
    let letters: String =
        hash[..LENGTH].iter().map(|byte| char::from(ALPHABET[usize::from(*byte) % 62])).collect();
    format!("{prefix}_{letters}")
}

/// Makes an id for an event that follows from no other; never the same twice.
pub(crate) fn unique_id(prefix: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let machine = std::fs::read("/proc/sys/kernel/random/uuid").unwrap_or_default();
    make_id(
        prefix,
        &[
            "unique",
            &now.to_string(),
            &std::process::id().to_string(),
            &COUNT.fetch_add(1, Ordering::Relaxed).to_string(),
            &String::from_utf8_lossy(&machine),
        ],
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ids are those that ingenium.ids.make_id gives in Python.
    #[test]
    fn ids_are_those_of_the_python_sdk() {
        assert_eq!(make_id("signal", &["rsi", "data_1", "0"]), "signal_1m2iPYBGUAWA0m057rxICiJwAqw");
        assert_eq!(make_id("signal", &["r\\si", "data_1", "0"]), "signal_eEJzEHqagye5JVXykGJTcu0u6ho");
        assert_eq!(make_id("signal", &["r\x1fsi", "data_1", "0"]), "signal_pC0GpIDnG6n83PjeQ9giroVsxWP");
        assert_eq!(make_id("cause", &["{}", "2024-01-03T14:30:00Z", "1"]), "cause_446OyRgkD2u7526qVhsSscZL9Kf");
    }

    #[test]
    fn unique_ids_differ() {
        assert_ne!(unique_id("order"), unique_id("order"));
    }
}
