"""Compares the positions of portfolio and executor after the start of a live app."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ingenium.brokers import BrokerExecutor
from ingenium.bus.nats.bus import NatsBus
from ingenium.bus.nats.stream_layout import MONEY_STREAM, find_stream
from ingenium.components import App, Portfolio
from ingenium.config import Settings
from ingenium.deploy.local.positions import disagreement
from ingenium.deploy.local.runner_factory import state_path
from ingenium.errors import IngeniumError

__all__ = ["positions_check"]

_SECONDS = 60.0


def positions_check(
    bus: NatsBus,
    app: App,
    settings: Settings,
    halt: Callable[[str], Awaitable[None]],
    on_notice: Callable[[str], None],
    *,
    adopt: bool,
) -> Callable[[], Awaitable[None]] | None:
    """Return a check that compares portfolio and journal, and halts trading on a difference.

    The check reads two files on this machine, and no history.

    Args:
        bus: Connection with access to the stream of executions.
        app: Which.
        settings: Name the folder of its state.
        halt: Halts trading, and says why.
        on_notice: Takes what everybody must know.
        adopt: Whether to report a difference without halting.

    Returns:
        ``None`` for an app without a portfolio in Python, or without an executor at a broker.
    """
    portfolio, executor = app.portfolio, app.executor
    if not isinstance(portfolio, Portfolio) or not isinstance(executor, BrokerExecutor):
        return None

    async def check() -> None:
        files = state_path(settings, app, portfolio), state_path(settings, app, executor)
        if not all(path.exists() for path in files):
            return  # One of the components runs on another machine.
        try:
            stream = await find_stream(bus, MONEY_STREAM)
            off = await disagreement(stream, *files, executor, seconds=_SECONDS)
        except IngeniumError as error:
            on_notice(f"positions of portfolio and executor were not compared: {error}")
            return
        if not off:
            return
        text = f"portfolio and executor do not hold the same: {off}: see ingenium verify {app.name}"
        if adopt:
            on_notice(text)
        else:
            await halt(text)

    return check
