//! One part of an app.

use std::ops::Deref;
use std::sync::{Arc, Mutex};

use async_nats::Event as Incident;
use async_nats::Message as Arrived;
use prost::{Message, Name};

use crate::events::Event;
use crate::publisher::{Outbox, Publisher, Shared};
use crate::settings::{BINARY, JSON};
use crate::status::Last;
use crate::subjects::{DATA, EXECUTION, PORTFOLIO, SIGNAL, covers, data_subject};
use crate::trace::{Span, TRACEPARENT};
use crate::v1::{DataEvent, LockstepReport, OrderEvent};
use crate::{Bar, Error, Settings, json};

/// What a component does in its app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Sends market data.
    Ingestor,
    /// Turns market data into signals.
    Strategy,
    /// Turns signals into orders.
    Portfolio,
    /// Turns orders into executions.
    Executor,
}

impl Role {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Role::Ingestor => "ingestor",
            Role::Strategy => "strategy",
            Role::Portfolio => "portfolio",
            Role::Executor => "executor",
        }
    }
}

type Handle = Box<dyn FnMut(&mut Outbox, u64, &Arrived) -> Result<(), Error> + Send>;

pub(crate) struct Handler {
    pub patterns: Vec<String>,
    pub handle: Handle,
}

/// One part of an app: it subscribes to events, handles one at a time, and publishes events.
///
/// In a replay it reports what it has handled and sent, so that the replay waits for it exactly; on
/// live data it reports only that it is ready. What a [`Publisher`] has it has, too.
pub struct Component {
    pub(crate) publisher: Publisher,
    pub(crate) role: Role,
    pub(crate) handlers: Vec<Handler>,
    pub(crate) export: Option<Box<dyn FnMut(Span) + Send>>,
}

impl Deref for Component {
    type Target = Publisher;

    fn deref(&self) -> &Publisher {
        &self.publisher
    }
}

impl Component {
    /// Connects a component with the settings of the environment; `name` is its name where the
    /// environment has none.
    pub async fn connect(role: Role, name: &str) -> Result<Component, Error> {
        Component::connect_with(Settings::from_environment(name), role).await
    }

    /// Connects a component with settings.
    pub async fn connect_with(settings: Settings, role: Role) -> Result<Component, Error> {
        let report = LockstepReport {
            component: settings.component.clone(),
            role: role.name().into(),
            ..Default::default()
        };
        let notes_sent = role == Role::Ingestor;
        let shared = Arc::new(Mutex::new(Shared { report, notes_sent, ..Default::default() }));
        let noted = shared.clone();
        let options = settings.options(role.name())?.event_callback(move |incident| {
            let loses = matches!(incident, Incident::Disconnected | Incident::SlowConsumer(_));
            match incident {
                Incident::Connected | Incident::Draining | Incident::Closed => {}
                incident if loses => {
                    let problem = format!("connection: {incident}: events may be missing");
                    eprintln!("{problem}");
                    noted.lock().unwrap_or_else(|error| error.into_inner()).problem = problem;
                }
                // Who may not hear of a replay is in none.
                incident if incident.to_string().contains(".grant") => {}
                incident => eprintln!("connection: {incident}"),
            }
            async {}
        });
        let client = options
            .connect(settings.servers()?)
            .await
            .map_err(|error| format!("cannot connect: {error}"))?;
        let publisher = Publisher { client, settings: Arc::new(settings), shared };
        Ok(Component { publisher, role, handlers: Vec::new(), export: None })
    }

    /// The component's name within the app.
    pub fn name(&self) -> &str {
        &self.settings.component
    }

    /// The connection, for what this crate does not offer.
    pub fn nats(&self) -> &async_nats::Client {
        &self.client
    }

    /// A publisher for other tasks.
    pub fn publisher(&self) -> Publisher {
        self.publisher.clone()
    }

    /// Has a function called for each span of a sampled trace, between two events: it must not wait.
    /// Without it, a component carries the header traceparent on and makes no spans.
    pub fn on_span(&mut self, export: impl FnMut(Span) + Send + 'static) {
        self.lock().traces.exports = true;
        self.export = Some(Box::new(export));
    }

