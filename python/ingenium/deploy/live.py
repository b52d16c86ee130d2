"""Runs the parts of an app on live data, from the first to the last of its life."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from ingenium._gen.ingenium.v1 import LockstepReport
from ingenium.bus.contract import Bus, Message
from ingenium.components import App, External
from ingenium.deploy.parts import Part
from ingenium.deploy.stopping import Stop
from ingenium.deploy.supervising import CrashLoopError, Supervised
from ingenium.errors import DeployError
from ingenium.events import decode
from ingenium.subjects import report_subject

__all__ = ["Halt", "run_live"]

Halt = Callable[[str], Awaitable[None]]
"""Halts trading, and says why; must not raise."""

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
        if name in ready:
            ready[name].set()
        if name in supervised:
            supervised[name].ready()

    reports = await bus.subscribe(report_subject(app.name), on_report)
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
                    # A warm-up takes as long as its history is, and says how far it is.
                    warms = bool(app.warm_up) and part.component.role == "strategy"
                    limit = None if warms else _READY_SECONDS
                    await _until_ready(part, tasks[-1], asked, ready[part.component.name], limit)
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
        await reports.stop()


def _reports(program: Supervised) -> bool:
    component = program.component
    return not isinstance(component, External) or component.reports


async def _until_ready(
    program: Supervised,
    run: asyncio.Task[None],
    asked: asyncio.Task[None],
    ready: asyncio.Event,
    limit: float | None,
) -> None:
    waiting = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait(
            [waiting, run, asked], timeout=limit, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        waiting.cancel()
    if run.done():
        run.result()
    if not ready.is_set() and not asked.done():
        raise DeployError(
            f"{program.component.role} {program.component.name!r} did not become ready within "
            f"{limit or 0:g} s"
        )
