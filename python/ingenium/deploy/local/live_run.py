"""Runs the components of an app on live data: start, readiness, stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

from ingenium._gen.ingenium.v1 import ComponentStatus
from ingenium.bus.base import Bus, Message
from ingenium.bus.nats.bus import NatsBus
from ingenium.components import App, Component, External
from ingenium.components.component import role_of
from ingenium.deploy.local.command_listener import asks_to_stop
from ingenium.deploy.local.program_watch import LISTEN_SECONDS, ProgramWatch
from ingenium.deploy.local.reloader import Reloader
from ingenium.deploy.local.runners import Runner
from ingenium.deploy.local.server_care import ServerCare
from ingenium.deploy.local.server_connections import ServerConnections
from ingenium.deploy.local.signals import Stop
from ingenium.deploy.local.status_reporter import ReportingRunner
from ingenium.deploy.local.supervisor import CrashLoopError, Supervised
from ingenium.errors import BusTimeoutError, DeployError
from ingenium.events import decode
from ingenium.subjects.names import command_subject, status_subject
from ingenium.subjects.space import DOCUMENTED

__all__ = ["Halt", "run_live"]

_log = logging.getLogger("ingenium.deploy")

Halt = Callable[[str], Awaitable[None]]
"""Halts trading with a reason; must not raise."""

_READY_SECONDS = 30.0
_ORDER = ("executor", "portfolio", "strategy", "ingestor")
"""Start order: readers of a component start before it and stop after it."""


async def run_live(
    bus: Bus,
    app: App,
    parts: Sequence[Runner],
    stop: Stop,
    buses: Sequence[Bus] = (),
    *,
    halt: Halt,
    check: Callable[[], Awaitable[None]] | None = None,
    care: ServerCare | None = None,
    server: ServerConnections | None = None,
    reloader: Reloader | None = None,
    on_ready: Callable[[str], None] = lambda _text: None,
    on_problem: Callable[[str], None] = lambda _text: None,
) -> None:
    """Run until a stop is requested.

    Args:
        bus: Bus of the operator.
        app: The app.
        parts: Runners of its components.
        stop: Stop request.
        buses: Connections of components in this process, to the same server.
        halt: Halts trading; called when a component crashes repeatedly.
        check: Runs concurrently once all components have started.
        care: Supervises the server concurrently.
        reloader: Restarts components whose code changes; the run ends when it wants a restart.
        server: Lists connections, so that programs that do not take part are reported.
        on_ready: Called once with the ready components, and again for each later one.
        on_problem: Called for programs that do not take part correctly, with advice.

    Raises:
        IngeniumError: A component failed or did not become ready.
    """
    ready: dict[str, asyncio.Event] = {c.name: asyncio.Event() for c in app.components}
    external = {c.name for c in app.components if isinstance(c, External)}
    supervised = {part.component.name: part for part in parts if isinstance(part, Supervised)}

    lives: dict[str, str] = {}

    def on_status(message: Message) -> None:
        status = decode(ComponentStatus, message.payload)
        # A server with accounts lets each component publish on the subject of its own name only.
        name = message.subject.rpartition(".")[2]
        if status.component != name:
            _log.warning(
                "a status of %r is refused: it came on %s", status.component, message.subject
            )
            return
        # The same start of a component says so again every few seconds.
        if status.state != "ready" or lives.get(name) == status.life:
            return
        lives[name] = status.life
        if name in ready and name not in external:
            ready[name].set()
        if name in supervised:
            supervised[name].ready()
        watch.reported(name)

    def on_stop(message: Message) -> None:
        if (found := asks_to_stop(message)) is not None:
            name, life = found
            if name in supervised and lives.get(name) == life:
                supervised[name].expect_stop()

    space = bus.space if isinstance(bus, NatsBus) else DOCUMENTED
    watch = ProgramWatch(
        bus, app, server or ServerConnections(bus, None), on_problem, on_ready, space
    )
    statuses = await bus.subscribe(status_subject(app.name, "*"), on_status)
    statuses.is_spare = True  # the next status follows
    stops = await bus.subscribe(command_subject(app.name, "*", "*", "stop"), on_stop)
    stops.is_spare = True  # an operator who gets no answer repeats a command
    ordered = sorted(parts, key=lambda part: _ORDER.index(role_of(part.component)))
    started: list[Runner] = []
    tasks: list[asyncio.Task[None]] = []
    asked = asyncio.create_task(stop.wait())
    checking: asyncio.Future[None] | None = None
    reloading: list[asyncio.Task[None]] = []
    caring = [asyncio.create_task(care.run())] if care is not None else []
    try:
        await watch.start()
        for part in ordered:
            if stop.asked:
                break
            component = part.component
            if isinstance(part, Supervised) and isinstance(component, External):
                await watch.starts(component.name)
                part.expectation = f"; it {watch.expectation(component.name)}"
                part.on_finished = partial(watch.ended, component.name)
                ready[component.name] = watch.ready(component.name)
            await part.start()
            started.append(part)
            tasks.append(asyncio.create_task(part.run()))
            if isinstance(part, Supervised):
                # No time limit: a warm-up depends on the length of its history and shows its
                # progress.
                warms = bool(app.warm_up) and role_of(component) == "strategy"
                limit = None if warms else _READY_SECONDS
                await _until_ready(part, tasks[-1], asked, ready[component.name], limit)
        if not stop.asked:
            on_ready(_all_ready(app, watch))
            if check is not None:
                checking = asyncio.ensure_future(check())
            if reloader is not None:
                programs = [part for part in ordered if isinstance(part, Supervised)]
                reloading = [asyncio.create_task(reloader.run(programs))]
        others = [asked, *caring, *reloading]
        await _until_end(app, dict(zip(tasks, started, strict=True)), others, on_problem)
    except CrashLoopError as error:
        # The crashed component may have left work unfinished; halt the others before they stop.
        await halt(str(error))
        raise
    finally:
        asked.cancel()
        for other in (*reloading, *([] if checking is None else [checking])):
            other.cancel()
            await asyncio.gather(other, return_exceptions=True)
        try:
            for part, task in zip(reversed(started), reversed(tasks), strict=True):
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                await _stop(part, {bus, *buses})
            await watch.stop()
            await statuses.stop()
            await stops.stop()
        finally:
            # Canceled only here, so that a server that dies during the stop is restarted.
            for each in caring:
                each.cancel()
            await asyncio.gather(*caring, return_exceptions=True)


async def _until_end(
    app: App,
    tasks: Mapping[asyncio.Task[None], Runner],
    others: Collection[asyncio.Task[Any]],
    on_notice: Callable[[str], None],
) -> None:
    """Wait for a stop request, the end of all ingestors, or a failure."""
    running = set(tasks)
    feeds = [ingestor.name for ingestor in app.ingestors]
    while feeds:
        done, _ = await asyncio.wait({*others, *running}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
        if not done <= running:
            return
        running -= done
        for part in (tasks[task] for task in done):
            component = part.component
            if isinstance(part, ReportingRunner | Supervised) and part.is_stopped:
                on_notice(f"{component} is stopped by an operator; the app goes on without it")
                continue
            if role_of(component) != "ingestor":
                raise DeployError(f"{component} ended before the run did")
            feeds.remove(component.name)
            rest = "the app ends with it, as its on_end='stop' asks"
            if feeds:
                rest = f"the app goes on until {', '.join(feeds)} has ended too"
            on_notice(f"ingestor {component.name!r} has ended; {rest}")


async def _stop(part: Runner, buses: Collection[Bus]) -> None:
    """Stop a runner, and flush its last messages before the next one stops.

    Without a server the messages stay in the outbox, and the other runners are stopped all the
    same.
    """
    try:
        await part.stop()
        for each in buses:
            if not isinstance(each, NatsBus) or each.client.is_up:
                await each.flush()
    except BusTimeoutError as error:
        _log.warning("stopping %s: %s", part.component.name, error)


async def _until_ready(
    program: Supervised,
    run: asyncio.Task[None],
    asked: asyncio.Task[None],
    ready: asyncio.Event,
    limit: float | None,
) -> None:
    component = program.component
    # A program without reports cannot be observed reliably: it may read a stream.
    is_silent = isinstance(component, External) and not component.reports
    seconds = LISTEN_SECONDS if is_silent else limit
    waiting = asyncio.create_task(ready.wait())
    try:
        await asyncio.wait(
            [waiting, run, asked], timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        waiting.cancel()
    if run.done():
        run.result()
    if not ready.is_set() and not asked.done() and not is_silent:
        raise DeployError(
            f"{component} did not become ready within {limit or 0:g} s{program.expectation}"
        )
    if (ready.is_set() or is_silent) and not program.is_ready:
        program.ready()


def _all_ready(app: App, watch: ProgramWatch) -> str:
    """Report which components are connected and subscribed, and which are not yet."""

    def state(component: Component) -> str:
        name = f"{role_of(component)} {component.name}"
        return f"{name} ({watch.state_of(component)})" if isinstance(component, External) else name

    there = [state(c) for c in app.components if watch.is_ready(c)]
    missing = watch.missing()
    if not missing:
        return f"all is ready: {', '.join(there)}"
    return f"ready: {', '.join(there) or 'nothing'}; not yet: {'; '.join(missing)}"
