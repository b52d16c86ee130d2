//! The event that is being handled: ids and times of what is sent follow from it.

use std::time::SystemTime;

use prost_types::Timestamp;

use crate::bar::format_time;
use crate::events::Event;
use crate::ids::{make_id, unique_id};

#[derive(Default)]
pub(crate) struct Cause {
    message: u64,
    id: String,
    time: Option<Timestamp>,
    sent: u32,
    nameless: u32,
}

impl Cause {
    /// Begins with an event; another handler of the same message goes on with it. Returns the id that
    /// it begins with; `None` where it goes on.
    pub(crate) fn begin(
        &mut self,
        message: u64,
        id: &str,
        time: Option<Timestamp>,
        payload: &[u8],
    ) -> Option<String> {
        if self.message == message {
            return None;
        }
        *self = Cause { message, id: id.into(), time, sent: 0, nameless: self.nameless };
        if id.is_empty() {
            // Two events without an id may be equal to the byte, and are still two.
            self.nameless += 1;
            let at = time.as_ref().map(format_time).unwrap_or_default();
            let text = String::from_utf8_lossy(payload);
            self.id = make_id("cause", &[&text, &at, &self.nameless.to_string()]);
        }
        Some(self.id.clone())
    }

    pub(crate) fn end(&mut self) {
        *self = Cause { nameless: self.nameless, ..Default::default() };
    }

    /// Fills in id and time where they are empty.
    pub(crate) fn complete<E: Event>(&mut self, component: &str, event: &mut E) {
        if event.time().is_none() {
            event.set_time(self.time.unwrap_or_else(|| Timestamp::from(SystemTime::now())));
        }
        if !event.id().is_empty() {
            return;
        }
        let id = if self.id.is_empty() {
            event.own_id(component).unwrap_or_else(|| unique_id(E::PREFIX))
        } else {
            let number = self.sent.to_string();
            self.sent += 1;
            make_id(E::PREFIX, &[component, &self.id, &number])
        };
        event.set_id(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1::SignalEvent;

    #[test]
    fn cause_gives_id_and_time() {
        let time: Timestamp = "2024-01-03T14:30:00Z".parse().unwrap();
        let mut cause = Cause::default();
        let send = |cause: &mut Cause| {
            let mut signal = SignalEvent::default();
            cause.complete("rsi", &mut signal);
            signal
        };
        cause.begin(1, "data_1", Some(time), b"");
        let first = send(&mut cause);
        cause.begin(1, "data_1", Some(time), b"");
        let second = send(&mut cause);
        // As ingenium.ids.make_id gives it in Python.
        assert_eq!(first.id(), "signal_1m2iPYBGUAWA0m057rxICiJwAqw");
        assert_ne!(second.id(), first.id());
        assert_eq!(first.timestamp, Some(time));
        cause.begin(2, "", Some(time), b"{}");
        assert_eq!(cause.id, "cause_446OyRgkD2u7526qVhsSscZL9Kf");
        cause.end();
        assert_ne!(send(&mut cause).id(), send(&mut cause).id());
    }
}
