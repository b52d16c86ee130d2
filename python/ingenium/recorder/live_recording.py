"""Record a live app: find its server, connect as its recorder, and report progress."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from ingenium.bus import NatsBus
from ingenium.bus.nats.credentials import options_for
from ingenium.bus.nats.options import NatsOptions
from ingenium.bus.roles import RECORDER
from ingenium.config import Settings
from ingenium.errors import ConfigError
from ingenium.nats_server import running_servers
from ingenium.recorder.database import Database
from ingenium.recorder.event_recorder import Recorder, RecorderCounts
from ingenium.recorder.recorder_service import listed_recorder
from ingenium.recorder.retention import RetentionPolicy
from ingenium.recorder.runs import LIVE, begin_run, end_run
from ingenium.telemetry.metrics import ProcessMetrics

__all__ = ["default_url", "open_database", "record_app", "recorded_beside", "with_running_server"]

_CONNECT_SECONDS = 10.0


def default_url(settings: Settings, app: str) -> str:
    """Return the default database URL for recording an app."""
    return str(settings.data_directory / app / "record.db")


def open_database(url: str) -> Database:
    """Return a database whose tables are up to date.

    Raises:
        RecorderError: The database cannot be reached or written.
    """
    database = Database(url)
    database.migrate()
    return database


async def record_app(
    app: str,
    settings: Settings,
    database: Database,
    stop: asyncio.Event,
    *,
    once: bool = False,
    policy: RetentionPolicy | None = None,
    on_notice: Callable[[str], None] = lambda _text: None,
    on_ready: Callable[[str], None] = lambda _text: None,
    metrics: ProcessMetrics | None = None,
) -> RecorderCounts:
    """Record an app until ``stop`` is set.

    Args:
        app: Name of the app.
        settings: Settings with its server; the embedded one of this machine when they name none.
        database: Database to write to.
        stop: Set to stop.
        once: Whether to stop after recording all messages that the streams hold.
        policy: What to keep of the recording; everything when left out.
        on_notice: Called with messages for the operator.
        on_ready: Called with the locations that it reads from and writes to.
        metrics: Receives the numbers of events and gaps, and the lag.

    Raises:
        RecorderError: The database cannot be written, or another recorder holds it.
        BusError: The server cannot be reached, or denies reading.
    """
    bus = await _connect(app, settings)
    try:
        recorder = Recorder(bus, database, app, on_notice, settings.data_subjects, policy, metrics)
        on_ready(f"recording {app} on {bus.url} into {database.text}")
        async with listed_recorder(bus, app, recorder, stop):
            await recorder.run(stop, once=once)
        return recorder.counts
    finally:
        await bus.close()


def with_running_server(app: str, settings: Settings) -> Settings:
    """Return settings that name the server of an app: its embedded one, when they name none.

    Raises:
        ConfigError: No embedded server of the app runs on this machine.
    """
    if settings.nats_server:
        return settings
    running = running_servers(settings.data_directory / app, RECORDER)
    if not running:
        raise ConfigError(
            f"app {app!r} has no running server: start the app with ingenium run in this "
            "directory, or set NATS_SERVER"
        )
    return settings.with_server(running[0])


async def _connect(app: str, settings: Settings) -> NatsBus:
    settings = with_running_server(app, settings)
    options = NatsOptions(connect_timeout_seconds=_CONNECT_SECONDS)
    return await NatsBus.connect(
        settings.nats_server,
        name=f"recorder of {app}",
        options=options_for(settings, RECORDER, options),
    )


@asynccontextmanager
async def recorded_beside(
    app: str,
    settings: Settings,
    database: Database,
    on_notice: Callable[[str], None],
    parameters: Mapping[str, Any] | None = None,
    metrics: ProcessMetrics | None = None,
    *,
    policy: RetentionPolicy | None = None,
) -> AsyncIterator[None]:
    """Record an app that runs in this process, for as long as it runs.

    A recorder that fails stops with a notice, and trading continues.

    Args:
        app: Name of the app.
        settings: Settings with its server, if it is not the embedded one of this machine.
        database: Database to write to.
        on_notice: Called with messages for the operator.
        parameters: Settings and code of the app, as of `ingenium.backtest.app_settings`.
        metrics: See `record_app`.
        policy: What to keep of the recording; everything when left out.
    """
    stop = asyncio.Event()

    async def record() -> None:
        try:
            run_id = await asyncio.to_thread(begin_run, database, app, LIVE, parameters or {})
            await record_app(
                app,
                settings,
                database,
                stop,
                policy=policy,
                on_notice=on_notice,
                metrics=metrics,
            )
            await asyncio.to_thread(end_run, database, run_id)
        except Exception as error:  # noqa: BLE001 - nothing of it may end the app
            on_notice(f"RECORDING HAS STOPPED, trading goes on: {error}")

    recording = asyncio.create_task(record())
    try:
        yield
    finally:
        stop.set()
        await recording
