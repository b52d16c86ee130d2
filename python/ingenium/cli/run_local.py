"""``--detach`` and ``--reload`` of ``ingenium run``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from ingenium.cli.console import printable
from ingenium.components import App
from ingenium.config import Settings
from ingenium.errors import ConfigError

if TYPE_CHECKING:
    from ingenium.deploy.local.reloader import Reloader

__all__ = [
    "DetachOption",
    "ReloadOption",
    "check_local_options",
    "make_reloader",
    "run_detached",
    "start_again",
]

_DETACH = "--detach"

DetachOption = Annotated[
    bool,
    typer.Option(
        _DETACH,
        help="Live: run in the background, and return when all is ready; see ingenium ps, logs "
        "and stop.",
    ),
]
ReloadOption = Annotated[
    bool,
    typer.Option(
        "--reload",
        help="Live: restart each component when its code or its parameters change. Implies "
        "--processes.",
    ),
]


def check_local_options(*, detach: bool, json: bool) -> None:
    """Refuse options that have no effect together.

    Raises:
        ConfigError: There are some.
    """
    if detach and json:
        raise ConfigError(
            f"--json does nothing with {_DETACH}, which returns before there is a result: use "
            "ingenium ps --json and ingenium status --json"
        )


def run_detached(app: App, settings: Settings, console: Console) -> None:
    """Start the run of this command in the background, and wait until all is ready.

    Raises:
        DeployError: It runs already, or has ended before.
    """
    from ingenium.deploy.local.background_run import start_in_background

    def on_line(line: str) -> None:
        console.print(printable(line), markup=False, highlight=False, soft_wrap=True)

    arguments = [each for each in sys.argv[1:] if each != _DETACH]
    run = start_in_background(app.name, arguments, settings, on_line)
    console.print(
        f"{app.name} runs in the background, process {run.process}: ingenium logs {app.name} "
        f"--follow shows its output, ingenium stop {app.name} ends it",
        style="bold",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def make_reloader(target: str, console: Console) -> Reloader:
    """Return what restarts components whose code changes, and says so on the console."""
    from ingenium.deploy.local.reloader import Reloader

    def on_text(text: str) -> None:
        console.print(
            printable(text), style="bold cyan", markup=False, highlight=False, soft_wrap=True
        )

    return Reloader(target, on_text)


def start_again() -> None:
    """Replace this program by the same command."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", "ingenium", *sys.argv[1:]])  # noqa: S606
