//! Where a component connects to and who it is there.

use std::env;
use std::net::IpAddr;
use std::path::PathBuf;

use async_nats::{ConnectOptions, ServerAddr};
use percent_encoding::percent_decode_str;

use crate::Error;

pub(crate) const JSON: &str = "application/json";
pub(crate) const BINARY: &str = "application/protobuf";

/// Where a component connects to and who it is there.
#[derive(Clone, Default)]
pub struct Settings {
    /// `NATS_SERVER`: one address, or several of one cluster with commas between them.
    pub server: String,
    /// `INGENIUM_APP`, the name of the app that the component belongs to.
    pub app: String,
    /// `INGENIUM_COMPONENT`, the name of the component within the app.
    pub component: String,
    /// `INGENIUM_PREFIX`, what all subjects begin with on the server; empty for none.
    pub prefix: String,
    /// `INGENIUM_CONTENT_TYPE`, the form of what is published: application/json, or
    /// application/protobuf. What arrives is read in either form.
    pub content_type: String,
    /// `INGENIUM_NATS_CREDENTIALS`: a .creds file, or a file with the seed of an nkey or with a line
    /// user:password. `{role}` in a path stands for the component's role.
    pub credentials: String,
    /// `INGENIUM_NATS_CA`, the authorities to trust; the system's when empty.
    pub ca: String,
    /// `INGENIUM_NATS_CERT`, a certificate to show to the server.
    pub certificate: String,
    /// `INGENIUM_NATS_KEY`, its key; in the certificate's file when empty.
    pub key: String,
    /// `INGENIUM_ALLOW_PLAINTEXT=1`: a server on another machine may be spoken to without TLS.
    pub allow_plaintext: bool,
}

impl Settings {
    /// Reads the settings that `ingenium run` gives to the programs that it starts. `component` is
    /// the name where the environment has none.
    pub fn from_environment(component: &str) -> Settings {
        Settings {
            server: environment("NATS_SERVER", "nats://127.0.0.1:4222"),
            app: environment("INGENIUM_APP", "app"),
            component: environment("INGENIUM_COMPONENT", component),
            prefix: environment("INGENIUM_PREFIX", ""),
            content_type: environment("INGENIUM_CONTENT_TYPE", JSON),
            credentials: environment("INGENIUM_NATS_CREDENTIALS", ""),
            ca: environment("INGENIUM_NATS_CA", ""),
            certificate: environment("INGENIUM_NATS_CERT", ""),
            key: environment("INGENIUM_NATS_KEY", ""),
            allow_plaintext: environment("INGENIUM_ALLOW_PLAINTEXT", "") == "1",
        }
    }

    /// Puts the prefix before a subject that keeps apps on one server apart.
    pub(crate) fn on_server(&self, subject: &str) -> String {
        if self.prefix.is_empty() { subject.into() } else { format!("{}.{subject}", self.prefix) }
    }

