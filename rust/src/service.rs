//! Lists a component as a NATS micro service (ADR-32), whose id is the life of its status. Its first
//! endpoint stands for all that it handles; the others are the commands of an operator to this start.

use async_nats::{Message, Subscriber};
use futures_util::stream::{SelectAll, select_all};
use serde_json::{Value, json};

use crate::Error;
use crate::command::{COMMANDS, command_subject};
use crate::component::Component;
use crate::publisher::Calls;
use crate::v1::ComponentStatus;

impl Component {
    /// Subscribes to what is asked of all services, of this name, and of this start of it.
    pub(crate) async fn service_requests(
        &self,
        status: &ComponentStatus,
    ) -> Result<SelectAll<Subscriber>, Error> {
        let name = self.name();
        let mut requests = Vec::new();
        for whom in ["".into(), format!(".{name}"), format!(".{name}.{}", status.life)] {
            requests.push(self.client.subscribe(format!("$SRV.*{whom}")).await?);
        }
        Ok(select_all(requests))
    }

    pub(crate) async fn answer(&self, request: &Message, base: &ComponentStatus) -> Result<(), Error> {
        let (Some(reply), Some(verb)) = (&request.reply, request.subject.split('.').nth(1)) else {
            return Ok(());
        };
        let status = self.publisher().status_now(base, "ready");
        let calls = self.lock().calls.clone();
        let subjects: Vec<String> =
            self.patterns().iter().map(|each| self.settings.on_server(each)).collect();
        let mut answer = json!({
            "type": format!("io.nats.micro.v1.{}_response", verb.to_lowercase()),
            "name": status.component,
            "id": status.life,
            "version": status.version,
            "metadata": {
                "app": status.app,
                "role": status.role,
                "language": status.language,
                "sdk": "ingenium",
                "sdk_version": status.version,
                "prefix": self.settings.prefix,
                "subjects": subjects.join(","),
            },
        });
        let mut endpoint = json!({
            "name": "events",
            "subject": subjects.first().cloned().unwrap_or_default(),
            "queue_group": "",
        });
        match verb {
            "PING" => {}
            "INFO" => {
                let whose = format!("{} {} of {}", status.role, status.component, status.app);
                answer["description"] = whose.into();
                answer["endpoints"] = self.endpoints(endpoint, base);
            }
            "STATS" => {
                let spent = calls.spent.as_nanos() as u64;
                endpoint["num_requests"] = status.handled.into();
                endpoint["num_errors"] = calls.failed.into();
                endpoint["last_error"] = calls.last_error.clone().into();
                endpoint["processing_time"] = spent.into();
                endpoint["average_processing_time"] =
                    (spent / u64::from(status.handled.max(1))).into();
                endpoint["data"] = data(&status, &calls, self.lock().is_paused);
                answer["started"] = time(status.start_time.as_ref()).into();
                answer["endpoints"] = self.endpoints(endpoint, base);
            }
            _ => return Ok(()),
        }
        self.client.publish(reply.clone(), answer.to_string().into()).await?;
        Ok(())
    }

    fn endpoints(&self, events: Value, base: &ComponentStatus) -> Value {
        let taken = self.lock().commands.clone();
        let commands = COMMANDS.map(|name| {
            json!({
                "name": name,
                "subject": command_subject(&self.settings, base, name),
                "queue_group": "",
                "num_requests": taken.get(name).copied().unwrap_or_default(),
                "num_errors": 0,
                "last_error": "",
                "processing_time": 0,
                "average_processing_time": 0,
            })
        });
        [events].into_iter().chain(commands).collect()
    }
}

/// The numbers of the whole component, in the form that all languages share.
fn data(status: &ComponentStatus, calls: &Calls, is_paused: bool) -> Value {
    json!({
        "state": status.state,
        "paused": is_paused,
        "problem": status.problem.clone().unwrap_or_default(),
        "handled": status.handled,
        "sent": status.sent,
        "failed": calls.failed,
        "waiting": status.waiting,
        "last_error": calls.last_error,
        "processing_time": calls.spent.as_nanos() as u64,
        "last_event": status.last_event.clone().unwrap_or_default(),
        "last_symbol": status.last_symbol.clone().unwrap_or_default(),
        "last_time": time(status.last_time.as_ref()),
        "host": status.host,
        "process": status.process,
    })
}

/// RFC 3339 in UTC; empty where there is no time.
fn time(time: Option<&prost_types::Timestamp>) -> String {
    time.map(ToString::to_string).unwrap_or_default()
}
