"""Runs one component in its own process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ingenium.bus.base import Bus, Incident, IncidentKind
from ingenium.components import App, Component
from ingenium.components.component import role_of
from ingenium.config import Settings
from ingenium.deploy.local.account_check import check_accounts
from ingenium.deploy.local.runner_factory import make_live_runner
from ingenium.deploy.local.runners import Runner
from ingenium.deploy.local.signals import Stop, stop_when_input_ends
from ingenium.deploy.local.status_reporter import ReportingRunner
from ingenium.errors import BusClosedError, ComponentError
from ingenium.runtime.handler_limit import REPLAY_LIMIT, HandlerLimit
from ingenium.runtime.lockstep import make_replay_runner

__all__ = ["play_component"]


async def play_component(
    bus: Bus,
    app: App,
    component: Component,
    stop: Stop,
    settings: Settings,
    *,
    adopt: bool = False,
    on_ready: Callable[[str], None] = lambda _text: None,
) -> None:
    """Run a component until its replay ends, a stop is requested, or it fails.

    Args:
        bus: Connection of the component.
        app: App of the component.
        component: The component.
        stop: Stop request.
        settings: Settings with the folder of its state.
        adopt: See `make_live_runner`.
        on_ready: Called when a live component is connected and subscribed.

    Raises:
        IngeniumError: The component failed, or the connection is gone for good.
    """
    part: Runner
    if app.historical:
        limit = HandlerLimit(settings.handler_seconds, REPLAY_LIMIT.setting)
        part = make_replay_runner(bus, app, component, limit)
    else:
        await check_accounts(bus, app, component)
        part = await make_live_runner(bus, app, component, settings, adopt=adopt)
    lost = asyncio.get_running_loop().create_future()

    def on_incident(incident: Incident) -> None:
        if incident.kind is IncidentKind.CLOSED and not lost.done():
            lost.set_exception(BusClosedError(incident.detail))

    bus.on_incident(on_incident)
    await part.start()
    if not app.historical:
        on_ready(f"{role_of(component)} {component.name} is ready on {bus.url}")
    run = asyncio.create_task(part.run())
    waits = [run, lost, asyncio.create_task(stop.wait())]
    if settings.stop_with_input:
        waits.append(asyncio.create_task(stop_when_input_ends(stop)))
    try:
        await asyncio.wait([run, lost, waits[2]], return_when=asyncio.FIRST_COMPLETED)
        for ended in (lost, run):
            if ended.done():
                ended.result()
        is_stopped = isinstance(part, ReportingRunner) and part.is_stopped
        may_end = app.historical or is_stopped or role_of(component) == "ingestor"
        if run.done() and not may_end:
            raise ComponentError(f"{component} ended before it was asked")
    finally:
        for task in waits:
            task.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
    await part.stop()
    await bus.drain()
