//! Carries the W3C trace context of the handled event on to what is sent.

use std::collections::{HashMap, VecDeque};

use sha2::{Digest, Sha256};

pub(crate) const TRACEPARENT: &str = "traceparent";
const KEPT_ORDERS: usize = 65_536;

/// Returns the id of the trace that an event begins, 32 hexadecimal digits.
pub fn trace_id(root_id: &str) -> String {
    digest(&format!("trace{root_id}"), 16)
}

/// Returns the id of the span of sending an event, 16 hexadecimal digits.
pub fn send_span_id(event_id: &str) -> String {
    digest(&format!("send{event_id}"), 8)
}

/// Returns the id of the span of a component that handles an event, 16 hexadecimal digits.
pub fn process_span_id(event_id: &str, component: &str) -> String {
    digest(&format!("process{event_id}/{component}"), 8)
}

#[derive(Clone)]
struct Trace {
    id: String,
    sampled: bool,
}

#[derive(Default)]
pub(crate) struct Traces {
    trace: Option<Trace>,
    orders: HashMap<String, Trace>,
    ages: VecDeque<String>,
}

impl Traces {
    /// Begins with the header of an event; `order` is its id if it is an order.
    pub(crate) fn begin(&mut self, header: Option<&str>, order: Option<&str>) {
        self.trace = header.and_then(parse);
        if let (Some(trace), Some(order)) = (&self.trace, order) {
            if self.orders.insert(order.into(), trace.clone()).is_none() {
                self.ages.push_back(order.into());
            }
            if self.ages.len() > KEPT_ORDERS {
                if let Some(oldest) = self.ages.pop_front() {
                    self.orders.remove(&oldest);
                }
            }
        }
    }

    pub(crate) fn end(&mut self) {
        self.trace = None;
    }

    /// Returns the header of an event that is sent; an execution is in the trace of its order.
    pub(crate) fn header(&self, id: &str, order: Option<&str>) -> Option<String> {
        let known = order.and_then(|order| self.orders.get(order));
        let trace = known.or(self.trace.as_ref())?;
        let flags = if trace.sampled { "01" } else { "00" };
        Some(format!("00-{}-{}-{flags}", trace.id, send_span_id(id)))
    }
}

fn parse(header: &str) -> Option<Trace> {
    let parts: Vec<&str> = header.trim().splitn(5, '-').collect();
    let [version, id, span, flags, rest @ ..] = parts.as_slice() else { return None };
    let is_hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|each| matches!(each, b'0'..=b'9' | b'a'..=b'f'))
    };
    let has_form = is_hex(version, 2) && is_hex(id, 32) && is_hex(span, 16) && is_hex(flags, 2);
    let is_odd = *version == "ff" || *version == "00" && !rest.is_empty();
    let is_null = |text: &str| text.bytes().all(|each| each == b'0');
    if !has_form || is_odd || is_null(id) || is_null(span) {
        return None;
    }
    let flags = u8::from_str_radix(flags, 16).ok()?;
    Some(Trace { id: (*id).into(), sampled: flags & 1 == 1 })
}

fn digest(text: &str, bytes: usize) -> String {
    let hash = Sha256::digest(text.as_bytes());
    hash[..bytes].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const OTHER: &str = "5bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    // By sha256sum of tracedata_1, senddata_1 and processdata_1/rsi.
    #[test]
    fn ids_are_those_of_the_python_sdk() {
        assert_eq!(trace_id("data_1"), "6ba620671ab28e8cd89e939a87019563");
        assert_eq!(send_span_id("data_1"), "cf4e0bbc18bc0096");
        assert_eq!(process_span_id("data_1", "rsi"), "efd9d9ef622ef158");
    }

    #[test]
    fn what_is_sent_is_in_the_trace_of_its_cause_and_an_execution_in_that_of_its_order() {
        let mut traces = Traces::default();
        assert_eq!(traces.header("data_1", None), None);
        traces.begin(Some(&format!("00-{TRACE}-{SPAN}-01")), Some("order_1"));
        let expected = format!("00-{TRACE}-cf4e0bbc18bc0096-01");
        assert_eq!(traces.header("data_1", None).as_deref(), Some(expected.as_str()));
        traces.end();
        for header in ["", "nonsense", &format!("ff-{TRACE}-{SPAN}-01")] {
            traces.begin(Some(header), None);
            assert_eq!(traces.header("data_1", None), None);
        }
        traces.begin(Some(&format!("00-{OTHER}-{SPAN}-00")), None);
        let other = format!("00-{OTHER}-cf4e0bbc18bc0096-00");
        assert_eq!(traces.header("data_1", None).as_deref(), Some(other.as_str()));
        assert_eq!(traces.header("data_1", Some("order_1")).as_deref(), Some(expected.as_str()));
    }
}
