"""Runs the parts of an app on live data, from the first to the last of its life."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from ingenium._gen.ingenium.v1 import LockstepReport
from ingenium.bus.contract import Bus, Message
from ingenium.components import App, External
from ingenium.deploy.parts import Part
from ingenium.deploy.report_senders import may_report, report_patterns
from ingenium.deploy.stopping import Stop
from ingenium.deploy.supervising import CrashLoopError, Supervised
from ingenium.errors import DeployError
from ingenium.events import decode

__all__ = ["Halt", "run_live"]

Halt = Callable[[str], Awaitable[None]]
"""Halts trading, and says why; must not raise."""

_log = logging.getLogger("ingenium.deploy")
_READY_SECONDS = 30.0
_ORDER = ("executor", "portfolio", "strategy", "ingestor")
"""Who starts first: a component's readers are there before it sends, and stop after it."""


async def run_live(
    bus: Bus,
    app: App,
    parts: Sequence[Part],
    stop: Stop,
    buses: Sequence[Bus] = (),
    *,
    halt: Halt,
) -> None:
    """Run until somebody asks to stop.

    Args:
        bus: Where the components meet.
        app: What they make.
        parts: Its components.
        stop: Says when.
        buses: Connections of components in this process, to the same server.
        halt: Halts trading; called when a component dies again and again.

    Raises:
        IngeniumError: A component failed, or did not become ready.
    """
    ready: dict[str, asyncio.Event] = {c.name: asyncio.Event() for c in app.components}
    supervised = {part.component.name: part for part in parts if isinstance(part, Supervised)}

    def on_report(message: Message) -> None:
        name = decode(LockstepReport, message.payload).component
        if not may_report(app, message.subject, name):
            _log.warning(
                "a report in the name of %r is refused: it came on %s", name, message.subject
            )
            return
        if name in ready:
            ready[name].set()
        if name in supervised:
            supervised[name].ready()

    reports = [await bus.subscribe(subject, on_report) for subject in report_patterns(app)]
    ordered = sorted(parts, key=lambda part: _ORDER.index(part.component.role))
    started: list[Part] = []
    tasks: list[asyncio.Task[None]] = []
    asked = asyncio.create_task(stop.wait())
    try:
        for part in ordered:
            if stop.asked:
                break
            await part.start()
            started.append(part)
            tasks.append(asyncio.create_task(part.run()))
            if isinstance(part, Supervised):
                if _reports(part):
                    await _until_ready(part, tasks[-1], asked, ready[part.component.name])
                else:
                    part.ready()
        done, _ = await asyncio.wait([asked, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    except CrashLoopError as error:
        # What it has left undone nobody knows; the others are told before they stop.
        await halt(str(error))
        raise
    finally:
        asked.cancel()
        for part, task in zip(reversed(started), reversed(tasks), strict=True):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await part.stop()
            for each in {bus, *buses}:
                await each.flush()
        for subscription in reports:
            await subscription.stop()


def _reports(program: Supervised) -> bool:
    component = program.component
    return not isinstance(component, External) or component.reports


async def _until_ready(
    program: Supervised,
    run: asyncio.Task[None],
    asked: asyncio.Task[None],
    ready: asyncio.Event,
) -> None:
    waiting = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait(
            [waiting, run, asked], timeout=_READY_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        waiting.cancel()
    if run.done():
        run.result()
    if not ready.is_set() and not asked.done():
        raise DeployError(
            f"{program.component.role} {program.component.name!r} did not become ready within "
            f"{_READY_SECONDS:g} s"
        )
