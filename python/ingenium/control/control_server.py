"""Serves the control plane on one port: gRPC, JSON and pages."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import uvicorn

from ingenium.control.access_file import access_file, written_access
from ingenium.control.app_catalog import AppCatalog
from ingenium.control.audit_log import AuditLog
from ingenium.control.callers import AccessRole, CallerRegistry
from ingenium.control.http_gate import HttpGate
from ingenium.control.service_map import ControlServices
from ingenium.control.static_files import StaticFiles
from ingenium.deploy.local.signals import Stop
from ingenium.errors import ConfigError
from ingenium.ids import random_id

__all__ = ["PORT", "ControlPlane"]

PORT = 8321
"""Port if none is named and this one is free."""

_LOCAL = "127.0.0.1"
_SHUTDOWN_SECONDS = 1


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """A control plane that is bound to its port.

    Attributes:
        catalog: The apps.
        callers: Knows credentials.
        listener: Socket that it listens on.
        gate: The ASGI application.
        services: Its services.
    """

    catalog: AppCatalog
    callers: CallerRegistry
    listener: socket.socket
    gate: HttpGate
    services: ControlServices

    @classmethod
    def bind(
        cls, catalog: AppCatalog, user: str, role: AccessRole, port: int | None = None
    ) -> ControlPlane:
        """Bind to a port of this machine, which nothing outside of it can reach.

        Args:
            catalog: The apps.
            user: Name of the person for the audit log.
            role: The most that anybody may do.
            port: The port, 0 for any free one; `PORT` or a free one when ``None``.

        Raises:
            ConfigError: The port is taken.
        """
        listener = _listen(port)
        number = listener.getsockname()[1]
        callers = CallerRegistry(user, role)
        audit = AuditLog(catalog.settings.data_directory / "control-audit.jsonl")
        url = f"http://{_LOCAL}:{number}"
        services = ControlServices(catalog, callers, audit, url, random_id("control"))
        gate = HttpGate(number, callers, services.applications, StaticFiles())
        return cls(catalog, callers, listener, gate, services)

    @property
    def url(self) -> str:
        """Its URL, without a token."""
        return f"http://{_LOCAL}:{self.listener.getsockname()[1]}"

    def login_url(self) -> str:
        """Return a URL that opens one session."""
        return f"{self.url}/login?token={self.callers.make_login(self.callers.role)}"

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Own what works beside requests, whichever server answers them."""
        access = {
            "url": self.url,
            "create_login": f"{self.url}{self.services.session_path}/CreateLogin",
            "tokens": {role.name.lower(): token for role, token in self.callers.bearers.items()},
        }
        path = access_file(self.catalog.settings.data_directory)
        with written_access(path, access):
            async with self.services.running():
                yield

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
        )
        server = _QuietServer(config)

        def end() -> None:
            self.services.close()
            server.should_exit = True

        stop.on_ask(end)
        async with self.opened():
            await server.serve(sockets=[self.listener])


class _QuietServer(uvicorn.Server):
    """Leaves signals to the command line."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Change no handler."""
        yield


def _listen(port: int | None) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((_LOCAL, PORT if port is None else port))
    except OSError as error:
        if port is None:
            listener.bind((_LOCAL, 0))
        else:
            listener.close()
            raise ConfigError(
                f"port {port} cannot be used: {error.strerror}: name another one with --port"
            ) from error
    # A client may connect as soon as it knows the URL.
    listener.listen()
    return listener
