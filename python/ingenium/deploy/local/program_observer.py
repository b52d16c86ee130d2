"""Publishes the components of a live app, and the state of the programs it started."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from ingenium._gen.ingenium.v1 import ComponentStatus
from ingenium.bus.base import Bus, Message
from ingenium.clock import SystemClock
from ingenium.components import App, Component, External
from ingenium.components.base import role_of
from ingenium.deploy.local.runners import Runner
from ingenium.deploy.local.status_reporter import INTERVAL_SECONDS
from ingenium.deploy.local.supervisor import Supervised
from ingenium.errors import BusError
from ingenium.events import encode
from ingenium.subjects.names import ask_subject, observed_subject

__all__ = ["observed_programs"]

_TICK_SECONDS = 1.0


class _Observer:
    def __init__(self, bus: Bus, app: App, parts: Sequence[Runner]) -> None:
        self._bus = bus
        self._app = app.name
        self._supervised = {
            part.component.name: part for part in parts if isinstance(part, Supervised)
        }
        self._components = app.components
        self._clock = SystemClock()

    async def run(self) -> None:
        """Publish on changes, and every few seconds, until canceled."""
        said: list[tuple[bool, int]] = []
        ticks = 0
        while True:
            now = [(part.process != 0, part.restarts) for part in self._supervised.values()]
            if now != said or ticks % INTERVAL_SECONDS == 0:
                said = now
                await self.publish()
            ticks += 1
            await asyncio.sleep(_TICK_SECONDS)

    async def answer(self, message: Message) -> None:
        """Answer a status request."""
        await self.publish()

    async def publish(self) -> None:
        """Publish the observed state of each program."""
        for component in self._components:
            state, process, restarts = self._see(component)
            status = ComponentStatus(
                app=self._app,
                component=component.name,
                role=role_of(component),
                # Components in Python publish their own status once connected.
                language="" if isinstance(component, External) else "python",
                host=socket.gethostname(),
                process=process,
                state=state,
                timestamp=self._clock.now(),
                interval_seconds=INTERVAL_SECONDS,
                restarts=restarts,
            )
            try:
                await self._bus.publish(observed_subject(self._app, component.name), encode(status))
            except BusError:
                return  # Published again soon.

    def _see(self, component: Component) -> tuple[str, int, int | None]:
        """Return state, process id and number of restarts of a component."""
        part = self._supervised.get(component.name)
        if part is not None:
            return "running" if part.process else "ended", part.process, part.restarts
        if isinstance(component, External):
            return "unknown", 0, None
        return "running", os.getpid(), None


@asynccontextmanager
async def observed_programs(bus: Bus, app: App, parts: Sequence[Runner]) -> AsyncIterator[None]:
    """Publish the state of the programs of an app for the duration of the context.

    A program without its own status, as in many other languages, is observed by its process only.

    Args:
        bus: The operator's connection.
        app: The app. A status request returns its components.
        parts: Runners of its components.
    """
    observer = _Observer(bus, app, parts)
    questions = await bus.subscribe(ask_subject(app.name), observer.answer)
    running = asyncio.create_task(observer.run())
    try:
        yield
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await observer.publish()
        with suppress(BusError):
            await questions.stop()
