"""First connection to a NATS server, bounded in time, with the reason of a failure."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from ingenium.bus.nats.addresses import Address, is_final, is_hang_up, reason_of
from ingenium.bus.nats.credentials import check_encrypted, read_credentials
from ingenium.bus.nats.options import NatsOptions
from ingenium.errors import BusConnectError

if TYPE_CHECKING:
    from ingenium.bus.nats.nats_client import SafeClient

__all__ = ["first_connect"]

_log = logging.getLogger("ingenium.bus")
_CLOSE_SECONDS = 2.0
_ATTEMPT_SECONDS = 2.0

_Callback = Callable[[], Awaitable[None]]


class _Attempts:
    """Collects errors of connection attempts, which nats-py retries silently.

    Args:
        client: Receives later errors.
        address: Where to.
        seconds: Timeout of the first connection.
    """

    def __init__(self, client: SafeClient, address: Address, seconds: float) -> None:
        self._client = client
        self._address = address
        self._seconds = seconds
        self.last_error: BaseException | None = None
        self.connected = False
        self.hopeless: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def on_error(self, error: Exception) -> None:
        """Record an error; called within the read loop of the client, so it must not wait."""
        self._client.note_error(error)
        if self.connected:
            _log.debug("%s: %s", self._address.text, reason_of(error))
            return
        if self.hopeless.done():
            return  # Errors after this point only follow from closing the connection.
        # A final error of one server of a cluster says nothing about the others.
        final = is_final(error) and len(self._address.servers) == 1
        if self.last_error is None and not final:
            _log.warning(
                "cannot reach %s yet: %s; trying for %g s",
                self._address.text,
                reason_of(error),
                self._seconds,
            )
        self.note(error)
        if final:
            self.hopeless.set_result(None)

    def note(self, error: BaseException) -> None:
        """Keep an error as the reason, preferring one that explains the failure."""
        if self.last_error is None or not is_hang_up(error):
            self.last_error = error


async def first_connect(
    client: SafeClient,
    address: Address,
    name: str,
    options: NatsOptions,
    *,
    on_disconnected: _Callback,
    on_reconnected: _Callback,
    on_closed: _Callback,
) -> None:
    """Connect a client.

    Args:
        client: A new client.
        address: Where to.
        name: Of the connection.
        options: Settings.
        on_disconnected: Called when the connection is lost or closed.
        on_reconnected: Called after a reconnect.
        on_closed: Called when the connection is closed for good.

    Raises:
        BusConnectError: The connection failed, timed out or would be unencrypted; the client is
            closed.
        MissingDependencyError: The library for the credentials is not installed.
    """
    check_encrypted(address, options)
    client.plaintext_elsewhere = options.allow_plaintext
    settings = _settings(address, name, options)
    progress = _Attempts(client, address, options.connect_timeout_seconds)
    connect = asyncio.ensure_future(
        client.connect(
            error_cb=progress.on_error,
            disconnected_cb=on_disconnected,
            reconnected_cb=on_reconnected,
            closed_cb=on_closed,
            **settings,
        )
    )
    try:
        await asyncio.wait(
            {connect, progress.hopeless},
            timeout=options.connect_timeout_seconds,
            return_when=asyncio.FIRST_COMPLETED,
        )
        if connect.done():
            if (latest := connect.exception()) is not None:
                progress.note(latest)
            progress.connected = latest is None and client.is_up
    finally:
        if not progress.connected:
            connect.cancel()
            await asyncio.wait({connect}, timeout=_CLOSE_SECONDS)
            await client.shut(_CLOSE_SECONDS)
    if progress.connected:
        return
    error = progress.last_error
    reason = reason_of(error)
    whom = _whom(settings, options) if reason.startswith("authorization") else ""
    raise BusConnectError(f"cannot reach {address.text}{whom}: {reason}") from error


def _whom(settings: dict[str, Any], options: NatsOptions) -> str:
    user = settings.get("user")
    if options.credentials_file is None:
        return f" as user {user!r}" if user else ""
    return (f" as user {user!r}," if user else "") + f" with {options.credentials_file}"


def _settings(address: Address, name: str, options: NatsOptions) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "servers": list(address.servers),
        "name": name,
        "connect_timeout": min(_ATTEMPT_SECONDS, options.connect_timeout_seconds),
        # The client adds its own growing delay.
        "reconnect_time_wait": 0.01,
        "max_reconnect_attempts": -1,
        "ping_interval": options.ping_interval_seconds,
        "max_outstanding_pings": 2,
        "pending_size": options.reconnect_buffer_bytes,
        "inbox_prefix": options.inbox_prefix,
    }
    user = options.user or address.user
    token = options.token or address.token
    if options.credentials_file is not None:
        settings |= read_credentials(options.credentials_file)
    elif user:
        settings |= {"user": user, "password": options.password or address.password}
    elif token:
        settings["token"] = token
    if options.tls is not None:
        settings["tls"] = options.tls
    elif any(server.startswith("tls:") for server in address.servers):
        # With a TLS context set, the client refuses servers without TLS.
        settings["tls"] = ssl.create_default_context()
    return settings
