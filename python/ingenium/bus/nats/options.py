"""Options of a connection to a NATS server."""

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
    """Options of a connection; the defaults suit a loopback or local network.

    Attributes:
        user: User name; if empty, the one in the URL is used.
        password: Password of the user.
        token: Token, for a server that requires one.
        credentials_file: A ``.creds`` file with a JWT and an nkey seed, a file with such a seed
            alone, or one with a line ``user:password``; read at each connection.
        tls: TLS context; by default the system's authorities, if the address or the server requires
            TLS.
        allow_plaintext: Whether a connection to another machine may lack TLS.
        inbox_prefix: Prefix of the reply subjects.
        connect_timeout_seconds: Timeout of the first connection. A refused connection is retried
            within this time, since the server may still be starting; wrong credentials, an unknown
            host and a bad certificate fail at once.
        flush_timeout_seconds: Maximum time that `subscribe` and `stop` wait for the server.
        drain_timeout_seconds: Maximum time of `drain`, and that `stop` waits for a handler.
        reconnect_buffer_bytes: Maximum bytes published while disconnected, which are sent after the
            reconnect. Orders must not be sent minutes late: their connection uses 0, and `publish`
            then raises `BusError` at once.
        pending_bytes: Maximum bytes waiting for one handler: payloads plus 512 per message. Further
            messages are dropped and reported as a gap. 256 MiB hold 300,000 bars: a slow reader of
            a replay at full speed has minutes to catch up, and a hanging handler cannot fill the
            memory.
        ping_interval_seconds: Interval of PINGs to a silent server. After two intervals without an
            answer the connection counts as lost.
        content_type: Encoding of published events; JSON by default. Received messages are decoded
            as they state.
        space: Subject space; by default the documented subjects.
        stream_replicas: Number of servers of a cluster that keep a copy of each stream that this
            connection creates: 1, 3 or 5.
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
    stream_replicas: int = 1
