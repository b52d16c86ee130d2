//! Carries the W3C trace context of the handled event on to what is sent, and makes their spans.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use crate::subjects::{DATA, EXECUTION, Kind};

pub(crate) const TRACEPARENT: &str = "traceparent";
const KEPT_ORDERS: usize = 65_536;
/// A handling of market data that sent nothing has a span from this time on.
const SLOW: Duration = Duration::from_millis(100);

/// A finished span: of a handled event, or of a sent one. Its ids follow from those of events, as
/// those of the Python SDK do, so a redelivery gives the same span.
#[derive(Clone, Debug)]
pub struct Span {
    /// Such as `process ingenium.portfolio.order`.
    pub name: String,
    /// Whether an event was sent, not handled.
    pub is_send: bool,
    /// 32 hexadecimal digits.
    pub trace_id: String,
    /// 16 hexadecimal digits.
    pub span_id: String,
    /// 16 hexadecimal digits; empty for the root of a trace.
    pub parent_id: String,
    /// Trace and span of the handling that sent an execution which belongs to the trace of its order.
    pub link: Option<(String, String)>,
    /// When it began.
    pub start: SystemTime,
    /// When it ended.
    pub end: SystemTime,
    /// By their names in the semantic conventions.
    pub attributes: Vec<(&'static str, String)>,
    /// Why a handler failed.
    pub error: Option<String>,
}

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
    span: String,
    sampled: bool,
}

/// What a span says of an event that was sent.
pub(crate) struct Facts<'a> {
    pub id: &'a str,
    pub subject: &'a str,
    pub symbol: Option<&'a str>,
    /// The order that the event is, or is about.
    pub order: Option<&'a str>,
}

struct Sent {
    id: String,
    subject: String,
    symbol: String,
    order: String,
    trace: Trace,
    at: SystemTime,
}

/// A handling that has ended.
pub(crate) struct Handling<'a> {
    pub component: &'a str,
    pub role: &'a str,
    pub subject: &'a str,
    pub kind: Kind,
    pub start: SystemTime,
    pub error: Option<String>,
}

#[derive(Default)]
pub(crate) struct Traces {
    /// Whether there are spans; otherwise only the header is carried on.
    pub exports: bool,
    id: String,
    sent: Vec<Sent>,
    trace: Option<Trace>,
    orders: HashMap<String, Trace>,
    ages: VecDeque<String>,
}

impl Traces {
    /// Begins with the header of an event; `order` is its id if it is an order. Where it has none,
    /// nothing is carried on without exports; with them the event begins a trace: ids follow from
    /// events, so all who do this join the same.
    pub(crate) fn begin(&mut self, header: Option<&str>, id: &str, order: Option<&str>) {
        self.id = id.into();
        self.sent.clear();
        self.trace = header.and_then(parse);
        if self.trace.is_none() && self.exports {
            self.trace = Some(Trace { id: trace_id(id), span: send_span_id(id), sampled: true });
        }
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

    /// Ends with the spans of the handled event and of what it has sent.
    pub(crate) fn end(&mut self, handling: Handling) -> Vec<Span> {
        let sent = std::mem::take(&mut self.sent);
        let Some(trace) = self.trace.take().filter(|trace| self.exports && trace.sampled) else {
            return Vec::new();
        };
        let end = SystemTime::now();
        let is_quick = end.duration_since(handling.start).is_ok_and(|spent| spent < SLOW);
        let is_quiet = sent.is_empty() && handling.error.is_none() && is_quick;
        if handling.kind == Kind::Data && is_quiet {
            return Vec::new();
        }
        let template = template(handling.subject);
        let span_id = process_span_id(&self.id, handling.component);
        let mut spans = vec![Span {
            name: format!("process {template}"),
            is_send: false,
            trace_id: trace.id.clone(),
            span_id: span_id.clone(),
            parent_id: trace.span,
            link: None,
            start: handling.start,
            end,
            attributes: attributes(&handling, "process", handling.subject, &self.id),
            error: handling.error.clone(),
        }];
        let ids = (trace.id, span_id);
        spans.extend(sent.into_iter().map(|each| self.sent_span(each, &handling, &ids)));
        spans
    }

    fn sent_span(&self, sent: Sent, handling: &Handling, own: &(String, String)) -> Span {
        let mut attributes = attributes(handling, "send", &sent.subject, &sent.id);
        for (name, value) in [("ingenium.order.id", &sent.order), ("ingenium.symbol", &sent.symbol)]
        {
            if !value.is_empty() {
                attributes.push((name, value.clone()));
            }
        }
        let is_later =
            sent.subject == EXECUTION && !sent.order.is_empty() && sent.order != self.id;
        Span {
            name: format!("send {}", template(&sent.subject)),
            is_send: true,
            trace_id: sent.trace.id,
            span_id: sent.trace.span,
            parent_id: if is_later {
                process_span_id(&sent.order, handling.component)
            } else {
                own.1.clone()
            },
            link: is_later.then(|| own.clone()),
            start: sent.at,
            end: sent.at,
            attributes,
            error: None,
        }
    }

    /// Returns the header of an event that is sent; an execution is in the trace of its order.
    pub(crate) fn header(&mut self, facts: &Facts) -> Option<String> {
        let order = facts.order.filter(|_| facts.subject == EXECUTION);
        let known = order.and_then(|order| self.orders.get(order));
        let Trace { id, sampled, .. } = known.or(self.trace.as_ref())?.clone();
        let trace = Trace { id, span: send_span_id(facts.id), sampled };
        let flags = if sampled { "01" } else { "00" };
        let header = format!("00-{}-{}-{flags}", trace.id, trace.span);
        if self.exports && self.trace.is_some() {
            self.sent.push(Sent {
                id: facts.id.into(),
                subject: facts.subject.into(),
                symbol: facts.symbol.unwrap_or_default().into(),
                order: facts.order.unwrap_or_default().into(),
                trace,
                at: SystemTime::now(),
            });
        }
        Some(header)
    }
}

fn template(subject: &str) -> String {
    if subject.starts_with(DATA) { format!("{DATA}{{symbol}}") } else { subject.into() }
}

fn attributes(
    handling: &Handling,
    operation: &str,
    subject: &str,
    id: &str,
) -> Vec<(&'static str, String)> {
    vec![
        ("messaging.system", "nats".into()),
        ("messaging.operation.name", operation.into()),
        ("messaging.operation.type", operation.into()),
        ("messaging.destination.name", subject.into()),
        ("messaging.destination.template", template(subject)),
        ("messaging.message.id", id.into()),
        ("messaging.client.id", handling.component.into()),
        ("ingenium.component", handling.component.into()),
        ("ingenium.role", handling.role.into()),
    ]
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
    Some(Trace { id: (*id).into(), span: (*span).into(), sampled: flags & 1 == 1 })
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

    fn facts<'a>(id: &'a str, order: Option<&'a str>) -> Facts<'a> {
        let subject = if order.is_some() { EXECUTION } else { "ingenium.strategy.signal" };
        Facts { id, subject, symbol: Some("AAPL"), order }
    }

    fn handling(subject: &str) -> Handling<'_> {
        let kind = Kind::of(subject);
        let start = SystemTime::now();
        Handling { component: "ex", role: "executor", subject, kind, start, error: None }
    }

