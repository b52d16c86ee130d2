"""How to connect to a NATS server."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from pathlib import Path

from ingenium.events import ContentType
from ingenium.subjects.space import DOCUMENTED, SubjectSpace

__all__ = ["NatsOptions"]

_MIB = 1_048_576


@dataclass(frozen=True, slots=True)
class NatsOptions:
    """Settings of a connection; the defaults suit a component on a loopback or local network.

    Attributes:
        user: User name; one in the URL is used when this is empty.
        password: Its password.
        token: A token, for a server that asks for one.
        credentials_file: A ``.creds`` file with a JWT and an nkey seed, a file with such a seed
            alone, or one with a line ``user:password``; read at each connection.
        tls: How to check the server's certificate, and which one to show; the system's
            authorities when left out and the address or the server asks for TLS.
        allow_plaintext: Whether a server on another machine may be spoken to without TLS.
        inbox_prefix: What the subjects begin with on which answers come.
        connect_timeout_seconds: How long the first connection may take. A server that refuses
            the connection may still be starting, so it is tried again within this time; wrong
            credentials, an unknown host and a bad certificate fail at once.
        flush_timeout_seconds: How long `subscribe` and `stop` wait for the server.
        drain_timeout_seconds: How long `drain` may take, and `stop` wait for a handler.
        reconnect_buffer_bytes: How much may be published while the connection is lost; it is
            sent when there is one again. Orders must not come out of it minutes later: the
            connection that carries them takes 0, and `publish` then raises `BusError` at once.
        pending_bytes: How much may wait for one handler, payloads and 512 bytes a message. Beyond
            it messages are dropped and reported as a gap. 256 MiB are 300,000 bars: a reader
            that falls behind a replay at full speed has minutes to catch up, and a handler that
            hangs cannot fill the machine.
        ping_interval_seconds: How often a silent server is asked for a sign of life. After two
            intervals without one the connection counts as lost.
        content_type: The form in which events are published; JSON when left out. What arrives is
            read in whatever form it says it has.
        space: The subject space; that of the documented subjects when left out.
    """

    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    credentials_file: Path | None = None
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    allow_plaintext: bool = False
    inbox_prefix: str = "_INBOX"
    connect_timeout_seconds: float = 10.0
    flush_timeout_seconds: float = 5.0
    drain_timeout_seconds: float = 5.0
    reconnect_buffer_bytes: int = 8 * _MIB
    pending_bytes: int = 256 * _MIB
    ping_interval_seconds: float = 5.0
    content_type: ContentType | None = None
    space: SubjectSpace = DOCUMENTED
