//! Takes part in a replay: counts what was handled, and has a portfolio wait for its grants.

use std::collections::{HashMap, VecDeque};
use std::time::{Instant, SystemTime};

use async_nats::Message as Arrived;

use crate::component::{Component, Role};
use crate::pause::Pause;
use crate::publisher::{Outbox, Shared};
use crate::subjects::{Kind, covers};
use crate::trace::Handling;
use crate::v1::{LockstepGrant, LockstepReport};
use crate::{Error, json};

#[derive(Default)]
pub(crate) struct Member {
    number: u64,
    granted: Option<LockstepGrant>,
    waiting: HashMap<Kind, VecDeque<Arrived>>,
    pub pause: Pause,
}

impl Member {
    /// Whether a grant has come, which there are only in replays.
    pub(crate) fn is_in_replay(&self) -> bool {
        self.granted.is_some()
    }
}

impl Component {
    /// Takes a message; strategies and executors handle what arrives.
    pub(crate) async fn take(&mut self, member: &mut Member, arrived: Arrived) -> Result<(), Error> {
        let subject = self.settings.from_server(&arrived.subject).to_string();
        if !self.counts(&subject) {
            return Ok(());
        }
        let kind = Kind::of(&subject);
        let arrived = member.pause.filter(arrived, kind);
        self.lock().held = member.pause.waiting();
        match arrived {
            Some(arrived) => self.let_in(member, arrived, kind).await,
            None => Ok(()),
        }
    }

    /// Takes what was held during a pause that is over.
    pub(crate) async fn take_held(&mut self, member: &mut Member) -> Result<(), Error> {
        while let Some(next) = member.pause.next() {
            self.lock().held = member.pause.waiting();
            let kind = Kind::of(self.settings.from_server(&next.subject));
            self.let_in(member, next, kind).await?;
        }
        Ok(())
    }

    async fn let_in(
        &mut self,
        member: &mut Member,
        arrived: Arrived,
        kind: Kind,
    ) -> Result<(), Error> {
        // On live data there are no grants.
        if self.role == Role::Portfolio && member.granted.is_some() && kind != Kind::Other {
            member.waiting.entry(kind).or_default().push_back(arrived);
            return self.advance(member).await;
        }
        self.handle(member, &arrived, kind).await
    }

    /// Takes a grant; returns whether the replay is over.
    pub(crate) async fn grant(&mut self, member: &mut Member, arrived: &Arrived) -> Result<bool, Error> {
        let grant: LockstepGrant = match json::read(&arrived.payload) {
            Ok(grant) => grant,
            Err(error) => {
                eprintln!("passed over a grant that cannot be read: {error}");
                return Ok(false);
            }
        };
        let end = grant.end;
        if self.role == Role::Portfolio && grant.component == self.name() {
            member.granted = Some(grant);
            self.advance(member).await?;
        } else {
            member.granted.get_or_insert_default();
        }
        Ok(end)
    }

    /// Handles data, then executions, then signals, up to the counts that are granted.
    async fn advance(&mut self, member: &mut Member) -> Result<(), Error> {
        let granted = member.granted.clone().unwrap_or_default();
        for (kind, count) in [
            (Kind::Data, granted.data),
            (Kind::Execution, granted.executions),
            (Kind::Signal, granted.signals),
        ] {
            while handled(&mut self.lock(), kind).is_some_and(|handled| *handled < count) {
                let Some(next) = member.waiting.entry(kind).or_default().pop_front() else {
                    return Ok(());
                };
                self.handle(member, &next, kind).await?;
            }
        }
        Ok(())
    }

    async fn handle(
        &mut self,
        member: &mut Member,
        arrived: &Arrived,
        kind: Kind,
    ) -> Result<(), Error> {
        member.number += 1;
        let publisher = self.publisher();
        let subject = publisher.settings.from_server(&arrived.subject);
        let mut out = Outbox { publisher: &publisher, sent: Vec::new() };
        let mut done = Ok(());
        let (start, began) = (SystemTime::now(), Instant::now());
        for handler in &mut self.handlers {
            if handler.patterns.iter().any(|pattern| covers(pattern, subject)) {
                done = (handler.handle)(&mut out, member.number, arrived);
                if done.is_err() {
                    break;
                }
            }
        }
        for each in out.sent {
            publisher.send(each).await?;
        }
        let mut shared = publisher.lock();
        shared.calls.spent += began.elapsed();
        shared.cause.end();
        let spans = shared.traces.end(Handling {
            component: &publisher.settings.component,
            role: self.role.name(),
            subject,
            kind,
            start,
            error: done.as_ref().err().map(ToString::to_string),
        });
        // Readable or not, and for what failed the report says why.
        if let Some(count) = handled(&mut shared, kind) {
            *count += 1;
        }
        drop(shared);
        if let Some(export) = &mut self.export {
            spans.into_iter().for_each(export);
        }
        done.map_err(|error| {
            let (role, name) = (self.role.name(), &publisher.settings.component);
            format!("{role} {name:?} failed on {subject}: {error}").into()
        })
    }
}

fn handled(shared: &mut Shared, kind: Kind) -> Option<&mut u32> {
    let report: &mut LockstepReport = &mut shared.report;
    match kind {
        Kind::Data => Some(&mut report.data_handled),
        Kind::Signal => Some(&mut report.signals_handled),
        Kind::Order => Some(&mut report.orders_handled),
        Kind::Execution => Some(&mut report.executions_handled),
        Kind::Other => None,
    }
}
