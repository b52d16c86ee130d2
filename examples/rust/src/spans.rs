//! Sends the spans of a component to a collector, by OpenTelemetry's SDK for Rust.

use std::env::var;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ingenium::{Component, Error, Span as EventSpan};
use opentelemetry::trace::{
    Link, Span, SpanContext, SpanId, SpanKind, Status, TraceContextExt, TraceFlags, TraceId,
    TraceState, Tracer, TracerProvider,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::trace::{IdGenerator, Sampler, SdkTracerProvider};

/// A dead collector delays a stop no longer than this.
const LIMIT: Duration = Duration::from_millis(1500);

/// Gives the next span the ids that follow from its event.
#[derive(Clone, Debug)]
struct EventIds(Arc<Mutex<(TraceId, SpanId)>>);

impl IdGenerator for EventIds {
    fn new_trace_id(&self) -> TraceId {
        self.0.lock().unwrap().0
    }

    fn new_span_id(&self) -> SpanId {
        self.0.lock().unwrap().1
    }
}

/// Has the spans of a component sent, if the environment names a collector. Without one, nothing of
/// OpenTelemetry is called.
pub fn export(component: &mut Component) -> Result<Option<SdkTracerProvider>, Error> {
    let names = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
    if names.iter().all(|name| var(name).unwrap_or_default().is_empty()) {
        return Ok(None);
    }
    let ids = EventIds(Arc::new(Mutex::new((TraceId::INVALID, SpanId::INVALID))));
    let exporter = SpanExporter::builder().with_http().build()?;
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_id_generator(ids.clone())
        .with_sampler(Sampler::AlwaysOn) // the library has sampled, by the header of the event
        .build();
    let tracer = provider.tracer("ingenium");
    component.on_span(move |span| {
        // They are hexadecimal digits.
        if let Err(error) = send(&tracer, &ids, span) {
            eprintln!("cannot send a span: {error}");
        }
    });
    Ok(Some(provider))
}

/// Sends the spans that are left.
pub fn end(provider: Option<SdkTracerProvider>) {
    let ended = provider.map(|provider| provider.shutdown_with_timeout(LIMIT));
    if let Some(Err(error)) = ended {
        eprintln!("the collector has not taken all spans: {error}");
    }
}

fn send(tracer: &impl Tracer, ids: &EventIds, span: EventSpan) -> Result<(), Error> {
    let own = context(&span.trace_id, &span.span_id)?;
    *ids.0.lock().unwrap() = (own.trace_id(), own.span_id());
    let parent = match span.parent_id.as_str() {
        "" => Context::new(),
        parent => Context::new().with_remote_span_context(context(&span.trace_id, parent)?),
    };
    let mut builder = tracer
        .span_builder(span.name)
        .with_kind(if span.is_send { SpanKind::Producer } else { SpanKind::Consumer })
        .with_start_time(span.start)
        .with_attributes(span.attributes.into_iter().map(|(name, value)| KeyValue::new(name, value)));
    if let Some((trace, span)) = &span.link {
        builder = builder.with_links(vec![Link::with_context(context(trace, span)?)]);
    }
    let mut made = builder.start_with_context(tracer, &parent);
    if let Some(error) = span.error {
        let message = KeyValue::new("exception.message", error.clone());
        made.add_event_with_timestamp("exception", span.end, vec![message]);
        made.set_status(Status::error(error));
    }
    made.end_with_timestamp(span.end);
    Ok(())
}

fn context(trace: &str, span: &str) -> Result<SpanContext, Error> {
    let (trace, span) = (TraceId::from_hex(trace)?, SpanId::from_hex(span)?);
    Ok(SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::NONE))
}
