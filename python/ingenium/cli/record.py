"""``ingenium record``."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from ingenium.cli.keep_options import ArchiveOption, KeepOption, policy_of
from ingenium.cli.log_options import LogFormatOption, LogLevelOption, start_logs
from ingenium.cli.targets import ServerOption, app_name, settings_with
from ingenium.config import Settings
from ingenium.errors import ConfigError

if TYPE_CHECKING:
    from ingenium.recorder.database import Database
    from ingenium.recorder.retention import RetentionPolicy
    from ingenium.telemetry.metrics import ProcessMetrics

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
    keep: KeepOption = None,
    archive: ArchiveOption = None,
    prune: Annotated[
        bool,
        typer.Option("--prune", help="Delete what --keep does not keep, and stop."),
    ] = False,
    log_format: LogFormatOption = None,
    log_level: LogLevelOption = None,
) -> None:
    """Record every event of an app in a database, until Ctrl+C.

    It reads with a user of its own, who can place no order, from where it stopped before. What the
    streams no longer hold is written down as a gap.
    """
    from ingenium.recorder import require

    require()
    from ingenium.operations.apps import find_app
    from ingenium.recorder.live_recording import default_url, open_database, with_running_server

    if sum((once, rebuild, migrate, prune)) > 1:
        raise ConfigError(
            "--once, --rebuild, --migrate and --prune exclude each other: use one of them"
        )
    if prune and keep is None:
        raise ConfigError("--prune needs --keep, such as --keep 90d")
    policy = policy_of(keep, archive)
    if policy is not None and (rebuild or migrate):
        raise ConfigError("--keep goes with recording, --once or --prune")
    place = find_app(settings_with(server), app_name(app))
    url = database or default_url(place.settings, place.app)
    console, _ = start_logs(log_format, log_level, "recorder")
    if migrate:
        _migrate(url, console)
        return
    if rebuild:
        from ingenium.recorder.rebuild_tables import rebuild as make_again

        count = make_again(open_database(url), place.app)
        console.print(f"made again from {count:,} events", markup=False, highlight=False)
        return
    if prune:
        _prune(url, place.app, policy, console)
        return
    settings = place.settings
    if not place.is_told:
        # Found again as the recorder: what the app's folder names is for operators.
        settings = replace(settings, nats_server=settings_with(server).nats_server)
    # An app without a server leaves no empty database behind.
    settings = with_running_server(place.app, settings)
    opened = open_database(url)
    from ingenium.runtime.app_telemetry import exported

    with exported(f"{place.app}-recorder", settings.environment) as metrics:
        asyncio.run(
            _record(
                place.app, settings, opened, policy, once=once, console=console, metrics=metrics
            )
        )


def _migrate(url: str, console: Console) -> None:
    from ingenium.recorder.database import Database

    opened = Database(url)
    if opened.path is not None and not opened.path.is_file():
        opened.check()  # Raises: a migration makes no recording.
    done = opened.migrate()
    for step in done:
        console.print(f"migrated to {step}", markup=False, highlight=False, soft_wrap=True)
    if not done:
        console.print(f"{opened.text} is up to date", markup=False, soft_wrap=True)


def _prune(url: str, app: str, policy: RetentionPolicy | None, console: Console) -> None:
    from ingenium.recorder.database import Database
    from ingenium.recorder.retention import prune

    assert policy is not None  # noqa: S101 - checked with the options
    opened = Database(url)
    opened.check()
    count, free = prune(opened, app, policy)
    console.print(f"deleted {count:,} events", markup=False, highlight=False)
    if free:
        console.print(
            f"{free:,} bytes are free in {opened.text}, for new events: an older version made the "
            "file, and the VACUUM of SQLite shrinks it",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


async def _record(
    app: str,
    settings: Settings,
    database: Database,
    policy: RetentionPolicy | None,
    *,
    once: bool,
    console: Console,
    metrics: ProcessMetrics | None,
) -> None:
    from ingenium.deploy.health_endpoint import serve_health
    from ingenium.deploy.local.signals import stop_signals
    from ingenium.recorder.live_recording import record_app

    is_ready = False

    def show(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    def ready(text: str) -> None:
        nonlocal is_ready
        is_ready = True
        show(text)

    asked = asyncio.Event()
    with stop_signals() as stop:
        stop.on_ask(asked.set)
        async with serve_health(settings.health_port, lambda: "" if is_ready else "starting"):
            counts = await record_app(
                app,
                settings,
                database,
                asked,
                once=once,
                policy=policy,
                on_notice=show,
                on_ready=ready,
                metrics=metrics,
            )
    gaps = f", {counts.gaps:,} gaps" if counts.gaps else ""
    deleted = f", deleted {counts.deleted:,} old ones" if counts.deleted else ""
    show(f"recorded {counts.events:,} events{gaps}{deleted}")
