//! An RSI strategy on the types that `buf generate` makes from Ingenium's schemas.
//!
//! It is a full member of a replay: it reports what it has handled and sent, so the replay waits for
//! it exactly. On live data nobody reads the reports, and they do no harm.

mod json;
mod rsi;
#[path = "../gen/ingenium/v1/ingenium.v1.rs"]
#[allow(clippy::all, dead_code)]
mod v1;

use std::collections::HashMap;
use std::env;
use std::sync::{Arc, Mutex};

use async_nats::{Client, ConnectOptions, Event, HeaderMap, Message, ServerAddr};
use futures_util::{FutureExt, StreamExt};
use percent_encoding::percent_decode_str;
use prost::Name;
use prost_types::Timestamp;
use sha2::{Digest, Sha256};
use tokio::signal::unix::{SignalKind, signal};

use rsi::Rsi;
use v1::{DataEvent, LockstepGrant, LockstepReport, SignalEvent};

type Failure = Box<dyn std::error::Error + Send + Sync>;

const PERIOD: u32 = 2;
const BUY_BELOW: f64 = 5.0;
const SELL_ABOVE: f64 = 95.0;
const DATA: &str = "ingenium.ingestor.data.";

struct Strategy {
    client: Client,
    app: String,
    report: LockstepReport,
    symbols: HashMap<String, Rsi>,
    subjects: Vec<String>,
    /// Why events may be missing; empty when none are.
    problem: Arc<Mutex<String>>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let symbols: Vec<String> = env::args().skip(1).collect();
    if symbols.is_empty() {
        return Err("no symbols: pass them, such as AAPL IBM".into());
    }
    let name = environment("INGENIUM_COMPONENT", "rsi");
    let problem = Arc::new(Mutex::new(String::new()));
    let strategy = Strategy {
        client: connect(&name, problem.clone()).await?,
        app: environment("INGENIUM_APP", "app"),
        report: LockstepReport { component: name, role: "strategy".into(), ..Default::default() },
        subjects: symbols
            .iter()
            .map(|symbol| on_server(&format!("{DATA}{}", symbol.to_lowercase())))
            .collect(),
        symbols: symbols.into_iter().map(|symbol| (symbol, Rsi::new(PERIOD))).collect(),
        problem,
    };
    strategy.run().await
}

fn environment(name: &str, otherwise: &str) -> String {
    env::var(name).ok().filter(|value| !value.is_empty()).unwrap_or_else(|| otherwise.into())
}

/// Puts the prefix before a subject that keeps apps on one server apart.
fn on_server(subject: &str) -> String {
    match environment("INGENIUM_PREFIX", "").as_str() {
        "" => subject.into(),
        prefix => format!("{prefix}.{subject}"),
    }
}

async fn connect(name: &str, problem: Arc<Mutex<String>>) -> Result<Client, Failure> {
    let url = environment("NATS_SERVER", "nats://127.0.0.1:4222");
    let server: ServerAddr = url.parse().map_err(|_| "cannot read the address in NATS_SERVER")?;
    let mut options = ConnectOptions::new().name(name).event_callback(move |event| {
        match event {
            Event::Connected | Event::Draining | Event::Closed => {}
            event => {
                eprintln!("connection: {event}: events may be missing");
                *problem.lock().unwrap() = format!("connection: {event}: events may be missing");
            }
        }
        async {}
    });
    // The library takes them from the URL as they stand there, percent signs and all.
    if let (Some(user), Some(password)) = (server.username(), server.password()) {
        let decode = |text| percent_decode_str(text).decode_utf8().map(|text| text.into_owned());
        options = options.user_and_password(decode(user)?, decode(password)?);
    }
    Ok(options.connect(server).await?)
}

