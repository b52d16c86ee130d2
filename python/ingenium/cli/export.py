"""``ingenium export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ingenium.cli.backtest_output import make_console
from ingenium.cli.record import DatabaseOption
from ingenium.cli.recorded import RunOption, recorded_app
from ingenium.cli.targets import AppName, app_name
from ingenium.config import Settings
from ingenium.errors import ConfigError

__all__ = ["export"]


def export(
    app: AppName = None,
    to: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="Folder of the files.")] = Path(
        "export"
    ),
    kind: Annotated[
        str, typer.Option("--format", metavar="parquet|arrow|csv", help="Format of the files.")
    ] = "parquet",
    run: RunOption = None,
    database: DatabaseOption = None,
) -> None:
    """Write a recording to files, in folders by table and day.

    Each file has a range of sequences in its name. An export continues behind the last one in the
    same folder, and changes no file.
    """
    from ingenium.recorder import require

    require()
    from ingenium.recorder.database import Database
    from ingenium.recorder.export import export as export_to
    from ingenium.recorder.export_formats import FORMATS

    if kind not in FORMATS:
        raise ConfigError(f"--format {kind!r} is not known: use {', '.join(FORMATS)}")
    name = app_name(app)
    if database is None:
        name, database = recorded_app(Settings.from_environment(), name)
    scope = run or name
    if scope is None:
        raise ConfigError("--database may hold several apps: name the app, or pass --run")
    opened = Database(database)
    opened.check()
    counts = export_to(opened, scope, to, kind)
    console = make_console(stderr=True)
    console.print(
        f"exported {counts.events:,} events in {counts.files:,} files to {to}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    if counts.gaps:
        console.print(f"{counts.gaps:,} gaps in the recording", style="yellow", highlight=False)
    if counts.oversized:
        console.print(
            f"{counts.oversized:,} amounts are empty, since {kind} holds 20 digits before the "
            "point and 18 behind it; the raw events have them",
            style="yellow",
            highlight=False,
        )
