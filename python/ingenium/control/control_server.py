"""Serves the control plane on one port: gRPC, JSON and pages."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass

import uvicorn

from ingenium.control.access_file import access_file, written_access
from ingenium.control.app_catalog import AppCatalog
from ingenium.control.audit_log import AuditLog
from ingenium.control.callers import AccessRole, CallerRegistry
from ingenium.control.connection_limits import ConnectionLimits
from ingenium.control.http_gate import HttpGate
from ingenium.control.network_access import LOCAL, NetworkAccess
from ingenium.control.service_map import ControlServices
from ingenium.control.static_files import StaticFiles
from ingenium.deploy.local.signals import Stop
from ingenium.errors import ConfigError
from ingenium.ids import random_id

__all__ = ["PORT", "ControlPlane"]

PORT = 8321
"""Port if none is named and this one is free."""

_SHUTDOWN_SECONDS = 1


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """A control plane that is bound to its port.

    Attributes:
        catalog: The apps.
        callers: Knows credentials.
        access: How it is reached.
        listener: Socket that it listens on.
        gate: The ASGI application.
        services: Its services.
    """

    catalog: AppCatalog
    callers: CallerRegistry
    access: NetworkAccess
    listener: socket.socket
    gate: HttpGate
    services: ControlServices

    @classmethod
    def bind(
        cls,
        catalog: AppCatalog,
        user: str,
        role: AccessRole,
        port: int | None = None,
        access: NetworkAccess = LOCAL,
    ) -> ControlPlane:
        """Bind to a port.

        Args:
            catalog: The apps.
            user: Name of the person for the audit log.
            role: The most that anybody may do.
            port: The port, 0 for any free one; `PORT` or a free one when ``None``.
            access: How it is reached; only from this machine when left out.

        Raises:
            ConfigError: The port is taken, or the address is not one of this machine.
        """
        listener = _listen(access.host, port)
        number = listener.getsockname()[1]
        folder = catalog.settings.data_directory
        sessions = folder / f"control-sessions-{number}.json"
        callers = CallerRegistry(user, role, path=sessions, password=access.password)
        audit = AuditLog(folder / "control-audit.jsonl")
        url = access.url(number)
        services = ControlServices(catalog, callers, audit, url, random_id("control"))
        gate = HttpGate(access, number, callers, services.applications, StaticFiles())
        return cls(catalog, callers, access, listener, gate, services)

    @property
    def url(self) -> str:
        """Its URL, without a token."""
        return self.access.url(self.listener.getsockname()[1])

    def login_url(self) -> str:
        """Return a URL that opens one session."""
        return f"{self.url}/login?token={self.callers.make_login(self.callers.role)}"

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Own what works beside requests, whichever server answers them."""
        content = {
            "url": self.url,
            "create_login": f"{self.url}{self.services.session_path}/CreateLogin",
            "tokens": {role.name.lower(): token for role, token in self.callers.bearers.items()},
            "certificate": None if self.access.is_local else str(self.access.certificate),
        }
        path = access_file(self.catalog.settings.data_directory)
        with written_access(path, content):
            async with self.services.running():
                try:
                    yield
                finally:
                    self.callers.close()

    async def serve(self, stop: Stop) -> None:
        """Serve until a stop."""
        config = uvicorn.Config(
            self.gate,
            http="zttp",
            http2=True,
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
            ssl_certfile=self.access.certificate,
            ssl_keyfile=self.access.key,
        )
        server = _QuietServer(config)

        def end() -> None:
            self.services.close()
            server.should_exit = True

        stop.on_ask(end)
        limits = ConnectionLimits(lambda: server.server_state.connections)
        async with self.opened():
            watch = asyncio.create_task(limits.run())
            try:
                await server.serve(sockets=[self.listener])
            finally:
                watch.cancel()
                with suppress(asyncio.CancelledError):
                    await watch


class _QuietServer(uvicorn.Server):
    """Leaves signals to the command line."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Change no handler."""
        yield


def _listen(host: str, port: int | None) -> socket.socket:
    wanted = PORT if port is None else port
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host.strip("[]"), wanted, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except OSError as error:
        raise ConfigError(f"host {host} is not known: {error.strerror}") from error
    listener = socket.socket(family, kind)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as error:
        if port is not None or error.errno != errno.EADDRINUSE:
            listener.close()
            raise ConfigError(
                f"port {wanted} cannot be used on {host}: {error.strerror}: name another one with "
                "--port"
            ) from error
        listener.bind((address[0], 0))
    # A client may connect as soon as it knows the URL.
    listener.listen()
    return listener
