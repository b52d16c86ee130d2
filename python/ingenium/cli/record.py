"""``ingenium record``."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from ingenium.cli.log_options import LogFormatOption, LogLevelOption, start_logs
from ingenium.cli.targets import ServerOption, app_name, settings_with
from ingenium.config import Settings
from ingenium.errors import ConfigError

if TYPE_CHECKING:
    from ingenium.recorder.database import Database

__all__ = ["DatabaseOption", "record"]

DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help="postgresql://user@host/name, sqlite:///path or a path; record.db in the app's "
        "folder when left out.",
    ),
]


def record(
    app: Annotated[
        str,
        typer.Argument(metavar="APP", help="Name of the app, or the file that defines it."),
    ],
    database: DatabaseOption = None,
    server: ServerOption = None,
    once: Annotated[
        bool, typer.Option("--once", help="Record what the streams hold now, and stop.")
    ] = False,
    rebuild: Annotated[
        bool,
        typer.Option(
            "--rebuild", help="Make the typed tables again from the raw events, and stop."
        ),
    ] = False,
    migrate: Annotated[
        bool, typer.Option("--migrate", help="Bring the tables up to date, and stop.")
    ] = False,
    log_format: LogFormatOption = None,
    log_level: LogLevelOption = None,
) -> None:
    """Record every event of an app in a database, until Ctrl+C.

    It reads as a reader, who can place no order, from where it stopped before. What the streams no
    longer hold is written down as a gap.
    """
    from ingenium.recorder import require

    require()
    from ingenium.operations.apps import find_app
    from ingenium.recorder.live_recording import default_url, open_database, with_running_server

    if sum((once, rebuild, migrate)) > 1:
        raise ConfigError("--once, --rebuild and --migrate exclude each other: use one of them")
    place = find_app(settings_with(server), app_name(app))
    url = database or default_url(place.settings, place.app)
    console, _ = start_logs(log_format, log_level, "recorder")
    if migrate:
        open_database(url)
        return
    if rebuild:
        from ingenium.recorder.rebuild_tables import rebuild as make_again

        count = make_again(open_database(url), place.app)
        console.print(f"made again from {count:,} events", markup=False, highlight=False)
        return
    settings = place.settings
    if not place.is_told:
        # Found again as a reader: what the app's folder names is for operators.
        settings = replace(settings, nats_server=settings_with(server).nats_server)
    # An app without a server leaves no empty database behind.
    settings = with_running_server(place.app, settings)
    opened = open_database(url)
    asyncio.run(_record(place.app, settings, opened, once=once, console=console))


async def _record(
    app: str, settings: Settings, database: Database, *, once: bool, console: Console
) -> None:
    from ingenium.deploy.local.signals import stop_signals
    from ingenium.recorder.live_recording import record_app

    def show(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    asked = asyncio.Event()
    with stop_signals() as stop:
        stop.on_ask(asked.set)
        counts = await record_app(
            app, settings, database, asked, once=once, on_notice=show, on_ready=show
        )
    gaps = f", {counts.gaps:,} gaps" if counts.gaps else ""
    show(f"recorded {counts.events:,} events{gaps}")
