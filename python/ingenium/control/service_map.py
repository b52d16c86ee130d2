"""All services of the control plane, with what they share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from connectrpc_grpcreflect import (
    ServerReflectionAlphaASGIApplication,
    ServerReflectionAlphaService,
    ServerReflectionASGIApplication,
    ServerReflectionService,
)

from ingenium.control._gen.ingenium.control.v1 import session_connect, session_pb
from ingenium.control.app_catalog import AppCatalog
from ingenium.control.audit_log import AuditLog
from ingenium.control.call_guard import CallBoundary, RoleGuard
from ingenium.control.callers import CallerRegistry
from ingenium.control.http_gate import MOST_BYTES, Application
from ingenium.control.session_service import SessionCalls

__all__ = ["ControlServices"]


class ControlServices:
    """Makes the services.

    Args:
        catalog: The apps.
        callers: Knows credentials.
        audit: The audit log.
        url: URL of this server.
        instance: Name of this start of the server.

    Attributes:
        session_path: Path of the methods of SessionService.
        applications: ASGI applications by path, ``"/package.Service"``.
    """

    def __init__(
        self,
        catalog: AppCatalog,
        callers: CallerRegistry,
        audit: AuditLog,
        url: str,
        instance: str,
    ) -> None:
        self._catalog = catalog
        options: dict[str, Any] = {
            "interceptors": (RoleGuard(), CallBoundary(audit)),
            "read_max_bytes": MOST_BYTES,
            # A compressed body may be far larger than its bytes.
            "compressions": (),
        }
        made = [
            session_connect.SessionServiceASGIApplication(
                SessionCalls(callers, url, instance, self._check), **options
            ),
        ]
        self.session_path = made[0].path
        files = [session_pb.desc()]
        reflection = [
            ServerReflectionASGIApplication(ServerReflectionService(*files), **options),
            ServerReflectionAlphaASGIApplication(ServerReflectionAlphaService(*files), **options),
        ]
        self.applications: Mapping[str, Application] = {
            each.path: each for each in (*made, *reflection)
        }

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run what works beside calls."""
        yield

    def close(self) -> None:
        """End all streams."""

    async def _check(self, app: str) -> list[session_pb.HealthCheck]:
        return []
