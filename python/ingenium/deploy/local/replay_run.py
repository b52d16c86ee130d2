"""Runs the components of an app over its history, in lockstep."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from ingenium.bus.base import Bus
from ingenium.bus.lease import Lease
from ingenium.components import App, External, Portfolio
from ingenium.deploy.local.runners import ProgramRunner, Runner
from ingenium.deploy.local.signals import Stop
from ingenium.deploy.local.subscription_probe import SubscriptionProbe
from ingenium.errors import DeployError
from ingenium.runtime.durable.lease_keeper import LeaseKeeper
from ingenium.runtime.handler_limit import REPLAY_LIMIT, HandlerLimit, handler_place
from ingenium.runtime.lockstep import Conductor
from ingenium.runtime.replay import EventLog, OnLines, OnStep, ReplayResult, Window

__all__ = ["run_replay"]

_END_SECONDS = 15.0


async def run_replay(
    bus: Bus,
    app: App,
    parts: Sequence[Runner],
    probe: SubscriptionProbe,
    stop: Stop,
    on_step: OnStep | None = None,
    limit: HandlerLimit = REPLAY_LIMIT,
    *,
    lease: Lease | None = None,
    log: EventLog | None = None,
    window: Window | None = None,
    on_lines: OnLines | None = None,
) -> ReplayResult:
    """Run until the end of history or a stop request.

    Args:
        bus: Where the components meet.
        app: What they make.
        parts: Runners of the components started here.
        probe: Detects the subscriptions of programs without reports.
        stop: Stop request.
        on_step: Called after each step.
        limit: Time limit of a handler.
        lease: Keeps other apps out of the subjects of the replay; ``None`` on a private server.
        log: Event log; a new one by default.
        window: Part of history to run; all of it by default.
        on_lines: Called with the events as they are digested.

    Raises:
        IngeniumError: A component failed, or the replay lost lockstep.
    """
    if log is None:
        portfolio = app.portfolio
        log = EventLog(portfolio.account.cash if isinstance(portfolio, Portfolio) else Decimal(0))
    if on_lines is not None:
        log.copy_lines(on_lines)
    conductor = Conductor(bus, app, log, on_step=on_step, limit=limit, window=window)
    tasks: list[asyncio.Task[None]] = []

    def on_end(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            conductor.fail(error)

    async def start(part: Runner) -> None:
        await part.start()
        tasks.append(asyncio.create_task(part.run()))
        tasks[-1].add_done_callback(on_end)

    hold = LeaseKeeper(lease)
    silent = [part for part in parts if isinstance(part, ProgramRunner) and _is_silent(part)]
    # Programs without reports come last: the server's subscriptions show when they are ready.
    parts = [*(part for part in parts if part not in silent), *silent]
    try:
        await hold.begin()
        if hold.task is not None:
            hold.task.add_done_callback(on_end)
        await conductor.start()
        stop.on_ask(conductor.ask_to_stop)
        for part in parts[: len(parts) - len(silent)]:
            await start(part)
        await conductor.wait_ready()
        # Components that are not ready would miss the end message, and are stopped below instead.
        all_ready = not stop.asked
        await probe.observe()
        for part in silent:
            await start(part)
        await probe.wait(conductor.check)
        for part in parts:
            if isinstance(part, ProgramRunner):
                # The conductor's end releases the components, and one may end before this function
                # continues.
                conductor.on_end(part.expect_end)
        complete = await conductor.run()
        if all_ready:
            await _let_end(app, parts, tasks)
        here = [part.component for part in parts if not isinstance(part, ProgramRunner)]
        result = log.result(complete=complete, app=app, here=here)
        return replace(result, inexact=conductor.inexact)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(part.stop() for part in parts), return_exceptions=True)
        await conductor.stop()
        await hold.end()


async def _let_end(app: App, parts: Sequence[Runner], tasks: Sequence[asyncio.Task[None]]) -> None:
    """Wait until the components have stopped at the conductor's request."""
    reporting = [
        task
        for part, task in zip(parts, tasks, strict=True)
        if not (isinstance(part, ProgramRunner) and _is_silent(part))
    ]
    if not reporting:
        return
    _, late = await asyncio.wait(reporting, timeout=_END_SECONDS)
    if late:
        slow = ", ".join(
            f"{part.component} ({handler_place(part.component, 'on_stop')})"
            for part, task in zip(parts, tasks, strict=True)
            if task in late
        )
        raise DeployError(
            f"{len(late)} of the components of {app.name!r} did not stop within "
            f"{_END_SECONDS:g} s: {slow}"
        )
    for task in reporting:
        task.result()


def _is_silent(program: ProgramRunner) -> bool:
    component = program.component
    return isinstance(component, External) and not component.reports
