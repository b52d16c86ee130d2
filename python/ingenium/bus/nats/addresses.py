"""Parse server addresses and describe connection failures."""

from __future__ import annotations

import errno
import socket
import ssl
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from ingenium.errors import BusConnectError

__all__ = ["Address", "is_final", "parse_address", "reason_of"]

_SCHEMES = ("nats", "tls")


@dataclass(frozen=True, slots=True)
class Address:
    """Address of a server, or of several servers of one cluster.

    Attributes:
        servers: URLs without credentials.
        user: User name from the URL, or empty.
        password: Password from the URL, or empty.
        token: Token from the URL, or empty.
    """

    servers: tuple[str, ...]
    user: str = ""
    password: str = ""
    token: str = ""

    @property
    def text(self) -> str:
        """The servers without credentials, for display."""
        return ",".join(self.servers)


_UNREADABLE = (
    "cannot read the server's address: write it as nats://host:port or "
    "nats://user:password@host:port, with / ? # @ in the password as %2F %3F %23 %40"
)


def parse_address(url: str) -> Address:
    """Parse an address in the format of ``NATS_SERVER``.

    Args:
        url: ``nats://user:password@host:port``, ``tls://host``, ``host:port`` or ``host``;
            several of one cluster with commas between them, which share their credentials.

    Raises:
        BusConnectError: The address is malformed; the text never contains a password.
    """
    servers: list[str] = []
    user = password = token = ""
    for part in url.split(","):
        text = part.strip()
        if not text:
            continue
        try:
            split = urlsplit(text if "://" in text else f"nats://{text}")
            host, port = split.hostname, split.port or 4222
        except ValueError:
            # The reason quotes the malformed part, which may be part of the password.
            raise BusConnectError(_UNREADABLE) from None
        if "@" in f"{split.path}{split.query}{split.fragment}":
            raise BusConnectError(_UNREADABLE)
        if split.scheme not in _SCHEMES or not host:
            raise BusConnectError(
                f"cannot use a server's address of scheme {split.scheme!r} and host {host!r}: "
                "write it as nats://host:port or tls://host:port"
            )
        # Go's clients take user and password from the URL decoded; nats-py does not decode them.
        if split.username is not None and split.password is not None:
            user, password = unquote(split.username), unquote(split.password)
        elif split.username:
            token = unquote(split.username)
        shown = f"[{host}]" if ":" in host else host
        servers.append(f"{split.scheme}://{shown}:{port}")
    if not servers:
        raise BusConnectError("the server's address is empty: write it as nats://host:port")
    return Address(tuple(servers), user, password, token)


def is_final(error: BaseException) -> bool:
    """Return whether a retry is pointless."""
    if isinstance(error, socket.gaierror):
        return error.errno != socket.EAI_AGAIN
    if isinstance(error, ssl.SSLError | ValueError):
        return True
    text = str(error).lower()
    return "authorization violation" in text or "does not offer the tls" in text


def is_hang_up(error: BaseException) -> bool:
    """Return whether a server ended a connection before its reason could be read."""
    return isinstance(error, BrokenPipeError | ConnectionResetError) or (
        "unexpected eof" in str(error).lower()
    )


def reason_of(error: BaseException | None) -> str:
    """Describe why a connection failed, without the address."""
    if error is None:
        return "no answer"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the server's certificate is not trusted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {getattr(error, 'reason', None) or error}"
    if isinstance(error, socket.gaierror):
        return f"unknown host: {str(error.strerror).lower()}"
    if isinstance(error, TimeoutError):
        return "no answer: is it a NATS server?"
    if isinstance(error, OSError):
        return _of_system(error)
    text = str(error).removeprefix("nats: ").strip("'").strip()
    lowered = text.lower()
    if "authorization violation" in lowered:
        return "authorization violation: the server does not take these credentials"
    if lowered.startswith("empty response"):
        return "what answers there is no NATS server"
    if lowered == "unexpected eof":
        return "the server ended it"
    return lowered[:1] + text[1:] if text else type(error).__name__


def _of_system(error: OSError) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused: no server listens there"
    if isinstance(error, BrokenPipeError | ConnectionResetError):
        # The server sends its reason at the same moment, which is rarely read in time.
        return "the server hung up at once: it may have as many as its max_connections"
    if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH):
        return "no route to that host"
    # Several addresses of one host: asyncio joins their errors in one text.
    if "Connect call failed" in str(error) and "refused" in str(error).lower():
        return "connection refused: no server listens there"
    return (error.strerror or str(error) or type(error).__name__).lower()
