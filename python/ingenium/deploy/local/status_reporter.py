"""Publishes the status of a component: on start and stop, periodically, and on request."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from ingenium.bus.base import Bus, Incident, IncidentKind, Message, Subscription
from ingenium.components import Component
from ingenium.deploy.local.component_status import Observed, StatusMaker
from ingenium.deploy.local.lag_watch import LagWatch
from ingenium.errors import BusError, BusPermissionError, IngeniumError
from ingenium.events import encode
from ingenium.subjects.names import ask_subject, status_subject

__all__ = ["INTERVAL_SECONDS", "ReportingRunner", "StatusReporter"]

INTERVAL_SECONDS = 5
"""Interval of published statuses."""

_TICK_SECONDS = 1.0
_PUBLISH_SECONDS = 2.0
_log = logging.getLogger("ingenium.deploy")


class _Member(Observed, Protocol):
    async def start(self) -> None: ...

    async def run(self) -> None: ...

    async def stop(self) -> None: ...


class StatusReporter:
    """Publishes the status of one component.

    Failures of the status never stop trading.

    Args:
        bus: The component's own connection.
        app: Name of the app.
        member: Runs the component.
        on_tick: Called once per second, and at the end.
    """

    def __init__(
        self,
        bus: Bus,
        app: str,
        member: Observed,
        *,
        on_tick: Callable[[], None] | None = None,
    ) -> None:
        self._on_tick = on_tick
        self._bus = bus
        self._app = app
        self._member = member
        self._maker = StatusMaker(app, member)
        self._state = "starting"
        self._problem = ""
        self._subscriptions: list[Subscription] = []
        self._tick: asyncio.Task[None] | None = None
        self._is_refused = False

    async def begin(self) -> None:
        """Publish that the component starts, and answer status requests from then on."""
        name = self._member.component.name
        try:
            for subject in (ask_subject(self._app), ask_subject(self._app, name)):
                self._subscriptions.append(await self._bus.subscribe(subject, self._answer))
        except BusPermissionError as error:
            # Accounts printed by a version without statuses.
            self._is_refused = True
            _log.warning(
                "%s cannot publish its status: %s: print the accounts of app %r again",
                name,
                error,
                self._app,
            )
            return
        except BusError as error:
            _log.warning("%s cannot receive status requests: %s", name, error)
        await self.say("starting")
        self._tick = asyncio.create_task(self._run())

    def tick(self) -> None:
        """Set the gauges of metrics, before the component's store is closed."""
        if self._on_tick is not None:
            self._on_tick()

    async def say(self, state: str, problem: str = "") -> None:
        """Publish the life-cycle state of the component, and use it in later statuses.

        Args:
            state: ``"starting"``, ``"ready"``, ``"stopping"``, ``"stopped"`` or ``"failed"``,
                which are final.
            problem: Problem for the operator.
        """
        if self._state != "failed":
            self._state, self._problem = state, problem
        await self._publish()

    async def end(self) -> None:
        """Publish the final status."""
        if self._tick is not None:
            self._tick.cancel()
            await asyncio.gather(self._tick, return_exceptions=True)
            await self.say("stopped")
        subscriptions, self._subscriptions = self._subscriptions, []
        for subscription in subscriptions:
            with suppress(BusError):
                await subscription.stop()

    async def _run(self) -> None:
        watch = LagWatch(self._member.component)
        ticks = 0
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            ticks += 1
            self.tick()
            if text := watch.observe(self._member.lag()):
                self._bus.report(Incident(IncidentKind.BEHIND, text))
            if ticks % INTERVAL_SECONDS == 0:
                await self._publish()

    async def _answer(self, message: Message) -> None:
        await self._publish()

    async def _publish(self) -> None:
        if self._is_refused:
            return
        name = self._member.component.name
        try:
            status = self._maker.make(self._state, INTERVAL_SECONDS, self._problem)
            async with asyncio.timeout(_PUBLISH_SECONDS):
                await self._bus.publish(status_subject(self._app, name), encode(status))
        except (IngeniumError, TimeoutError) as error:
            _log.debug("no status of %s: %s", name, error)


class ReportingRunner:
    """Runs a component, and publishes its status.

    Args:
        member: Runs it.
        reporter: Publishes the status.
    """

    def __init__(self, member: _Member, reporter: StatusReporter) -> None:
        self.component: Component = member.component
        self._member = member
        self._reporter = reporter

    async def start(self) -> None:
        """Start the component.

        Raises:
            IngeniumError: The component cannot be started.
        """
        await self._reporter.begin()
        try:
            await self._member.start()
        except IngeniumError as error:
            await self._reporter.say("failed", str(error))
            raise
        await self._reporter.say("ready")

    async def run(self) -> None:
        """Run the component until canceled.

        Raises:
            IngeniumError: It failed.
        """
        try:
            await self._member.run()
        except IngeniumError as error:
            await self._reporter.say("failed", str(error))
            raise
        await self._reporter.say("stopped")

    async def stop(self) -> None:
        """Stop the component, and publish the final status."""
        await self._reporter.say("stopping")
        try:
            await self._member.stop()
        finally:
            self._reporter.tick()
            await self._reporter.end()