    /// Has a handler called for each bar of some symbols, or of all when none is named. Data that
    /// cannot be read is logged and passed over.
    pub fn on_bar(
        &mut self,
        symbols: &[impl AsRef<str>],
        mut handle: impl FnMut(&mut Outbox, &Bar) -> Result<(), Error> + Send + 'static,
    ) -> Result<(), Error> {
        let symbols: Vec<String> = symbols.iter().map(|symbol| symbol.as_ref().into()).collect();
        let mut patterns = Vec::new();
        for symbol in &symbols {
            patterns.push(data_subject(symbol)?);
        }
        if patterns.is_empty() {
            patterns.push(DataEvent::pattern());
        }
        let handle: Handle = Box::new(move |out, number, arrived| {
            let Some(event) = begin_event::<DataEvent>(out, number, arrived) else { return Ok(()) };
            let Some(symbol) = choose(&symbols, &event.symbol, header(arrived, "Ingenium-Source"))
            else {
                return Ok(());
            };
            if event.ohlc.is_none() {
                return Ok(());
            }
            match Bar::new(event) {
                Ok(bar) => handle(out, &Bar { symbol, ..bar }),
                Err(error) => {
                    eprintln!("passed over: {error}");
                    Ok(())
                }
            }
        });
        self.handlers.push(Handler { patterns, handle });
        Ok(())
    }

    /// Has a handler called for each event of a type of the bus.
    pub fn on<E: Event + 'static>(
        &mut self,
        mut handle: impl FnMut(&mut Outbox, &E) -> Result<(), Error> + Send + 'static,
    ) {
        let handle: Handle = Box::new(move |out, number, arrived| {
            match begin_event::<E>(out, number, arrived) {
                Some(event) => handle(out, &event),
                None => Ok(()),
            }
        });
        self.handlers.push(Handler { patterns: vec![E::pattern()], handle });
    }

    /// Has a handler called for each message of your own type on a subject, which may have wild
    /// cards. JSON of your own types needs [`json::add_schema`].
    pub fn on_subject<M: Message + Name + Default + 'static>(
        &mut self,
        subject: &str,
        mut handle: impl FnMut(&mut Outbox, &M) -> Result<(), Error> + Send + 'static,
    ) {
        let handle: Handle = Box::new(move |out, number, arrived| {
            let Some(message) = read::<M>(out, arrived) else { return Ok(()) };
            let mut shared = out.publisher.lock();
            if let Some(id) = shared.cause.begin(number, "", None, &arrived.payload) {
                shared.traces.begin(header(arrived, TRACEPARENT), &id, None);
            }
            shared.last = Some(Last::new(M::NAME, None));
            drop(shared);
            handle(out, &message)
        });
        self.handlers.push(Handler { patterns: vec![subject.into()], handle });
    }

    /// The subjects to subscribe to, without those that others cover. Subscriptions have a queue of
    /// their own each, and the order between queues is lost: so there is one for all market data,
    /// and other symbols are passed over.
    pub(crate) fn patterns(&self) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        for pattern in self.handlers.iter().flat_map(|handler| &handler.patterns) {
            all.push(pattern.clone());
        }
        // A replay counts what these roles have handled, whether they have a handler for it or not.
        match self.role {
            Role::Executor => all.push(PORTFOLIO.into()),
            Role::Portfolio => all.extend([SIGNAL.into(), EXECUTION.into()]),
            Role::Ingestor | Role::Strategy => {}
        }
        let data: Vec<&String> = all.iter().filter(|pattern| pattern.starts_with(DATA)).collect();
        let needs_data = matches!(self.role, Role::Executor | Role::Portfolio);
        if data.iter().any(|pattern| *pattern != data[0]) || data.is_empty() && needs_data {
            all.push(DataEvent::pattern());
        }
        let mut kept: Vec<String> = Vec::new();
        for pattern in &all {
            let is_covered = all.iter().any(|other| other != pattern && covers(other, pattern));
            if !is_covered && !kept.contains(pattern) {
                kept.push(pattern.clone());
            }
        }
        kept
    }

    /// Whether a message counts in a replay: market data of other symbols does not.
    pub(crate) fn counts(&self, subject: &str) -> bool {
        let patterns = || self.handlers.iter().flat_map(|handler| &handler.patterns);
        let has_data = patterns().any(|pattern| pattern.starts_with(DATA));
        !subject.starts_with(DATA) || !has_data || patterns().any(|each| covers(each, subject))
    }
}

