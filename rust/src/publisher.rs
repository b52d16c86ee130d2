//! What is sent, with its headers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::{Client, HeaderMap};
use prost::{Message, Name};

use crate::cause::Cause;
use crate::events::Event;
use crate::settings::{BINARY, JSON, Settings};
use crate::status::Last;
use crate::subjects::Kind;
use crate::trace::{Facts, TRACEPARENT, Traces};
use crate::v1::{LockstepReport, SignalEvent};
use crate::{Error, json};

#[derive(Default)]
pub(crate) struct Shared {
    pub report: LockstepReport,
    pub cause: Cause,
    pub traces: Traces,
    pub calls: Calls,
    /// Why events may be missing; empty when none are.
    pub problem: String,
    pub last: Option<Last>,
    /// Whether what is sent counts as the last event: an ingestor handles none.
    pub notes_sent: bool,
    /// Whether an operator has paused the component, and what waits for the end of that.
    pub is_paused: bool,
    pub held: u32,
    /// How often each command was obeyed.
    pub commands: HashMap<String, u32>,
}

/// Messages that could not be read, and time spent in handlers.
#[derive(Clone, Default)]
pub(crate) struct Calls {
    pub failed: u64,
    pub last_error: String,
    pub spent: Duration,
}

/// Publishes events, also from outside of handlers; clones share one connection.
#[derive(Clone)]
pub struct Publisher {
    pub(crate) client: Client,
    pub(crate) settings: Arc<Settings>,
    pub(crate) shared: Arc<Mutex<Shared>>,
}

pub(crate) struct Outgoing {
    subject: String,
    headers: HeaderMap,
    payload: Vec<u8>,
    kind: Kind,
}

impl Publisher {
    /// Publishes an event of the bus on its subject. An id and a time that are empty are filled in:
    /// outside of a handler the time is the machine's, and the id never the same twice.
    pub async fn publish<E: Event>(&self, event: E) -> Result<(), Error> {
        self.send(self.prepare(event)?).await
    }

    /// Publishes a message of your own on a subject, as it is.
    pub async fn publish_to<M: Message + Name>(&self, subject: &str, message: &M) -> Result<(), Error> {
        self.send(self.outgoing(subject.into(), "", message, &self.settings.content_type)?).await
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn prepare<E: Event>(&self, mut event: E) -> Result<Outgoing, Error> {
        let subject = event.subject()?;
        let mut shared = self.lock();
        shared.cause.complete(&self.settings.component, &mut event);
        if shared.notes_sent {
            shared.last = Some(Last::new(E::NAME, event.symbol()));
        }
        let trace = shared.traces.header(&Facts {
            id: event.id(),
            subject: &subject,
            symbol: event.symbol(),
            order: event.order(),
        });
        drop(shared);
        let mut out = self.outgoing(subject, event.id(), &event, &self.settings.content_type)?;
        if let Some(trace) = trace {
            out.headers.insert(TRACEPARENT, trace.as_str());
        }
        Ok(out)
    }

    fn outgoing<M: Message + Name>(
        &self,
        subject: String,
        id: &str,
        message: &M,
        content_type: &str,
    ) -> Result<Outgoing, Error> {
        let payload =
            if content_type == BINARY { message.encode_to_vec() } else { json::write(message)? };
        let mut headers = HeaderMap::new();
        if !id.is_empty() {
            headers.insert("Nats-Msg-Id", id);
        }
        headers.insert("Ingenium-Source", self.settings.component.as_str());
        headers.insert("Content-Type", content_type);
        Ok(Outgoing { kind: Kind::of(&subject), subject, headers, payload })
    }

    pub(crate) async fn send(&self, out: Outgoing) -> Result<(), Error> {
        let subject = self.settings.on_server(&out.subject);
        self.client.publish_with_headers(subject, out.headers, out.payload.into()).await?;
        let report = &mut self.lock().report;
        match out.kind {
            Kind::Data => report.data_sent += 1,
            Kind::Signal => report.signals_sent += 1,
            Kind::Order => report.orders_sent += 1,
            Kind::Execution => report.executions_sent += 1,
            Kind::Other => {}
        }
        Ok(())
    }

    pub(crate) async fn send_report(&self, failure: &str) -> Result<(), Error> {
        let mut report = self.lock().report.clone();
        report.error = if failure.is_empty() { self.lock().problem.clone() } else { failure.into() };
        self.send_json(format!("_ingenium.{}.report", self.settings.app), &report).await
    }

    /// Sends what is JSON in any case.
    pub(crate) async fn send_json<M: Message + Name>(
        &self,
        subject: String,
        message: &M,
    ) -> Result<(), Error> {
        self.send(self.outgoing(subject, "", message, JSON)?).await
    }
}

/// Takes what a handler sends; it goes out when the handler returns.
pub struct Outbox<'a> {
    pub(crate) publisher: &'a Publisher,
    pub(crate) sent: Vec<Outgoing>,
}

impl Outbox<'_> {
    /// Sends a signal: `LONG`, `SHORT` or `FLAT`.
    pub fn signal(&mut self, symbol: &str, signal: &str) -> Result<(), Error> {
        let (symbol, signal) = (symbol.into(), signal.into());
        self.publish(SignalEvent { symbol, signal, ..Default::default() })
    }

    /// Sends an event of the bus on its subject. An id and a time that are empty are filled in: both
    /// follow from the event that is being handled, so that a replay that is run again gives the
    /// same ones.
    pub fn publish<E: Event>(&mut self, event: E) -> Result<(), Error> {
        self.sent.push(self.publisher.prepare(event)?);
        Ok(())
    }

    /// Sends a message of your own on a subject, as it is.
    pub fn publish_to<M: Message + Name>(&mut self, subject: &str, message: &M) -> Result<(), Error> {
        let publisher = self.publisher;
        let form = &publisher.settings.content_type;
        self.sent.push(publisher.outgoing(subject.into(), "", message, form)?);
        Ok(())
    }
}