    pub(crate) fn from_server<'a>(&self, subject: &'a str) -> &'a str {
        if self.prefix.is_empty() {
            return subject;
        }
        let rest = subject.strip_prefix(self.prefix.as_str());
        rest.and_then(|rest| rest.strip_prefix('.')).unwrap_or(subject)
    }

    pub(crate) fn servers(&self) -> Result<Vec<ServerAddr>, Error> {
        let mut servers = Vec::new();
        for text in self.server.split(',') {
            // The reason may repeat what it could not read, which may be a password.
            let server: ServerAddr = text.trim().parse().map_err(|_| {
                "cannot read the address in NATS_SERVER: write it as nats://host:port"
            })?;
            servers.push(server);
        }
        Ok(servers)
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        if ![JSON, BINARY].contains(&self.content_type.as_str()) {
            return Err(format!(
                "content type {:?} is unknown: set INGENIUM_CONTENT_TYPE to {JSON} or {BINARY}",
                self.content_type
            )
            .into());
        }
        if !self.ca.is_empty() || self.allow_plaintext {
            return Ok(());
        }
        for server in self.servers()? {
            let host = server.host();
            let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
            let is_here = host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback());
            if !is_here && !server.tls_required() {
                return Err(format!(
                    "{host} is on another machine, and nothing would be encrypted: write \
                     tls://{host}, with INGENIUM_NATS_CA for a certificate of your own, or set \
                     INGENIUM_ALLOW_PLAINTEXT=1 where the network protects itself"
                )
                .into());
            }
        }
        Ok(())
    }

    /// How a role connects to the server.
    pub(crate) fn options(&self, role: &str) -> Result<ConnectOptions, Error> {
        self.check()?;
        let of_role = |path: &str| path.replace("{role}", role);
        let mut options = ConnectOptions::new()
            .name(&self.component)
            .custom_inbox_prefix(format!("_INBOX.{role}"))
            .subscription_capacity(1 << 18);
        // The library takes them from the URL as they stand there, percent signs and all.
        for server in self.servers()? {
            let decode = |text| percent_decode_str(text).decode_utf8().map(|text| text.into_owned());
            match (server.username(), server.password()) {
                (Some(user), Some(password)) => {
                    options = options.user_and_password(decode(user)?, decode(password)?);
                }
                (Some(token), None) => options = options.token(decode(token)?),
                _ => {}
            }
        }
        if !self.ca.is_empty() {
            options = options.add_root_certificates(PathBuf::from(&self.ca)).require_tls(true);
        }
        if !self.certificate.is_empty() {
            let key = if self.key.is_empty() { &self.certificate } else { &self.key };
            options = options
                .add_client_certificate(of_role(&self.certificate).into(), of_role(key).into())
                .require_tls(true);
        }
        if !self.credentials.is_empty() {
            options = credentials(options, &of_role(&self.credentials))?;
        }
        Ok(options)
    }
}

fn environment(name: &str, otherwise: &str) -> String {
    let value = env::var(name).unwrap_or_default();
    let value = value.trim();
    if value.is_empty() { otherwise.into() } else { value.into() }
}

/// Takes what a file of credentials holds; an error repeats nothing of it.
fn credentials(options: ConnectOptions, path: &str) -> Result<ConnectOptions, Error> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read the credentials in {path}: {error}"))?;
    let text = text.trim();
    let is_seed = text.len() == 58 && text.starts_with("SU");
    if is_seed || text.contains("BEGIN NATS USER JWT") {
        return with_key(options, text, is_seed);
    }
    match text.split_once(':') {
        Some((user, password)) if !text.contains(char::is_whitespace) => {
            Ok(options.user_and_password(user.into(), password.into()))
        }
        _ => Err(format!(
            "{path} holds no credentials: put a .creds file, a user's seed or a line \
             user:password into it"
        )
        .into()),
    }
}

#[cfg(feature = "nkeys")]
fn with_key(options: ConnectOptions, text: &str, is_seed: bool) -> Result<ConnectOptions, Error> {
    if is_seed {
        return Ok(options.nkey(text.into()));
    }
    // The library finds the seed only where its last line ends as a line does.
    Ok(options.credentials(&format!("{text}\n"))?)
}

#[cfg(not(feature = "nkeys"))]
fn with_key(_: ConnectOptions, _: &str, _: bool) -> Result<ConnectOptions, Error> {
    Err("the credentials hold a key: build ingenium with its feature nkeys".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(server: &str) -> Settings {
        Settings { server: server.into(), content_type: JSON.into(), ..Default::default() }
    }

    #[test]
    fn passwords_are_not_sent_in_the_clear() {
        for server in ["nats://127.0.0.1:4222", "localhost", "tls://nats.example.com"] {
            settings(server).check().unwrap();
        }
        for server in ["nats://u:secret@nats.example.com", "127.0.0.1,other:4222"] {
            let error = settings(server).check().unwrap_err().to_string();
            assert!(error.contains("another machine") && !error.contains("secret"), "{error}");
        }
        Settings { allow_plaintext: true, ..settings("far:4222") }.check().unwrap();
        let text = Settings { content_type: "text/plain".into(), ..settings("localhost") };
        assert!(text.check().is_err());
    }

    #[test]
    fn prefix_goes_before_subjects_and_comes_off_again() {
        let with = Settings { prefix: "paper".into(), ..settings("localhost") };
        assert_eq!(with.on_server("a.b"), "paper.a.b");
        assert_eq!(with.from_server("paper.a.b"), "a.b");
        assert_eq!(settings("localhost").from_server("paper.a.b"), "paper.a.b");
    }
}
