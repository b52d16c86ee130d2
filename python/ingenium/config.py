"""Settings from the environment; no other module reads it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path

from ingenium.errors import ConfigError

__all__ = ["Settings"]

_SERVER = "NATS_SERVER"
_DATA_DIRECTORY = "INGENIUM_DATA_DIR"
_APP = "INGENIUM_APP"
_COMPONENT = "INGENIUM_COMPONENT"
_STOP_WITH_INPUT = "INGENIUM_STOP_WITH_INPUT"
_CREDENTIALS = "INGENIUM_NATS_CREDENTIALS"
_CA = "INGENIUM_NATS_CA"
_CERTIFICATE = "INGENIUM_NATS_CERT"
_KEY = "INGENIUM_NATS_KEY"
_ALLOW_PLAINTEXT = "INGENIUM_ALLOW_PLAINTEXT"
_SERVER_BINARY = "INGENIUM_NATS_SERVER_BINARY"
_DATA_SUBJECTS = "INGENIUM_DATA_SUBJECTS"
_CONTENT_TYPE = "INGENIUM_CONTENT_TYPE"
_PREFIX = "INGENIUM_PREFIX"
_STREAM_REPLICAS = "INGENIUM_STREAM_REPLICAS"
_HEALTH_PORT = "INGENIUM_HEALTH_PORT"
_ALL_OUTPUT = "INGENIUM_ALL_OUTPUT"
_RUN_LOG = "INGENIUM_RUN_LOG"
_CRASH_AT = "INGENIUM_CRASH_AT"
_HANDLER_SECONDS = "INGENIUM_HANDLER_SECONDS"
_BLOCKED_SECONDS = "INGENIUM_BLOCKED_SECONDS"
_HALT_AWAY_SECONDS = "INGENIUM_HALT_AWAY_SECONDS"


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of a process, from environment variables.

    Attributes:
        nats_server: ``NATS_SERVER``, the URL of the server to use; empty for an embedded one.
        data_directory: ``INGENIUM_DATA_DIR``, where an embedded server keeps its store and
            components keep theirs; ``.ingenium`` in the working directory when not set.
        stop_with_input: ``INGENIUM_STOP_WITH_INPUT``, set for a child whose standard input is a
            pipe of its parent: a closed pipe means that the parent is gone.
        credentials: ``INGENIUM_NATS_CREDENTIALS``, a ``.creds`` file, or one with an nkey's seed or
            ``user:password``. In its path, and in those of certificate and key, ``{role}`` stands
            for the role of the connecting component.
        ca_file: ``INGENIUM_NATS_CA``, the authorities to trust; the system's when not set.
        certificate_file: ``INGENIUM_NATS_CERT``, a certificate to show to the server.
        key_file: ``INGENIUM_NATS_KEY``, its key; in the certificate's file when not set.
        allow_plaintext: ``INGENIUM_ALLOW_PLAINTEXT=1``, allow connections to other machines
            without TLS.
        server_binary: ``INGENIUM_NATS_SERVER_BINARY``, a nats-server to trust for the embedded one;
            a known build is searched for when not set.
        data_subjects: ``INGENIUM_DATA_SUBJECTS``, with commas between them: further subjects that
            ingestors publish and every component may read, such as ``acme.news.>``.
        content_type: ``INGENIUM_CONTENT_TYPE``, the form in which events are published:
            ``application/json``, which is the default, or ``application/protobuf``.
        prefix: ``INGENIUM_PREFIX``, the prefix of all subjects on the server, which keeps apps
            on one server apart; empty for the documented subjects, ``None`` if not set. See
            `ingenium.subjects.space.SubjectSpace`.
        stream_replicas: ``INGENIUM_STREAM_REPLICAS``, servers of a cluster that keep a copy of each
            new stream: 1, which is the default, 3 or 5.
        health_port: ``INGENIUM_HEALTH_PORT``, port on all addresses at which a process says
            whether it lives and is ready, for the probes of a cluster; none by default.
        all_output: ``INGENIUM_ALL_OUTPUT=1``: every line that programs in other languages print is
            shown, not only the first ones and ten every five seconds.
        run_log: ``INGENIUM_RUN_LOG``, the log of a run in the background, which it keeps small; set
            by ``ingenium run --detach``.
        crash_at: ``INGENIUM_CRASH_AT``, for tests: component and failpoint of a simulated kill,
            ``"portfolio/committed:3"``.
        handler_seconds: ``INGENIUM_HANDLER_SECONDS``, time limit of a handler in a replay over
            a server; 30 by default.
        blocked_seconds: ``INGENIUM_BLOCKED_SECONDS``, time after which a handler of a live app
            that blocks the event loop is reported; 1 by default.
        halt_away_seconds: ``INGENIUM_HALT_AWAY_SECONDS``, seconds without its server after
            which a live app halts trading by its kill file; never by default.
        environment: All variables, to pass on to children.
    """

    nats_server: str = field(default="", repr=False)
    data_directory: Path = Path(".ingenium")
    stop_with_input: bool = False
    credentials: Path | None = None
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    allow_plaintext: bool = False
    server_binary: Path | None = None
    data_subjects: tuple[str, ...] = ()
    content_type: str = ""
    prefix: str | None = None
    stream_replicas: int = 1
    health_port: int | None = None
    all_output: bool = False
    run_log: Path | None = None
    crash_at: str = ""
    handler_seconds: float = 30.0
    blocked_seconds: float = 1.0
    halt_away_seconds: float | None = None
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read the settings.

        Args:
            environment: Variables; those of the process by default.

        Raises:
            ConfigError: A number is invalid.
        """
        variables = dict(os.environ if environment is None else environment)
        return cls(
            nats_server=variables.get(_SERVER, "").strip(),
            data_directory=Path(variables.get(_DATA_DIRECTORY, "").strip() or ".ingenium"),
            stop_with_input=variables.get(_STOP_WITH_INPUT, "") == "1",
            credentials=_path(variables, _CREDENTIALS),
            ca_file=_path(variables, _CA),
            certificate_file=_path(variables, _CERTIFICATE),
            key_file=_path(variables, _KEY),
            allow_plaintext=variables.get(_ALLOW_PLAINTEXT, "") == "1",
            server_binary=_path(variables, _SERVER_BINARY),
            data_subjects=_list(variables.get(_DATA_SUBJECTS, "")),
            content_type=variables.get(_CONTENT_TYPE, "").strip(),
            prefix=None if (prefix := variables.get(_PREFIX)) is None else prefix.strip(),
            stream_replicas=_replicas(variables),
            health_port=_port(variables),
            all_output=variables.get(_ALL_OUTPUT, "") == "1",
            run_log=_path(variables, _RUN_LOG),
            crash_at=variables.get(_CRASH_AT, "").strip(),
            handler_seconds=_seconds(variables, _HANDLER_SECONDS, 30.0),
            blocked_seconds=_seconds(variables, _BLOCKED_SECONDS, 1.0),
            halt_away_seconds=_seconds_or_none(variables, _HALT_AWAY_SECONDS),
            environment=variables,
        )

    def with_server(self, url: str) -> Settings:
        """Return these settings with another server, without the credentials of this one."""
        own = (_CREDENTIALS, _CA, _CERTIFICATE, _KEY)
        return replace(
            self,
            nats_server=url,
            credentials=None,
            ca_file=None,
            certificate_file=None,
            key_file=None,
            environment={k: v for k, v in self.environment.items() if k not in own},
        )

    def at_server(self, url: str) -> Settings:
        """Return these settings with another server, including its credentials."""
        return replace(self, nats_server=url)

    def with_prefix(self, prefix: str) -> Settings:
        """Return these settings with another subject prefix; empty for none."""
        return replace(self, prefix=prefix)

    def for_role(self, role: str, component: str = "") -> Settings:
        """Return these settings with the files of a role, or of a component.

        Args:
            role: ``"strategy"`` or another role; replaces ``{role}`` in paths.
            component: Name of the component. A file with ``strategy.<name>`` in that place
                takes precedence.
        """
        return replace(
            self,
            credentials=_of_role(self.credentials, role, component),
            certificate_file=_of_role(self.certificate_file, role, component),
            key_file=_of_role(self.key_file, role, component),
        )

    def for_background(self, log: Path) -> dict[str, str]:
        """Return the environment of a run in the background.

        Args:
            log: File that its output is appended to.
        """
        return {**self.environment, _RUN_LOG: str(log), "PYTHONUNBUFFERED": "1"}

    def for_child(self, *, app: str, component: str) -> dict[str, str]:
        """Return the environment of a program that runs a component.

        Args:
            app: Name of the app.
            component: Name of the component.
        """
        files = {
            _CREDENTIALS: self.credentials,
            _CERTIFICATE: self.certificate_file,
            _KEY: self.key_file,
        }
        # Components write to a pipe of the run, which is what a service manager watches, and two
        # processes cannot have one port.
        of_run = (_RUN_LOG, _HEALTH_PORT, "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
        return {
            **{name: value for name, value in self.environment.items() if name not in of_run},
            **{name: str(path) for name, path in files.items() if path is not None},
            _SERVER: self.nats_server,
            # Set even if empty, so that a child does not choose its own.
            _PREFIX: self.prefix or "",
            _APP: app,
            _COMPONENT: component,
            _STOP_WITH_INPUT: "1",
            # Unbuffered, so that output of a component appears at once.
            "PYTHONUNBUFFERED": "1",
        }


def _path(variables: Mapping[str, str], name: str) -> Path | None:
    text = variables.get(name, "").strip()
    return Path(text) if text else None


def _replicas(variables: Mapping[str, str]) -> int:
    text = variables.get(_STREAM_REPLICAS, "").strip() or "1"
    if text not in {"1", "3", "5"}:
        raise ConfigError(f"{_STREAM_REPLICAS} is {text!r}: use 1, 3 or 5")
    return int(text)


def _port(variables: Mapping[str, str]) -> int | None:
    text = variables.get(_HEALTH_PORT, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65_536):
        raise ConfigError(f"{_HEALTH_PORT} is {text!r}: use a port, such as 8080")
    return int(text)


def _seconds_or_none(variables: Mapping[str, str], name: str) -> float | None:
    return _seconds(variables, name, 0.0) or None


def _seconds(variables: Mapping[str, str], name: str, default: float) -> float:
    text = variables.get(name, "").strip()
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < inf:
        raise ConfigError(f"{name} is {text!r}: use a number of seconds above 0, such as 60")
    return seconds


def _of_role(path: Path | None, role: str, component: str) -> Path | None:
    if path is None:
        return None
    own = Path(str(path).replace("{role}", f"{role}.{component}"))
    return own if component and own.exists() else Path(str(path).replace("{role}", role))


def _list(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
