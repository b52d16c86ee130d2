"""Runners of a run: components in this process, and child processes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Protocol

from ingenium.bus.base import Bus
from ingenium.components import App, Component, External
from ingenium.components.base import role_of
from ingenium.config import Settings
from ingenium.deploy.local.child_process import Child
from ingenium.deploy.local.program_output import ThinnedOutput
from ingenium.deploy.local.runner_factory import make_live_runner
from ingenium.deploy.local.supervisor import RestartPolicy, Supervised
from ingenium.nats_server.process_guard import guarded
from ingenium.runtime.handler_limit import REPLAY_LIMIT, HandlerLimit
from ingenium.runtime.lockstep import make_replay_runner

__all__ = ["OnLine", "Runner", "make_runner"]

_END_SECONDS = 10.0

OnLine = Callable[[str, str], None]
"""Receives the name of a component and a line of its output."""


class Runner(Protocol):
    """Runner of one component, in this process or a child process."""

    component: Component

    async def start(self) -> None:
        """Start the component; a component in this process is ready on return."""

    async def run(self) -> None:
        """Return after a regular end; raise otherwise."""

    async def stop(self) -> None:
        """Handle the events that have arrived, and end."""


class ProgramRunner:
    """Component in its own process.

    Args:
        component: The component.
        child: Process of the component.
    """

    def __init__(self, component: Component, child: Child) -> None:
        self.component = component
        self._child = child

    async def start(self) -> None:
        """Start the process; the component is not ready yet on return."""
        await self._child.start()

    async def run(self) -> None:
        """Wait for the end of the process.

        Raises:
            DeployError: The process ended before the run.
        """
        await self._child.expect_running()

    async def stop(self) -> None:
        """End the process."""
        await self._child.stop()

    def expect_end(self) -> None:
        """Treat the end of the process as expected from here on."""
        self._child.expect_end()

    def kill(self) -> None:
        """End the process at once."""
        self._child.kill()


async def make_runner(
    bus: Bus,
    app: App,
    component: Component,
    settings: Settings,
    target: str,
    *,
    own_process: bool,
    on_line: OnLine,
    adopt: bool = False,
    restarts: RestartPolicy | None = None,
) -> Runner | None:
    """Create the runner of a component.

    Args:
        bus: Bus of the components in this process.
        app: App of the component.
        component: Component to run.
        settings: Settings with the server and the environment of programs.
        target: The app as given on the command line.
        own_process: Whether a component in Python runs in its own process.
        on_line: Receives the output of programs.
        adopt: See `make_live_runner`.
        restarts: Restart policy of the programs of a live app.

    Returns:
        The runner; ``None`` for a program that is started externally.
    """
    if isinstance(component, External):
        if component.command is None:
            return None
        # A program in another language need not watch its standard input.
        command = guarded(component.command, end_seconds=_END_SECONDS)
        directory = component.directory
        extra = component.environment
    elif own_process:
        command = [sys.executable, "-m", "ingenium", "run", target, "--component", component.name]
        command += ["--adopt"] if adopt else []
        directory, extra = None, {}
    elif app.historical:
        limit = HandlerLimit(settings.handler_seconds, REPLAY_LIMIT.setting)
        return make_replay_runner(bus, app, component, limit)
    else:
        return await make_live_runner(bus, app, component, settings, adopt=adopt)
    environment = settings.for_child(app=app.name, component=component.name) | extra
    output: ThinnedOutput | None = None
    if isinstance(component, External) and not settings.all_output:
        path = settings.data_directory / app.name / f"{component.name}.out"
        output = ThinnedOutput(on_line, path)

    def on_end(unexpected: bool) -> None:
        if output is not None:
            output.show_last(component.name) if unexpected else output.close(component.name)

    def make_child() -> Child:
        if output is not None:
            output.begin()
        return Child(
            component.name,
            command,
            environment,
            directory=directory,
            on_line=on_line if output is None else output.line,
            on_end=on_end,
        )

    if app.historical:
        return ProgramRunner(component, make_child())
    supervised = Supervised(component, make_child, on_line, restarts)
    supervised.may_end = role_of(component) == "ingestor" and app.on_end == "stop"
    return supervised
