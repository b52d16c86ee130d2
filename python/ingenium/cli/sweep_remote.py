"""``ingenium sweep --nats``: workers run the backtests."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from rich.console import Console

from ingenium.backtest.sweep.sweep import OnRun, Sweep, SweepRun
from ingenium.cli.backtest_output import escaped
from ingenium.config import Settings
from ingenium.errors import BusClosedError

__all__ = ["run_remotely"]


def run_remotely(messages: Console, work: Sweep, on_run: OnRun) -> list[SweepRun]:
    """Queue the runs that are not done, and return all runs in the order of the points."""
    return asyncio.run(_coordinate(messages, work, on_run, Settings.from_environment()))


async def _coordinate(
    messages: Console, work: Sweep, on_run: OnRun, settings: Settings
) -> list[SweepRun]:
    from ingenium.backtest.sweep.remote import run_remotely as run_by_workers
    from ingenium.bus.nats.credentials import options_for
    from ingenium.bus.nats.work_queue import WorkQueue
    from ingenium.nats_server import EmbeddedServer

    async with AsyncExitStack() as stack:
        server: EmbeddedServer | None = None
        where = "with the same NATS_SERVER, where the app is"
        if not settings.nats_server:
            server = await stack.enter_async_context(
                EmbeddedServer(settings.data_directory, binary=settings.server_binary)
            )
            settings, where = settings.with_server(server.url), "in this directory"
        options = options_for(settings, "sweep")
        queue = await stack.enter_async_context(
            WorkQueue.connect(settings.nats_server, name="ingenium sweep", options=options)
        )
        messages.print(f"for workers on {queue.url}: run ingenium worker {where}", highlight=False)
        was_connected = True

        def on_idle() -> None:
            nonlocal was_connected
            if server is not None and not server.is_running:
                raise BusClosedError("the embedded server has ended: the same command goes on")
            if was_connected and not queue.is_connected:
                messages.print(f"[yellow]lost {queue.url}; waiting for it[/]", highlight=False)
            was_connected = queue.is_connected

        return await run_by_workers(
            work,
            queue,
            on_run=on_run,
            on_worker=lambda name: messages.print(f"worker {escaped(name)}", highlight=False),
            on_idle=on_idle,
        )
