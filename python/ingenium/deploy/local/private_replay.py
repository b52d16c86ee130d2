"""Replays history through an app of programs, on a server that nobody else sees."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from ingenium.bus import NatsBus
from ingenium.bus.nats.credentials import options_for
from ingenium.components import App, External
from ingenium.config import Settings
from ingenium.deploy.local.access import served
from ingenium.deploy.local.replay_run import run_replay
from ingenium.deploy.local.runners import OnLine, Runner, make_runner
from ingenium.deploy.local.signals import Stop
from ingenium.deploy.local.subscription_probe import SubscriptionProbe
from ingenium.runtime.handler_limit import REPLAY_LIMIT, HandlerLimit
from ingenium.runtime.lockstep import make_replay_runner
from ingenium.runtime.replay import EventLog, OnStep, ReplayResult, Window

__all__ = ["run_history"]


async def run_history(
    app: App,
    settings: Settings,
    log: EventLog,
    window: Window,
    *,
    on_step: OnStep | None = None,
    on_line: OnLine = lambda _name, _line: None,
) -> ReplayResult:
    """Replay history over an embedded server of its own, so that several can run side by side.

    Args:
        app: What to run; all of its programs have commands.
        settings: Those of the environment; the server that they name is not used.
        log: Takes what happened.
        window: The part of history to run.
        on_step: Called after each step.
        on_line: Takes name and output lines of the programs.

    Raises:
        IngeniumError: A program cannot be started, a component failed, or the replay could not be
            kept in step.
    """
    with TemporaryDirectory(prefix="ingenium-backtest-", ignore_cleanup_errors=True) as folder:
        own = replace(settings.with_server(""), data_directory=Path(folder), prefix="")
        async with served(app, own) as access:
            settings = access.settings_for("")
            options = options_for(settings, "")
            bus = await NatsBus.connect(settings.nats_server, name=app.name, options=options)
            try:
                limit = HandlerLimit(settings.handler_seconds, REPLAY_LIMIT.setting)
                parts: list[Runner] = []
                for component in app.components:
                    if not isinstance(component, External):
                        parts.append(make_replay_runner(bus, app, component, limit, window))
                    elif part := await make_runner(
                        bus, app, component, settings, "", own_process=False, on_line=on_line
                    ):
                        parts.append(part)
                probe = SubscriptionProbe(access.monitor_url, app, bus.space)
                return await run_replay(
                    bus, app, parts, probe, Stop(), on_step, limit, log=log, window=window
                )
            finally:
                await bus.close()
