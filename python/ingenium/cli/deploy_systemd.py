"""``ingenium deploy systemd``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ingenium.cli.targets import AppTarget
from ingenium.components import load_app
from ingenium.config import Settings

__all__ = ["systemd"]

_OF_APPS = ("INGENIUM_", "NATS_", "OTEL_")


def systemd(
    app: AppTarget,
    options: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[-- OPTIONS]", help="Options of ingenium run, such as -- --record --dashboard."
        ),
    ] = None,
    user_unit: Annotated[
        bool, typer.Option("--user", help="Make a unit for systemctl --user.")
    ] = False,
    run_as: Annotated[
        str | None,
        typer.Option("--run-as", metavar="USER", help="User of a system unit; you by default."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write to a file or a folder."),
    ] = None,
) -> None:
    """Print the systemd unit of a live app.

    The unit runs the app in this directory, with this Python and each component in its own process.
    It is plain text, the same at each call; its first lines say where it goes.
    """
    from ingenium.deploy.systemd_unit import systemd_unit, unit_name

    loaded = load_app(app)
    settings = Settings.from_environment()
    given = options or []
    text = systemd_unit(
        loaded,
        app,
        settings,
        options=given if "--processes" in given else ["--processes", *given],
        of_user=user_unit,
        user=run_as,
    )
    if output is None:
        typer.echo(text, nl=False)
    else:
        path = output / unit_name(loaded) if output.is_dir() else output
        path.write_text(text, encoding="utf-8")
        typer.echo(f"wrote {path}", err=True)
    own = sorted(name for name in settings.environment if name.startswith(_OF_APPS))
    if own:
        typer.echo(
            f"{', '.join(own)} is set here and not in the unit: put it into the file of variables "
            "that the unit names",
            err=True,
        )
    if not settings.data_directory.is_dir():
        typer.echo(
            f"the data folder {settings.data_directory.absolute()} does not exist: make it before "
            "the unit starts, since the unit may write nothing else",
            err=True,
        )