/// Returns a symbol as it was asked for. Only where a sender does not say who it is, as the original
/// Go library, the case of a symbol does not count.
fn choose(symbols: &[String], symbol: &str, source: Option<&str>) -> Option<String> {
    if symbols.is_empty() || symbols.iter().any(|each| each == symbol) {
        return Some(symbol.into());
    }
    let lower = symbol.to_lowercase();
    let same = |each: &&String| source.is_none() && each.to_lowercase() == lower;
    symbols.iter().find(same).cloned()
}

fn header<'a>(arrived: &'a Arrived, name: &str) -> Option<&'a str> {
    arrived.headers.as_ref()?.get(name).map(|value| value.as_str())
}

/// Reads an event and makes it the cause of what is sent from now on.
fn begin_event<E: Event>(out: &Outbox, number: u64, arrived: &Arrived) -> Option<E> {
    let event: E = read(out, arrived)?;
    let mut shared = out.publisher.lock();
    if let Some(id) = shared.cause.begin(number, event.id(), event.time(), &arrived.payload) {
        let order = (E::NAME == OrderEvent::NAME).then(|| event.id());
        shared.traces.begin(header(arrived, TRACEPARENT), &id, order);
    }
    shared.last = Some(Last::new(E::NAME, event.symbol()));
    drop(shared);
    Some(event)
}

fn read<M: Message + Name + Default>(out: &Outbox, arrived: &Arrived) -> Option<M> {
    match read_as(&content_types(arrived), &arrived.payload) {
        Ok(message) => Some(message),
        Err(error) => {
            eprintln!("passed over what cannot be read on {}: {error}", arrived.subject);
            let calls = &mut out.publisher.lock().calls;
            calls.failed += 1;
            calls.last_error = error.to_string();
            None
        }
    }
}

fn content_types(arrived: &Arrived) -> Vec<&str> {
    let headers = arrived.headers.as_ref();
    headers
        .map(|all| all.get_all("Content-Type").map(|value| value.as_str()).collect())
        .unwrap_or_default()
}

fn read_as<M: Message + Name + Default>(types: &[&str], payload: &[u8]) -> Result<M, Error> {
    let form = match types {
        [] => JSON.into(),
        [one] => one.split(';').next().unwrap_or_default().trim().to_lowercase(),
        _ => return Err("the header Content-Type is there twice".into()),
    };
    match form.as_str() {
        JSON => json::read(payload),
        BINARY => Ok(M::decode(payload)?),
        other => Err(format!("the header Content-Type is {other:?}: send {JSON} or {BINARY}").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LONG;
    use crate::v1::SignalEvent;

    #[test]
    fn case_of_a_symbol_counts_where_the_sender_says_who_it_is() {
        let symbols = ["AAPL".to_string()];
        assert_eq!(choose(&symbols, "AAPL", Some("csv")).as_deref(), Some("AAPL"));
        assert_eq!(choose(&symbols, "aapl", Some("csv")), None);
        assert_eq!(choose(&symbols, "aapl", None).as_deref(), Some("AAPL"));
        assert_eq!(choose(&symbols, "IBM", None), None);
    }

    #[test]
    fn messages_are_read_in_the_form_that_they_say_they_have() {
        let event =
            SignalEvent { symbol: "AAPL".into(), signal: LONG.into(), ..Default::default() };
        let json = json::write(&event).unwrap();
        assert_eq!(read_as::<SignalEvent>(&[], &json).unwrap(), event);
        assert_eq!(read_as::<SignalEvent>(&["Application/JSON; a=b"], &json).unwrap(), event);
        assert_eq!(read_as::<SignalEvent>(&[BINARY], &event.encode_to_vec()).unwrap(), event);
        for types in [&["text/plain"][..], &[JSON, BINARY]] {
            assert!(read_as::<SignalEvent>(types, &json).is_err());
        }
    }
}
