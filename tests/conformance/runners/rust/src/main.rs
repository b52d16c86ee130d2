//! The conformance runner on types and JSON of the Rust library, which reads and writes with
//! prost-reflect: docs/conformance.md tells the protocol.

#[path = "../../../../../rust/src/json.rs"]
#[allow(dead_code)]
mod json;
#[path = "../../../../../rust/gen/ingenium/v1/ingenium.v1.rs"]
#[allow(clippy::all, dead_code)]
mod v1;

/// As in the library.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

use std::io::{BufRead, Write, stdin, stdout};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::{Message, Name};
use serde_json::{Value, json};

use v1::{
    CancelEvent, ControlEvent, DataEvent, DeadLetterEvent, DenialEvent, ExecutionEvent, OrderEvent,
    ReplaceEvent, SignalEvent,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = stdout().lock();
    for line in stdin().lock().lines() {
        let question: Value = serde_json::from_str(&line?)?;
        let payload = STANDARD.decode(question["payload"].as_str().ok_or("no payload")?)?;
        let mut result = match question["event"].as_str().ok_or("no event")? {
            "DataEvent" => answer::<DataEvent>(&payload),
            "SignalEvent" => answer::<SignalEvent>(&payload),
            "OrderEvent" => answer::<OrderEvent>(&payload),
            "CancelEvent" => answer::<CancelEvent>(&payload),
            "ReplaceEvent" => answer::<ReplaceEvent>(&payload),
            "ExecutionEvent" => answer::<ExecutionEvent>(&payload),
            "DenialEvent" => answer::<DenialEvent>(&payload),
            "ControlEvent" => answer::<ControlEvent>(&payload),
            "DeadLetterEvent" => answer::<DeadLetterEvent>(&payload),
            _ => json!({"verdict": "unknown"}),
        };
        result["id"] = question["id"].clone();
        writeln!(out, "{result}")?;
    }
    Ok(())
}

fn answer<T: Message + Name + Default>(payload: &[u8]) -> Value {
    let event: T = match json::read(payload) {
        Ok(event) => event,
        Err(error) => return json!({"verdict": "refused", "error": error.to_string()}),
    };
    let binary = STANDARD.encode(event.encode_to_vec());
    match json::write(&event) {
        Ok(text) => json!({"verdict": "accepted", "binary": binary, "json": STANDARD.encode(text)}),
        Err(error) => json!({"verdict": "accepted", "binary": binary, "error": error.to_string()}),
    }
}
