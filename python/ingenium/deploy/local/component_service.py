"""Shows a component as a NATS micro service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ingenium import _version
from ingenium._gen.ingenium.v1 import ComponentStatus
from ingenium.bus.nats.bus import NatsBus
from ingenium.bus.nats.micro_service import EndpointReport, MicroService, ServiceReport
from ingenium.clock import format_time
from ingenium.components import App
from ingenium.components.component import role_of
from ingenium.deploy.local.command_listener import CommandListener
from ingenium.deploy.local.component_status import Observed
from ingenium.deploy.local.source_revision import source_revision
from ingenium.events import CancelEvent, DataEvent, Event, OrderEvent, ReplaceEvent
from ingenium.runtime.progress import HandlerTally, Progress
from ingenium.runtime.subscriptions import subscriptions_of
from ingenium.subjects.names import ALL_DATA

__all__ = ["ComponentService", "metadata_of"]

_LONGEST_TEXT = 2000
_NANOSECONDS = 1_000_000_000
_REQUESTS: tuple[type[Event], ...] = (OrderEvent, CancelEvent, ReplaceEvent)


def metadata_of(app: str, role: str, prefix: str, subjects: str) -> dict[str, str]:
    """Return the facts about a program in Python that do not change.

    Args:
        app: Name of its app.
        role: Its role.
        prefix: Prefix of the app's subjects on the server; empty for none.
        subjects: Subjects that it reads, with commas between them.
    """
    return {
        "app": app,
        "role": role,
        "language": "python",
        "sdk": "ingenium",
        "sdk_version": _version.__version__,
        "prefix": prefix,
        "subjects": subjects[:_LONGEST_TEXT],
    }


class ComponentService:
    """One component as a service: what it is, what it has done, and commands to it.

    Args:
        bus: Connection of the component.
        app: App of the component.
        member: Runner of the component.
        life: Tells this start of the component from all others; the id of the service.
        status: Returns the present status.

    Attributes:
        commands: Takes commands to this start of the component.
    """

    def __init__(
        self,
        bus: NatsBus,
        app: App,
        member: Observed,
        life: str,
        status: Callable[[], ComponentStatus],
    ) -> None:
        self._member = member
        self._status = status
        component = member.component
        role = role_of(component)
        wanted = subscriptions_of(component)
        subjects = ",".join(bus.space.to_server(subject) for subject, _ in wanted)
        self._facts = metadata_of(app.name, role, bus.space.prefix, subjects) | {
            "app_version": app.version,
            "revision": source_revision(app.source_file),
        }
        self._endpoints = {
            _endpoint_name(kind): (bus.space.to_server(subject), kind) for subject, kind in wanted
        }
        if sum(kind is DataEvent for _, kind in wanted) > 1:
            # One endpoint for all symbols; the metadata has their subjects.
            self._endpoints["data"] = (bus.space.to_server(ALL_DATA), DataEvent)
        self.commands = CommandListener(bus, app.name, component.name, life, member.pause)
        self._service = MicroService(
            bus,
            component.name,
            life,
            _version.__version__,
            f"{role} {component.name} of {app.name}",
            self._report,
        )

    async def open(self) -> None:
        """Be listed, and take commands, from now on."""
        await self.commands.open()
        await self._service.open()

    async def close(self) -> None:
        """Be listed no more."""
        await self._service.close()
        await self.commands.close()

    def _report(self) -> ServiceReport:
        """Return the present report.

        Raises:
            StoreError: The component's store cannot be read.
        """
        status, progress = self._status(), self._member.progress
        is_paused = self._member.pause.is_on
        endpoints = [
            _endpoint(name, subject, progress, _REQUESTS if kind is None else (kind,))
            for name, (subject, kind) in self._endpoints.items()
        ]
        data = _numbers(status, progress) | {"paused": is_paused}
        state = {
            "state": status.state,
            "trading": status.trading or "",
            "paused": str(is_paused).lower(),
        }
        endpoints += self.commands.endpoints()
        endpoints[0].data = data  # the numbers of the whole component, once
        return ServiceReport(self._facts | state, endpoints)


def _endpoint_name(kind: type[Event] | None) -> str:
    return "request" if kind is None else kind.__name__.removesuffix("Event").lower()


def _endpoint(
    name: str, subject: str, progress: Progress, kinds: tuple[type[Event], ...]
) -> EndpointReport:
    found = [progress.tallies[kind] for kind in kinds if kind in progress.tallies]
    return EndpointReport(name, subject, **_sum_of(found))


def _sum_of(tallies: list[HandlerTally]) -> dict[str, Any]:
    calls = sum(tally.calls for tally in tallies)
    spent = round(sum(tally.seconds for tally in tallies) * _NANOSECONDS)
    return {
        "num_requests": calls,
        "num_errors": sum(tally.failures for tally in tallies),
        "last_error": next((tally.last_error for tally in tallies if tally.last_error), ""),
        "processing_time": spent,
        "average_processing_time": spent // calls if calls else 0,
    }


def _numbers(status: ComponentStatus, progress: Progress) -> dict[str, Any]:
    """Return the numbers of the whole component, in the form that all languages share."""
    total = _sum_of(list(progress.tallies.values()))
    last, started = status.last_time, status.start_time
    return {
        "state": status.state,
        "trading": status.trading or "",
        "trading_reason": status.trading_reason or "",
        "problem": status.problem or "",
        "handled": progress.handled,
        "sent": progress.sent,
        "failed": total["num_errors"],
        "late": progress.late,
        "waiting": status.waiting,
        "outbox": status.outbox,
        "lag_milliseconds": status.lag_milliseconds,
        "last_error": total["last_error"],
        "processing_time": total["processing_time"],
        "average_processing_time": total["average_processing_time"],
        "last_event": status.last_event or "",
        "last_symbol": status.last_symbol or "",
        "last_time": "" if last is None else format_time(last),
        "start_time": "" if started is None else format_time(started),
        "host": status.host,
        "process": status.process,
    }
