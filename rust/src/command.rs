//! Takes the commands of an operator to this start of a component: pause, resume and stop.

use async_nats::{HeaderMap, Message, Subscriber};
use serde_json::{Value, json};

use crate::Error;
use crate::component::Component;
use crate::member::Member;
use crate::settings::Settings;
use crate::v1::ComponentStatus;

pub(crate) const COMMANDS: [&str; 3] = ["pause", "resume", "stop"];

/// Where a command goes, on the server.
pub(crate) fn command_subject(settings: &Settings, status: &ComponentStatus, name: &str) -> String {
    let (app, component, life) = (&settings.app, &settings.component, &status.life);
    settings.on_server(&format!("_ingenium.{app}.command.{component}.{life}.{name}"))
}

impl Component {
    pub(crate) async fn commands(&self, status: &ComponentStatus) -> Result<Subscriber, Error> {
        let all = command_subject(&self.settings, status, "*");
        Ok(self.client.subscribe(all).await?)
    }

    /// Answers a command; returns whether the component is to stop. Only what is exactly a request of
    /// an operator is obeyed: another strategy could have the server publish a stored message, or an
    /// answer, on this subject.
    pub(crate) async fn command(
        &mut self,
        member: &mut Member,
        message: &Message,
        status: &ComponentStatus,
    ) -> Result<bool, Error> {
        let is_stored = message.headers.as_ref().is_some_and(|all| all.get("Nats-Stream").is_some());
        let reply = message.reply.clone().filter(|reply| {
            !is_stored && (reply.starts_with("_R_.") || reply.starts_with("_INBOX."))
        });
        let Some(reply) = reply else {
            eprintln!("refused a command that no operator has sent");
            return Ok(false);
        };
        let name = message.subject.rsplit('.').next().unwrap_or_default();
        let done = match sender(&message.payload) {
            _ if !COMMANDS.contains(&name) => {
                Err(format!("no command {name:?}: use one of {}", COMMANDS.join(", ")))
            }
            Some(sender) => member.obey(name).map(|()| sender),
            None => Err("not a command: it needs a Sender, and nothing else".into()),
        };
        let sender = match done {
            Ok(sender) => sender,
            Err(problem) => {
                let mut headers = HeaderMap::new();
                headers.insert("Nats-Service-Error", problem.as_str());
                headers.insert("Nats-Service-Error-Code", "400");
                self.client.publish_with_headers(reply, headers, "".into()).await?;
                return Ok(false);
            }
        };
        eprintln!("{name} by {}", if sender.is_empty() { "an operator" } else { &sender });
        let is_paused = member.pause.is_on;
        let mut shared = self.lock();
        shared.is_paused = is_paused;
        *shared.commands.entry(name.into()).or_default() += 1;
        drop(shared);
        let answer = json!({
            "component": self.name(),
            "instance": status.life,
            "paused": is_paused,
            "stopping": name == "stop",
        });
        self.client.publish(reply, answer.to_string().into()).await?;
        self.take_held(member).await?;
        Ok(name == "stop")
    }
}

impl Member {
    /// Acts upon a command; returns why it cannot, if so.
    fn obey(&mut self, name: &str) -> Result<(), String> {
        match name {
            "pause" if self.is_in_replay() => return Err("a replay cannot be paused".into()),
            "pause" => self.pause.is_on = true,
            "resume" => self.pause.is_on = false,
            _ => {}
        }
        Ok(())
    }
}

/// Returns the sender of a command; `None` where the message is none.
fn sender(payload: &[u8]) -> Option<String> {
    let command: Value = serde_json::from_slice(payload).ok()?;
    let fields = command.as_object().filter(|fields| fields.len() == 1)?;
    Some(fields.get("Sender")?.as_str()?.into())
}
