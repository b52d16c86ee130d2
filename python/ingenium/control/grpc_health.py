"""The standard health service of gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from typing import Any

from connectrpc.request import RequestContext

from ingenium.control._gen.ingenium.control.health import health_pb as pb
from ingenium.control._gen.ingenium.control.health.health_connect import Health
from ingenium.control.call_guard import not_found

__all__ = ["GrpcHealth"]

Context = RequestContext[Any, Any]
_Status = pb.HealthCheckResponse.ServingStatus


class GrpcHealth(Health):
    """Answers that services can be called for as long as the server runs.

    Args:
        services: Full names of the services.
        closing: Set when the server ends.
    """

    def __init__(self, services: Collection[str], closing: asyncio.Event) -> None:
        self._services = {"", *services}
        self._closing = closing

    async def check(self, request: pb.HealthCheckRequest, _: Context, /) -> pb.HealthCheckResponse:
        """Return the state of a service."""
        if request.service not in self._services:
            raise not_found(f"no service {request.service!r}")
        return pb.HealthCheckResponse(status=_Status.SERVING)

    async def watch(
        self, request: pb.HealthCheckRequest, _: Context, /
    ) -> AsyncIterator[pb.HealthCheckResponse]:
        """Stream the state of a service until the server ends."""
        is_known = request.service in self._services
        status = _Status.SERVING if is_known else _Status.SERVICE_UNKNOWN
        yield pb.HealthCheckResponse(status=status)
        await self._closing.wait()
        yield pb.HealthCheckResponse(status=_Status.NOT_SERVING)
