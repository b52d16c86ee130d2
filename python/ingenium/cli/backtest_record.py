"""``--record`` and ``--from-record`` of ``ingenium backtest`` and ``ingenium sweep``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from ingenium.components import App, check_handlers, load_app, load_factory
from ingenium.config import Settings
from ingenium.errors import ConfigError

if TYPE_CHECKING:
    from ingenium.backtest.sweep.sweep_run import SweepRun
    from ingenium.recorder.backtest_recording import BacktestRecording
    from ingenium.recorder.database import Database

__all__ = ["open_recording_of", "prepare_app", "record_runs", "recorded_backtest"]


def prepare_app(
    place: str | None, run_id: str | None, since: datetime | None, until: datetime | None
) -> Callable[[App], None]:
    """Return a function that checks an app, and gives it recorded data if a place is named.

    Args:
        place: Database or folder of an export; ``None`` for the app's own data.
        run_id: Run whose data to use; that of the live app when ``None``.
        since: First time of the data.
        until: Time after the last one.

    Raises:
        ConfigError: Options do not go together.
        MissingDependencyError: The libraries are not installed.
    """
    if place is None:
        given = {"--run": run_id, "--since": since, "--until": until}
        if wrong := [name for name, value in given.items() if value is not None]:
            raise ConfigError(f"{wrong[0]} goes with --from-record")
        return check_handlers
    from ingenium.recorder import require

    require()
    from ingenium.recorder.recorded_data import RecordedIngestor, RecordedWindow

    def prepare(app: App) -> None:
        window = RecordedWindow(place, run_id or app.name, since, until)
        app.use_ingestors([RecordedIngestor(window)])
        check_handlers(app)

    return prepare


def recorded_backtest(target: str, url: str | None, *, digest: bool) -> BacktestRecording:
    """Begin the recording of a backtest.

    Args:
        target: The app, as on a command line.
        url: The database; that of the app when ``None``.
        digest: Whether the backtest has a digest, which a recording needs.

    Raises:
        ConfigError: It has none.
        RecorderError: The database cannot be written.
    """
    if not digest:
        raise ConfigError("--record needs the digest: leave --no-digest out")
    from ingenium.recorder import require

    require()
    from ingenium.recorder.backtest_recording import BacktestRecording

    app = load_app(target).name
    return BacktestRecording(open_recording_of(app, url), app)


def open_recording_of(app: str, url: str | None) -> Database:
    """Open the database of an app to write to it.

    Raises:
        RecorderError: It cannot be written.
    """
    from ingenium.recorder import require

    require()
    from ingenium.recorder.live_recording import default_url, open_database

    return open_database(url or default_url(Settings.from_environment(), app))


def record_runs(target: str, url: str | None, runs: Sequence[SweepRun]) -> int:
    """Record the runs of a sweep, and return their number.

    Raises:
        RecorderError: The database cannot be written.
    """
    from ingenium.recorder.backtest_recording import record_sweep

    point = dict(runs[0].point)
    app = load_factory(target, point)(**point).name
    return record_sweep(open_recording_of(app, url), app, runs)
