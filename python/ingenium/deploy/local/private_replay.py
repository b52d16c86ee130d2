"""Replays history of an app with external programs over a private embedded server."""

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
    """Replay history over a private embedded server, so that several replays can run in parallel.

    Args:
        app: App to run; all its programs have commands.
        settings: Settings of the environment; their server is not used.
        log: Event log to fill.
        window: Part of history to run.
        on_step: Called after each step.
        on_line: Receives name and output lines of the programs.

    Raises:
        IngeniumError: A program cannot be started, a component failed, or the replay lost lockstep.
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
