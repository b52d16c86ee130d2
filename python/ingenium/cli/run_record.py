"""``--record`` of ``ingenium run``, on live data and on history."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from ingenium.cli.keep_options import policy_of
from ingenium.components import App
from ingenium.config import Settings
from ingenium.errors import ConfigError, IngeniumError
from ingenium.runtime.app_telemetry import metrics_of

if TYPE_CHECKING:
    from ingenium.bus import NatsBus
    from ingenium.recorder.backtest_recording import BacktestRecording
    from ingenium.recorder.retention import RetentionPolicy

__all__ = ["Attend", "check_record_options", "recorded_replay", "recorded_too"]

Attend = Callable[["NatsBus"], AbstractAsyncContextManager[None]]
"""Makes what watches a live app for as long as it runs."""


def check_record_options(
    database: str | None, keep: str | None, archive: Path | None, *, record: bool
) -> RetentionPolicy | None:
    """Return what ``--keep`` and ``--archive`` keep; ``None`` for everything.

    Raises:
        ConfigError: An option has no effect without ``--record``, or cannot be read.
        MissingDependencyError: The libraries of the recorder are not installed.
    """
    given = {"--database": database, "--keep": keep, "--archive": archive}
    if not record:
        for name, value in given.items():
            if value is not None:
                raise ConfigError(f"{name} goes with --record: add that, or leave it out")
        return None
    from ingenium.recorder import require

    require()
    return policy_of(keep, archive)


@contextmanager
def recorded_replay(
    app: App, settings: Settings, url: str | None, console: Console
) -> Iterator[BacktestRecording]:
    """Record a run over history for the duration of the context, and print its id.

    Args:
        app: The app.
        settings: Settings of the command.
        url: Database to write to; that of the app when ``None``.
        console: For the id of the run.

    Raises:
        RecorderError: The database cannot be written.
    """
    from ingenium.deploy.local.app_space import settings_of
    from ingenium.recorder.backtest_recording import BacktestRecording
    from ingenium.recorder.live_recording import default_url, open_database
    from ingenium.recorder.runs import REPLAY

    settings = settings_of(app, settings)
    database = open_database(url or default_url(settings, app.name))
    with BacktestRecording(database, app.name, REPLAY) as recording:
        try:
            yield recording
        except IngeniumError as error:
            recording.fail(error)
            raise
        console.print(f"recorded as {recording.run_id}", markup=False, highlight=False)


def recorded_too(
    app: App,
    target: str,
    settings: Settings,
    url: str | None,
    policy: RetentionPolicy | None,
    attend: Attend,
    console: Console,
) -> Attend:
    """Return what watches a live app and records it too.

    Args:
        app: The app.
        target: The app, as on the command line.
        settings: Settings of the command.
        url: Database to write to; that of the app when ``None``.
        policy: What to keep of the recording; everything when ``None``.
        attend: What watches the app.
        console: For messages to the operator.

    Raises:
        RecorderError: The database cannot be opened.
    """
    from ingenium.backtest.app_settings import app_settings
    from ingenium.deploy.local.app_space import settings_of
    from ingenium.recorder.live_recording import default_url, open_database, recorded_beside

    settings = settings_of(app, settings)
    # A database that cannot be opened is a reason not to start; one that fails later is not one to
    # stop.
    database = open_database(url or default_url(settings, app.name))
    parameters = app_settings(app, target)

    def notice(text: str) -> None:
        console.print(text, style="bold red", markup=False, highlight=False, soft_wrap=True)

    @asynccontextmanager
    async def both(bus: NatsBus) -> AsyncIterator[None]:
        recording = recorded_beside(
            app.name,
            settings,
            database,
            notice,
            parameters,
            metrics_of(app.middleware),
            policy=policy,
        )
        async with recording, attend(bus):
            yield

    return both
