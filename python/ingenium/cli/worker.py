"""``ingenium worker``."""

from __future__ import annotations

import asyncio
import json as jsonlib
import os
from typing import Annotated

import typer

from ingenium.cli.backtest_output import escaped, make_console
from ingenium.config import Settings
from ingenium.errors import ConfigError

__all__ = ["worker"]


def worker(
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="Number of processes; one per core if omitted."),
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per line, for each run.")
    ] = False,
) -> None:
    """Run the backtests of ``ingenium sweep --nats``, until Ctrl+C.

    Start the worker where the app's file is, under the same name as in the sweep. The server is the
    one that NATS_SERVER names, or the embedded one of a sweep that runs in this directory. A run
    that is unfinished when the worker stops is taken over by another worker.
    """
    settings = Settings.from_environment()
    asyncio.run(_work(workers or os.cpu_count() or 1, settings, as_json=json))


async def _work(processes: int, settings: Settings, *, as_json: bool) -> None:
    from ingenium.backtest.sweep.remote import work
    from ingenium.bus.nats.credentials import options_for
    from ingenium.bus.nats.work_queue import WorkQueue
    from ingenium.deploy.health_endpoint import serve_health
    from ingenium.deploy.local.signals import stop_signals
    from ingenium.nats_server import running_servers

    if not settings.nats_server:
        running = running_servers(settings.data_directory)
        if not running:
            raise ConfigError(
                "no server to work for: set NATS_SERVER, or start ingenium sweep --nats in this "
                "directory"
            )
        settings = settings.with_server(running[0])
    options = options_for(settings, "worker")
    messages = make_console(stderr=True)
    said: set[str] = set()

    def on_problem(text: str) -> None:
        if text in said:
            return
        said.add(text)
        if as_json:
            typer.echo(jsonlib.dumps({"problem": text}))
        else:
            messages.print(f"[yellow]{escaped(text)}[/]", highlight=False)

    def on_run(text: str) -> None:
        if as_json:
            typer.echo(jsonlib.dumps({"run": text}))
        else:
            messages.print(escaped(text), highlight=False)

    with stop_signals() as stop:
        async with (
            WorkQueue.connect(
                settings.nats_server, name="ingenium worker", options=options
            ) as queue,
            serve_health(
                settings.health_port,
                lambda: "" if queue.is_connected else f"no connection to {queue.url}",
            ),
        ):
            messages.print(f"working for {queue.url} with {processes} processes", highlight=False)
            working = asyncio.create_task(
                work(
                    queue,
                    processes,
                    on_run=on_run,
                    on_problem=on_problem,
                )
            )
            asked = asyncio.create_task(stop.wait())
            await asyncio.wait([working, asked], return_when=asyncio.FIRST_COMPLETED)
            asked.cancel()
            working.cancel()
            try:
                await working
            except asyncio.CancelledError:
                messages.print("stopped; unfinished runs are left to other workers")
