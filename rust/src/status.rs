//! Says every few seconds, and to whoever asks, how a component is.

use std::time::{Duration, SystemTime};

use prost_types::Timestamp;

use crate::Error;
use crate::ids::unique_id;
use crate::publisher::{Publisher, Shared};
use crate::settings::Settings;
use crate::v1::ComponentStatus;

pub(crate) const INTERVAL: Duration = Duration::from_secs(5);

/// The event that was handled last; of an ingestor: that was sent last.
#[derive(Clone)]
pub(crate) struct Last {
    event: String,
    symbol: Option<String>,
    time: Timestamp,
}

impl Last {
    pub(crate) fn new(event: &str, symbol: Option<&str>) -> Last {
        let symbol = symbol.filter(|symbol| !symbol.is_empty()).map(Into::into);
        Last { event: event.into(), symbol, time: SystemTime::now().into() }
    }
}

/// What stays the same from start to end.
pub(crate) fn new_status(settings: &Settings, role: &str) -> ComponentStatus {
    ComponentStatus {
        app: settings.app.clone(),
        component: settings.component.clone(),
        role: role.into(),
        language: "rust".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        life: unique_id("life"),
        host: host(),
        process: std::process::id(),
        start_time: Some(SystemTime::now().into()),
        interval_seconds: INTERVAL.as_secs() as u32,
        ..Default::default()
    }
}

fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().into()
}

impl Publisher {
    pub(crate) fn status_now(&self, base: &ComponentStatus, state: &str) -> ComponentStatus {
        let mut status = base.clone();
        describe(&self.lock(), &mut status);
        status.state = state.into();
        status.timestamp = Some(SystemTime::now().into());
        status
    }

    pub(crate) async fn send_status(&self, base: &ComponentStatus, state: &str) -> Result<(), Error> {
        let status = self.status_now(base, state);
        let subject = format!("_ingenium.{}.status.{}", self.settings.app, self.settings.component);
        self.send_json(subject, &status).await
    }
}

fn describe(shared: &Shared, status: &mut ComponentStatus) {
    let report = &shared.report;
    status.handled = report.data_handled
        + report.signals_handled
        + report.orders_handled
        + report.executions_handled;
    status.sent =
        report.data_sent + report.signals_sent + report.orders_sent + report.executions_sent;
    status.waiting = shared.held;
    let paused = || shared.is_paused.then(|| "paused by an operator".to_string());
    let problem = Some(shared.problem.clone()).filter(|problem| !problem.is_empty());
    status.problem = problem.or_else(paused);
    if let Some(last) = &shared.last {
        status.last_event = Some(last.event.clone());
        status.last_symbol = last.symbol.clone();
        status.last_time = Some(last.time);
    }
}
