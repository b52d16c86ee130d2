"""Lists components, and sends them commands."""

from __future__ import annotations

from typing import Any

from connectrpc.request import RequestContext

from ingenium.control._gen.ingenium.control.v1 import components_pb as pb
from ingenium.control._gen.ingenium.control.v1.components_connect import ComponentService
from ingenium.control.app_monitors import AppMonitors
from ingenium.control.call_guard import caller_now, refuse
from ingenium.control.component_messages import component_messages
from ingenium.control.once_by_id import OnceById
from ingenium.operations.component_services import command

__all__ = ["ComponentCalls"]

Context = RequestContext[Any, Any]

_COMMANDS = {
    pb.Command.PAUSE: "pause",
    pb.Command.RESUME: "resume",
    pb.Command.STOP: "stop",
    pb.Command.LOG_LEVEL: "log-level",
}
_LEVELS = ("debug", "info", "warning", "error")


class ComponentCalls(ComponentService):
    """Implements ComponentService.

    Args:
        monitors: Observe apps.
    """

    def __init__(self, monitors: AppMonitors) -> None:
        self._monitors = monitors
        self._once = OnceById()

    async def list_components(
        self, request: pb.ListComponentsRequest, _: Context, /
    ) -> pb.ListComponentsResponse:
        """Return all components of an app."""
        monitor = self._monitors.of(request.app)
        view = await monitor.view()
        return pb.ListComponentsResponse(
            components=component_messages(view),
            error=view.error or view.status.server_error,
            observed_time=monitor.observed,
        )

    async def command_component(
        self, request: pb.CommandComponentRequest, _: Context, /
    ) -> pb.CommandComponentResponse:
        """Send a command to a component."""
        what = _COMMANDS.get(request.command)
        if what is None:
            raise refuse("command is not stated: use COMMAND_PAUSE or another one")
        if (what == "log-level") != bool(request.log_level):
            raise refuse("log_level goes with COMMAND_LOG_LEVEL")
        if request.log_level and request.log_level not in _LEVELS:
            raise refuse(f"log_level is {request.log_level!r}: use one of {', '.join(_LEVELS)}")
        monitor = self._monitors.of(request.app)
        place = self._monitors.catalog.place(monitor.app)
        sender = caller_now().user
        result = await self._once.run(
            "CommandComponent",
            request.request_id,
            lambda: command(
                place,
                request.component,
                what,
                sender,
                instance=request.instance,
                level=request.log_level,
            ),
        )
        monitor.expire()
        return pb.CommandComponentResponse(
            component=result.component,
            instance=result.instance,
            paused=result.paused,
            stopping=result.stopping,
            log_level=result.level,
            previous_log_level=result.was,
        )
