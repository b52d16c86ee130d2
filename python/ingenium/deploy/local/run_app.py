"""Runs an app on this machine, over a NATS server.

A run of history has an end and a result; a live run continues until a stop is requested. In both
the life cycle of a component is: start, ready, drain, stop.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext

from ingenium.bus import NatsBus
from ingenium.bus.nats.credentials import options_for
from ingenium.bus.nats.labels import Labels
from ingenium.bus.nats.stream_layout import DATA_STREAM, open_stream
from ingenium.clock import SystemClock
from ingenium.components import App, External, Strategy
from ingenium.components.app import CONDUCTOR
from ingenium.components.component import role_of
from ingenium.components.handle_of import risk_of
from ingenium.config import Settings
from ingenium.deploy.health_endpoint import serve_health
from ingenium.deploy.local.access import served
from ingenium.deploy.local.account_check import check_accounts
from ingenium.deploy.local.app_history import check_history
from ingenium.deploy.local.app_space import remember_prefix, replay_lease, settings_of
from ingenium.deploy.local.component_process import play_component
from ingenium.deploy.local.live_run import run_live
from ingenium.deploy.local.local_halt import halt_by_file
from ingenium.deploy.local.program_observer import observed_programs
from ingenium.deploy.local.reloader import Reloader
from ingenium.deploy.local.replay_run import run_replay
from ingenium.deploy.local.run_lock import run_locked
from ingenium.deploy.local.run_presence import present_run
from ingenium.deploy.local.runner_factory import AT_MOST_ONCE, keeps_streams
from ingenium.deploy.local.runners import OnLine, ProgramRunner, Runner, make_runner
from ingenium.deploy.local.server_care import server_care
from ingenium.deploy.local.server_connections import ServerConnections
from ingenium.deploy.local.server_monitor import watched_server
from ingenium.deploy.local.signals import stop_signals, unless_stopped
from ingenium.deploy.local.start_check import positions_check
from ingenium.deploy.local.start_notice import start_notice
from ingenium.deploy.local.subscription_probe import SubscriptionProbe
from ingenium.deploy.local.supervisor import RestartPolicy, Supervised
from ingenium.deploy.local.symbol_watch import watched_symbols
from ingenium.errors import ConfigError, IngeniumError
from ingenium.events import ControlEvent, TradingState
from ingenium.nats_server.accounts import OPERATOR
from ingenium.runtime.durable.control_publisher import publish_control
from ingenium.runtime.handler_limit import REPLAY_LIMIT, HandlerLimit
from ingenium.runtime.replay import OnLines, OnStep, ReplayResult
from ingenium.subjects.names import ORDER

__all__ = ["run_app", "run_component"]

Attend = Callable[[NatsBus], AbstractAsyncContextManager[None]]
"""Creates an observer of a live app for the duration of the run."""

_log = logging.getLogger("ingenium.deploy")


async def run_app(
    app: App,
    target: str,
    settings: Settings,
    *,
    processes: bool = False,
    adopt: bool = False,
    on_step: OnStep | None = None,
    on_line: OnLine = lambda _name, _line: None,
    on_stop: Callable[[], None] = lambda: None,
    on_notice: Callable[[str], None] = lambda _text: None,
    on_ready: Callable[[str], None] = lambda _text: None,
    restarts: RestartPolicy | None = None,
    server_restarts: RestartPolicy | None = None,
    attend: Attend | None = None,
    on_lines: OnLines | None = None,
    reloader: Reloader | None = None,
) -> ReplayResult | None:
    """Run an app until the end of its history or a stop request.

    Args:
        app: App to run.
        target: The app as given on the command line, for the processes of its components.
        settings: Settings with the server, if any.
        processes: Whether each component runs in its own process.
        adopt: Whether live components accept a stream that lost messages, and the positions of
            the broker.
        on_step: Called after each step of a replay.
        on_line: Receives name and output lines of started programs.
        on_stop: Called on a stop request.
        on_notice: Receives notices about the server, and about programs that do not take part
            in a live app correctly.
        on_ready: Called once with the ready components of a live app and the missing ones; then
            for each that becomes ready later.
        restarts: Restart policy of the programs of a live app.
        server_restarts: Restart policy of the embedded server of a live app.
        attend: Context opened with the operator's connection before the components of a live
            app start, and closed after they have stopped.
        on_lines: Called with the events of a replay as they are digested; see
            `ingenium.runtime.replay.OnLines`.
        reloader: Restarts components of a live app whose code changes; the run ends when it wants
            a restart. Needs ``processes``.

    Returns:
        Result of a run over history; ``None`` for live data.

    Raises:
        IngeniumError: The app cannot be started or failed.
    """
    settings = settings_of(app, settings)
    programs: list[ProgramRunner | Supervised] = []
    directory = settings.data_directory / app.name
    locked = nullcontext() if app.historical else run_locked(directory)
    with stop_signals(at_once=lambda: _kill_all(programs)) as stop, locked:
        stop.on_ask(on_stop)
        async with served(app, settings) as access, AsyncExitStack() as connections:

            async def connect(role: str, name: str, component: str = "") -> NatsBus:
                own = access.settings_for(role, component)
                options = options_for(own, role, component=component)
                bus = await unless_stopped(
                    stop, NatsBus.connect(own.nats_server, name=name, options=options)
                )
                connections.push_async_callback(bus.close)
                return bus

            async def halt(reason: str) -> None:
                event = ControlEvent(
                    timestamp=SystemClock().now(),
                    state=TradingState.HALTED.value,
                    reason=reason,
                    # Not a person: may halt trading, but not release it.
                    sender=bus.name,
                )
                if not bus.client.is_up:
                    halt_by_file(app, settings, reason, bus.name, on_notice)
                    return
                try:
                    await publish_control(bus, event, bus.name)
                    on_notice(
                        f"TRADING IS HALTED: {reason}; ingenium resume {app.name} releases it"
                    )
                except IngeniumError as error:
                    on_notice(
                        f"trading should halt, but the server refuses the control event: {error}"
                    )
                    halt_by_file(app, settings, reason, bus.name, on_notice)

            bus = await connect(OPERATOR, f"ingenium {app.name}")
            reader: NatsBus | None = None

            async def make_streams() -> bool:
                # With accounts no role may update a stream, not even an operator.
                are_kept = await keeps_streams(bus, app, is_labeled=not access.differs)
                if are_kept and reader is not None:
                    # Before any strategy starts, so that none can create a different stream.
                    await open_stream(reader, DATA_STREAM, Labels(app.name))
                return are_kept

            if not app.historical:
                if access.differs and (first := _first_reader(app)):
                    reader = await connect(role_of(first), f"ingenium {app.name}", first.name)
                if not await make_streams():
                    on_notice(AT_MOST_ONCE)
                if text := await start_notice(bus, app, settings):
                    on_notice(text)
            if text := await check_history(app):
                on_notice(text)
            buses = [bus]
            parts: list[Runner] = []
            for component in app.components:
                own = bus
                if access.differs and not processes and not isinstance(component, External):
                    own = await connect(role_of(component), component.name, component.name)
                    buses.append(own)
                    if not app.historical:
                        # Before any component runs: detects accounts of another app.
                        await check_accounts(own, app, component)
                part = await make_runner(
                    own,
                    app,
                    component,
                    access.settings_for(role_of(component), component.name),
                    target,
                    own_process=processes,
                    on_line=on_line,
                    adopt=adopt,
                    restarts=restarts,
                )
                if part is not None:
                    parts.append(part)
            programs += [part for part in parts if isinstance(part, ProgramRunner | Supervised)]
            if not app.historical:
                remember_prefix(app, settings)
                check = positions_check(bus, app, settings, halt, on_notice, adopt=adopt)
                care = server_care(
                    access.server,
                    buses,
                    app,
                    settings,
                    on_notice,
                    make_streams=make_streams,
                    restarts=server_restarts,
                )
                if reloader is not None:
                    await reloader.prepare()
                async with (
                    present_run(app, target, settings, parts) as presence,
                    attend(bus) if attend is not None else nullcontext(),
                    watched_server(
                        access.monitor_url,
                        app,
                        halt,
                        on_notice,
                        bus.space.to_server(ORDER),
                        care.is_away,
                    ),
                    observed_programs(bus, app, parts),
                    watched_symbols(bus, app, on_notice),
                ):

                    def is_ready(text: str) -> None:
                        presence.is_ready(text)
                        on_ready(text)

                    stop.on_ask(presence.stops)
                    await run_live(
                        bus,
                        app,
                        parts,
                        stop,
                        buses,
                        halt=halt,
                        check=check,
                        care=care,
                        server=ServerConnections(
                            bus,
                            access.monitor_url,
                            sees_all=access.monitor_url is not None or not access.differs,
                        ),
                        reloader=reloader,
                        on_ready=is_ready,
                        on_problem=on_notice,
                    )
                return None
            probe = SubscriptionProbe(access.monitor_url, app, bus.space)
            lease = await replay_lease(bus, app) if settings.nats_server else None
            limit = HandlerLimit(settings.handler_seconds, REPLAY_LIMIT.setting)
            return await run_replay(
                bus, app, parts, probe, stop, on_step, limit, lease=lease, on_lines=on_lines
            )


async def run_component(
    app: App,
    name: str,
    settings: Settings,
    *,
    adopt: bool = False,
    on_ready: Callable[[str], None] = lambda _text: None,
) -> ReplayResult | None:
    """Run one component of an app; the others run elsewhere on the same server.

    Args:
        app: What it is one of.
        name: Name of the component; ``"conductor"`` for the conductor of a replay.
        settings: Settings with the server.
        adopt: See `run_app`.
        on_ready: Told when a live component is connected and listens.

    Returns:
        The result for the conductor; ``None`` for components.

    Raises:
        ConfigError: No server is configured, or the app has no such component in Python.
        IngeniumError: The component failed.
    """
    component = None if name == CONDUCTOR else app.component(name)
    if isinstance(component, External):
        raise ConfigError(f"component {name!r} is another program: start its command instead")
    if component is None and not app.historical:
        raise ConfigError(f"app {app.name!r} runs on live data, which needs no conductor")
    if not settings.nats_server:
        raise ConfigError(
            f"component {name!r} alone needs a server where it meets the others: set NATS_SERVER"
        )
    settings = settings_of(app, settings)
    with stop_signals() as stop:
        # The component's own name, under which it may send dead letters.
        if component is None:
            options = options_for(settings, OPERATOR)
        else:
            options = options_for(settings, role_of(component), component=name)
        bus = await unless_stopped(
            stop, NatsBus.connect(settings.nats_server, name=name, options=options)
        )
        try:
            if component is None:
                probe = SubscriptionProbe(None, app, bus.space)
                lease = await replay_lease(bus, app)
                limit = HandlerLimit(settings.handler_seconds, REPLAY_LIMIT.setting)
                return await run_replay(bus, app, [], probe, stop, None, limit, lease=lease)
            if not app.historical:
                remember_prefix(app, settings)
                # The parent process reports this once for all.
                is_alone = risk_of(component) is not None and not settings.stop_with_input
                if is_alone and (text := await start_notice(bus, app, settings)):
                    _log.warning("%s", text)
            is_ready = False

            def ready(text: str) -> None:
                nonlocal is_ready
                is_ready = True
                on_ready(text)

            def problem() -> str:
                if not bus.client.is_up:
                    return f"no connection to {bus.url}"
                return "" if is_ready or app.historical else "starting"

            async with serve_health(settings.health_port, problem):
                await play_component(
                    bus, app, component, stop, settings, adopt=adopt, on_ready=ready
                )
            return None
        finally:
            await bus.close()


def _first_reader(app: App) -> Strategy | None:
    """Return a strategy that reads market data from a stream in its account."""
    return next((each for each in app.components if isinstance(each, Strategy)), None)


def _kill_all(programs: Sequence[ProgramRunner | Supervised]) -> None:
    for program in programs:
        program.kill()
