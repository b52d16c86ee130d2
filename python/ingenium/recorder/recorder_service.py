"""Shows a recorder as a NATS micro service, and takes commands to it."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ingenium import _version
from ingenium.bus.nats.bus import NatsBus
from ingenium.bus.nats.micro_service import EndpointReport, MicroService, ServiceReport
from ingenium.bus.roles import RECORDER
from ingenium.deploy.local.command_listener import CommandListener
from ingenium.deploy.local.component_service import metadata_of
from ingenium.ids import random_id
from ingenium.recorder.event_recorder import Recorder
from ingenium.subjects.names import ALL_EVENTS

__all__ = ["listed_recorder"]


@asynccontextmanager
async def listed_recorder(
    bus: NatsBus, app: str, recorder: Recorder, stop: asyncio.Event
) -> AsyncIterator[None]:
    """List a recorder as a service for the duration of the context.

    Args:
        bus: Connection of the recorder.
        app: Name of the app that it records.
        recorder: The recorder.
        stop: Set by an operator's command to stop.
    """
    life = random_id("life")
    subject = bus.space.to_server(ALL_EVENTS)
    facts = metadata_of(app, RECORDER, bus.space.prefix, subject)
    commands = CommandListener(bus, app, RECORDER, life, recorder.pause, stop)

    def report() -> ServiceReport:
        counts = recorder.counts
        state = {"state": "ready", "paused": str(recorder.pause.is_on).lower()}
        data = {
            "state": "ready",
            "handled": counts.events,
            "gaps": counts.gaps,
            "paused": recorder.pause.is_on,
            "host": socket.gethostname(),
            "process": os.getpid(),
        }
        events = EndpointReport("events", subject, num_requests=counts.events, data=data)
        return ServiceReport(facts | state, [events, *commands.endpoints()])

    service = MicroService(bus, RECORDER, life, _version.__version__, f"recorder of {app}", report)
    await commands.open()
    await service.open()
    try:
        yield
    finally:
        await service.close()
        await commands.close()
