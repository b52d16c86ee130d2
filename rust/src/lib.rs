//! Components of Ingenium apps in Rust: a strategy, or any other part that subscribes to the bus and
//! publishes on it.
//!
//! The crate reads the settings that `ingenium run` gives to its programs, chooses symbols, reads and
//! writes both forms of the wire format, makes ids and headers, keeps in step with replays, and stops
//! without losing anything.
#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod bar;
mod cause;
mod command;
mod component;
mod events;
mod ids;
pub mod json;
mod member;
mod pause;
mod publisher;
mod run;
mod service;
mod settings;
mod status;
mod subjects;
mod trace;
/// The types that `buf generate` makes of the schemas of the bus.
#[path = "../gen/ingenium/v1/ingenium.v1.rs"]
#[allow(clippy::all, missing_docs)]
pub mod v1;

pub use bar::{Bar, format_decimal, parse_decimal, parse_period};
pub use component::{Component, Role};
pub use events::Event;
pub use ids::make_id;
pub use publisher::{Outbox, Publisher};
pub use run::run_strategy;
pub use settings::Settings;
pub use subjects::{check_symbol, data_subject};
pub use trace::{Span, process_span_id, send_span_id, trace_id};

/// What goes wrong, in words.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// A signal to be long.
pub const LONG: &str = "ingenium.signal.long";
/// A signal to be short.
pub const SHORT: &str = "ingenium.signal.short";
/// A signal to hold nothing.
pub const FLAT: &str = "ingenium.signal.flat";