impl Strategy {
    async fn run(mut self) -> Result<(), Failure> {
        // One subscription for all symbols: in this library each has a queue of its own, and the
        // order between queues is lost. Other symbols are passed over.
        let mut data = self.client.subscribe(on_server(&format!("{DATA}*"))).await?;
        let mut grants = self.client.subscribe(self.control_subject("grant")).await?;
        let inbox = self.client.new_inbox();
        let mut answers = self.client.subscribe(inbox.clone()).await?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        // It comes back after the server has taken the subscriptions.
        self.client.publish(inbox.clone(), "".into()).await?;
        answers.next().await.ok_or("cannot reach the server")?;
        self.send_report().await?; // ready

        loop {
            tokio::select! {
                message = data.next() => {
                    self.handle_data(message.ok_or("the connection has ended")?).await?;
                    while let Some(Some(message)) = data.next().now_or_never() {
                        self.handle_data(message).await?;
                    }
                    self.send_report().await?;
                }
                message = grants.next() => {
                    if is_end(&message.ok_or("the connection has ended")?) {
                        break;
                    }
                    self.send_report().await?;
                }
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
            }
        }
        // What the server has sent already is handled, and nothing after it: the server keeps the
        // order, so when this comes back, all of that is in the queue.
        self.client.publish(inbox, "".into()).await?;
        answers.next().await.ok_or("cannot reach the server")?;
        while let Some(Some(message)) = data.next().now_or_never() {
            self.handle_data(message).await?;
        }
        self.send_report().await?;
        self.client.flush().await?;
        Ok(())
    }

    fn control_subject(&self, kind: &str) -> String {
        on_server(&format!("_ingenium.{}.{kind}", self.app))
    }

    async fn handle_data(&mut self, message: Message) -> Result<(), Failure> {
        if !self.subjects.iter().any(|subject| *subject == *message.subject) {
            return Ok(());
        }
        self.report.data_handled += 1;
        let event: DataEvent = match json::read(&message.payload) {
            Ok(event) => event,
            Err(error) => {
                eprintln!("skipped what cannot be read: {error}");
                return Ok(());
            }
        };
        let close = event.ohlc.as_ref().and_then(|bar| bar.close.parse().ok());
        let (Some(index), Some(close)) = (self.symbols.get_mut(&event.symbol), close) else {
            return Ok(());
        };
        let value = index.update(close);
        if value < BUY_BELOW {
            self.send_signal(&event, "ingenium.signal.long").await?;
        } else if value > SELL_ABOVE {
            self.send_signal(&event, "ingenium.signal.short").await?;
        }
        Ok(())
    }

    async fn send_signal(&mut self, cause: &DataEvent, opinion: &str) -> Result<(), Failure> {
        // An id that follows from the cause: a replay that is run again makes the same one.
        let hash = Sha256::digest(self.report.component.clone() + cause.id() + opinion);
        let event = SignalEvent {
            symbol: cause.symbol.clone(),
            signal: opinion.into(),
            id: Some(format!("signal_{}", &format!("{hash:x}")[..27])),
            // The time of the replay, not of this machine.
            timestamp: cause.timestamp.parse::<Timestamp>().ok(),
            ..Default::default()
        };
        self.publish(on_server("ingenium.strategy.signal"), &event).await?;
        self.report.signals_sent += 1;
        Ok(())
    }

    async fn send_report(&mut self) -> Result<(), Failure> {
        self.report.error = self.problem.lock().unwrap().clone();
        self.publish(self.control_subject("report"), &self.report).await
    }

    async fn publish(&self, subject: String, event: &impl Name) -> Result<(), Failure> {
        let mut headers = HeaderMap::new();
        headers.insert("Ingenium-Source", self.report.component.as_str());
        let payload = json::write(event)?.into();
        Ok(self.client.publish_with_headers(subject, headers, payload).await?)
    }
}

/// Whether a grant says that the replay is over. A strategy needs no other: it handles what
/// arrives. Step 0 asks who is there, and the report that follows is the answer.
fn is_end(message: &Message) -> bool {
    match json::read::<LockstepGrant>(&message.payload) {
        Ok(grant) => grant.end,
        Err(error) => {
            eprintln!("skipped a grant that cannot be read: {error}");
            false
        }
    }
}
