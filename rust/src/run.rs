//! Runs a component.

use std::future::Future;
use std::time::Duration;

use async_nats::Subscriber;
use futures_util::stream::{SelectAll, select_all};
use futures_util::{FutureExt, StreamExt};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{interval, timeout};

use crate::component::{Component, Role};
use crate::ids::unique_id;
use crate::member::Member;
use crate::publisher::Outbox;
use crate::status::{INTERVAL, new_status};
use crate::v1::ComponentStatus;
use crate::{Bar, Error};

const LIMIT: Duration = Duration::from_secs(10);
/// A server answers this by itself, and lets every user ask. Without an answer it says so, which is
/// one as well.
const WHO_AM_I: &str = "$SYS.REQ.USER.INFO";

/// Runs a strategy until a replay ends, or until the process gets SIGTERM or SIGINT. The handler gets
/// each bar of the symbols, all symbols when none is named; an error that it returns ends the
/// strategy. The strategy's name is `INGENIUM_COMPONENT`, or `strategy`.
pub async fn run_strategy(
    symbols: &[impl AsRef<str>],
    handle: impl FnMut(&mut Outbox, &Bar) -> Result<(), Error> + Send + 'static,
) -> Result<(), Error> {
    let mut component = Component::connect(Role::Strategy, "strategy").await?;
    component.on_bar(symbols, handle)?;
    component.run().await
}

impl Component {
    /// Subscribes and handles what arrives until a replay ends, a handler returns an error, or the
    /// process gets SIGTERM or SIGINT. Then what the server has sent already is handled, and nothing
    /// after it; what was published is with the server when this returns.
    pub async fn run(self) -> Result<(), Error> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        self.run_until(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
        .await
    }

    /// Does as [`Component::run`], until a future is done.
    pub async fn run_until(mut self, stop: impl Future<Output = ()>) -> Result<(), Error> {
        let publisher = self.publisher();
        let status = new_status(&publisher.settings, self.role.name());
        let done = self.go(stop, &status).await;
        if let Err(error) = publisher.send_status(&status, "stopped").await {
            eprintln!("{error}");
        }
        if let Err(error) = &done {
            // A replay is told why the component failed.
            if let Err(other) = publisher.send_report(&error.to_string()).await {
                eprintln!("{other}");
            }
        }
        let flushed = timeout(LIMIT, publisher.client.flush()).await;
        done?;
        flushed.map_err(|_| "cannot reach the server")??;
        Ok(())
    }

    async fn go(
        &mut self,
        stop: impl Future<Output = ()>,
        status: &ComponentStatus,
    ) -> Result<(), Error> {
        let mut grants = self.subscribe(&format!("_ingenium.{}.grant", self.settings.app)).await?;
        let mut subscriptions = Vec::new();
        for pattern in self.patterns() {
            subscriptions.push(self.subscribe(&pattern).await?);
        }
        let mut arriving: SelectAll<Subscriber> = select_all(subscriptions);
        let is_deaf = arriving.is_empty();
        let ask = format!("_ingenium.{}.ask", self.settings.app);
        let mut asks = select_all([
            self.subscribe(&ask).await?,
            self.subscribe(&format!("{ask}.{}", self.name())).await?,
        ]);
        let mut requests = self.service_requests(status).await?;
        let mut commands = self.commands(status).await?;
        let mut ticks = interval(INTERVAL);
        // The reply subject of no user, which a server with accounts would deny to others.
        let inbox = format!("_INBOX.{}", unique_id("sync"));
        let mut answers = self.client.subscribe(inbox.clone()).await?;
        let mut member = Member::default();
        tokio::pin!(stop);
        // It comes back after the server has taken the subscriptions.
        self.ask(&inbox, &mut answers).await?;
        self.send_report("").await?; // ready
        'running: loop {
            tokio::select! {
                biased;
                () = &mut stop => break,
                // What tells that this is a replay comes before what a portfolio must hold back.
                message = grants.next() => {
                    let message = message.ok_or("the connection has ended")?;
                    if self.grant(&mut member, &message).await? {
                        return Ok(());
                    }
                }
                // At once, and then every few seconds.
                _ = ticks.tick() => {
                    self.send_status(status, "ready").await?;
                    continue;
                }
                _ = asks.next() => {
                    self.send_status(status, "ready").await?;
                    continue;
                }
                Some(request) = requests.next() => {
                    self.answer(&request, status).await?;
                    continue;
                }
                Some(command) = commands.next() => {
                    if self.command(&mut member, &command, status).await? {
                        break 'running;
                    }
                }
                message = arriving.next(), if !is_deaf => {
                    let message = message.ok_or("the connection has ended")?;
                    self.take(&mut member, message).await?;
                    // A command does not wait for the end of a burst.
                    while let Some(message) = arriving.next().now_or_never().flatten() {
                        self.take(&mut member, message).await?;
                        let command = commands.next().now_or_never().flatten();
                        if let Some(command) = command {
                            if self.command(&mut member, &command, status).await? {
                                break 'running;
                            }
                        }
                    }
                }
            }
            if member.is_in_replay() {
                self.send_report("").await?;
            }
        }
        // The server keeps the order, so when this comes back, all that it has sent is here.
        self.ask(&inbox, &mut answers).await?;
        while let Some(message) = arriving.next().now_or_never().flatten() {
            self.take(&mut member, message).await?;
        }
        member.pause.end();
        if member.is_in_replay() { self.send_report("").await } else { Ok(()) }
    }

    async fn subscribe(&self, subject: &str) -> Result<Subscriber, Error> {
        Ok(self.client.subscribe(self.settings.on_server(subject)).await?)
    }

    async fn ask(&self, inbox: &str, answers: &mut Subscriber) -> Result<(), Error> {
        self.client.publish_with_reply(WHO_AM_I, inbox.to_string(), "".into()).await?;
        let answer = timeout(LIMIT, answers.next()).await.map_err(|_| "cannot reach the server")?;
        answer.ok_or("cannot reach the server")?;
        Ok(())
    }
}