    #[test]
    fn what_is_sent_is_in_the_trace_of_its_cause_and_an_execution_in_that_of_its_order() {
        let mut traces = Traces::default();
        let signal = facts("data_1", None);
        assert_eq!(traces.header(&signal), None);
        traces.begin(Some(&format!("00-{TRACE}-{SPAN}-01")), "order_1", Some("order_1"));
        let expected = format!("00-{TRACE}-cf4e0bbc18bc0096-01");
        assert_eq!(traces.header(&signal).as_deref(), Some(expected.as_str()));
        assert!(traces.end(handling("ingenium.portfolio.order")).is_empty());
        for header in ["", "nonsense", &format!("ff-{TRACE}-{SPAN}-01")] {
            traces.begin(Some(header), "data_9", None);
            assert_eq!(traces.header(&signal), None);
        }
        traces.begin(Some(&format!("00-{OTHER}-{SPAN}-00")), "data_9", None);
        let other = format!("00-{OTHER}-cf4e0bbc18bc0096-00");
        assert_eq!(traces.header(&signal).as_deref(), Some(other.as_str()));
        let fill = facts("data_1", Some("order_1"));
        assert_eq!(traces.header(&fill).as_deref(), Some(expected.as_str()));
    }

    #[test]
    fn span_of_an_execution_has_the_handling_of_its_order_as_parent_and_a_link_to_its_cause() {
        let mut traces = Traces { exports: true, ..Default::default() };
        traces.begin(Some(&format!("00-{TRACE}-{SPAN}-01")), "order_1", Some("order_1"));
        let error = Some("no market".to_string());
        let ordered = traces.end(Handling { error, ..handling("ingenium.portfolio.order") });
        let [order] = ordered.as_slice() else { panic!("{ordered:?}") };
        // A bar of another trace fills it.
        traces.begin(None, "data_9", None);
        traces.header(&facts("exec_1", Some("order_1")));
        let filled = traces.end(handling("ingenium.ingestor.data.aapl"));
        let [bar, execution] = filled.as_slice() else { panic!("{filled:?}") };
        assert_eq!(order.error.as_deref(), Some("no market"));
        assert_eq!((order.trace_id.as_str(), order.parent_id.as_str()), (TRACE, SPAN));
        assert_eq!(order.span_id, process_span_id("order_1", "ex"));
        assert_eq!(bar.name, "process ingenium.ingestor.data.{symbol}");
        assert_eq!((&bar.trace_id, &bar.parent_id), (&trace_id("data_9"), &send_span_id("data_9")));
        assert_eq!((execution.trace_id.as_str(), &execution.parent_id), (TRACE, &order.span_id));
        assert_eq!(execution.span_id, send_span_id("exec_1"));
        assert_eq!(execution.link, Some((bar.trace_id.clone(), bar.span_id.clone())));
        assert!(execution.attributes.contains(&("ingenium.order.id", "order_1".into())));
        assert!(execution.attributes.contains(&("ingenium.symbol", "AAPL".into())));
    }

    #[test]
    fn quiet_market_data_and_traces_that_are_not_sampled_have_no_spans() {
        let mut traces = Traces { exports: true, ..Default::default() };
        let subject = "ingenium.ingestor.data.aapl";
        traces.begin(None, "data_1", None);
        assert!(traces.end(handling(subject)).is_empty());
        traces.begin(Some(&format!("00-{TRACE}-{SPAN}-00")), "data_2", None);
        let error = Some("broken".to_string());
        assert!(traces.end(Handling { error, ..handling(subject) }).is_empty());
    }
}
