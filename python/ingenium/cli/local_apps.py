"""``ingenium ps``, ``logs`` and ``stop``: live apps that run on this machine."""

from __future__ import annotations

import json as jsonlib
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ingenium.cli.component_lines import ComponentLines, split_line
from ingenium.cli.console import make_console, printable
from ingenium.cli.rich_tables import Column, print_table
from ingenium.cli.targets import AppName, JsonFlag, app_name
from ingenium.config import Settings
from ingenium.errors import ConfigError

if TYPE_CHECKING:
    from ingenium.deploy.local.run_file import LocalRun

__all__ = ["logs", "ps", "stop"]

_POLL_SECONDS = 0.1
_NONE = "-"
_COLUMNS = (
    Column("app"),
    Column("component"),
    Column("role", rank=3),
    Column("process", right=True),
    Column("up", right=True),
    Column("restarts", right=True, rank=1),
    Column("memory", right=True, rank=2),
)


def ps(json: JsonFlag = False) -> None:
    """List the live apps that run on this machine with this data folder, and their processes.

    It reads what each run has written down, and needs no server. See ``ingenium components`` for
    components on other machines.
    """
    settings = Settings.from_environment()
    runs = list(_running(settings))
    if json:
        typer.echo(jsonlib.dumps({"runs": [_as_json(run) for run in runs]}))
        return
    console = make_console()
    if not runs:
        typer.echo(
            f"no live app runs with the data folder {settings.data_directory}: start one with "
            "ingenium run APP --detach",
            err=True,
        )
        return
    rows = []
    for run in runs:
        state = "the run" if run.ready else "the run, starting"
        rows.append((run.app, state, "", *_process(run.process, run.started, None)))
        for name, each in run.components.items():
            row = _process(each.process, each.started, each.restarts)
            rows.append((run.app, name, each.role, *row))
    print_table(console, _COLUMNS, rows)
    for run in runs:
        where = f"its output is in {run.log}" if run.log else "it runs in a terminal"
        typer.echo(f"{run.app}: ingenium run {run.target} in {run.directory}; {where}")


def logs(
    app: AppName = None,
    component: Annotated[
        str | None,
        typer.Argument(metavar="COMPONENT", help="Show only the lines of this component."),
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until Ctrl+C, or the end of the run.")
    ] = False,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, help="How many lines to show; 0 for all.")
    ] = 100,
) -> None:
    """Show the output of an app that runs, or ran, in the background.

    The lines of all components are in one view, each component in its color.
    """
    settings = Settings.from_environment()
    directory, run, lives = _run_of(settings, app)
    if run.log is None:
        where = f"runs in a terminal, process {run.process}" if lives else "ran in a terminal"
        raise ConfigError(
            f"app {run.app!r} {where}, and keeps no log: start it with ingenium run {run.target} "
            "--detach"
        )
    names = list(run.components)
    if component is not None and component not in names:
        known = ", ".join(names) or "no processes of its own: see --processes"
        raise ConfigError(f"app {run.app!r} has no component {component!r}: it has {known}")
    path = Path(run.log)
    shown = ComponentLines(names)
    console = make_console()

    def show(line: str) -> None:
        name, text = split_line(line, names)
        if name:
            console.print(shown.line(name, text), soft_wrap=True)
        else:
            console.print(printable(line), markup=False, highlight=False, soft_wrap=True)

    past = [line for line in _lines(path) if component is None or _is_of(line, component, names)]
    for line in past[-lines:] if lines else past:
        show(line)
    if follow:
        for line in _new_lines(path, directory):
            if component is None or _is_of(line, component, names):
                show(line)
        typer.echo(f"{run.app} has ended", err=True)


def stop(
    app: AppName = None,
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout",
            min=0.1,
            metavar="SECONDS",
            help="How long it may drain, before it is ended at once.",
        ),
    ] = 60.0,
) -> None:
    """Stop a live app on this machine, as Ctrl+C in its terminal would.

    Its components drain, and its positions and orders are kept for the next start. Working orders
    stay at the broker; ``ingenium halt`` cancels them first.
    """
    from ingenium.deploy.local.background_run import stop_run

    settings = Settings.from_environment()
    directory, run, lives = _run_of(settings, app)
    if not lives:
        typer.echo(f"{run.app} does not run on this machine with this data folder", err=True)
        raise typer.Exit(3)
    process = stop_run(
        directory, timeout_seconds=timeout, on_slow=lambda text: typer.echo(text, err=True)
    )
    typer.echo(f"{run.app} has stopped, process {process}")


def _running(settings: Settings) -> Iterator[LocalRun]:
    from ingenium.deploy.local.run_file import local_run

    top = settings.data_directory
    for directory in sorted(top.iterdir()) if top.is_dir() else ():
        run, lives = local_run(directory)
        if run is not None and lives:
            yield run


def _run_of(settings: Settings, target: str | None) -> tuple[Path, LocalRun, bool]:
    """Return folder and run of an app, and whether it runs."""
    from ingenium.deploy.local.run_file import local_run

    name = app_name(target) or _only(settings)
    directory = settings.data_directory.absolute() / name
    run, lives = local_run(directory)
    if run is None:
        raise ConfigError(
            f"app {name!r} has not run with the data folder {settings.data_directory}: start it "
            "with ingenium run, or set INGENIUM_DATA_DIR to the folder that it uses"
        )
    return directory, run, lives


def _only(settings: Settings) -> str:
    """Return the only app that runs, or the only one that has run."""
    from ingenium.deploy.local.run_file import local_run

    top = settings.data_directory
    running = [run.app for run in _running(settings)]
    past = [
        run.app for path in (top.iterdir() if top.is_dir() else ()) if (run := local_run(path)[0])
    ]
    names = running or sorted(past)
    if not names:
        raise ConfigError(
            f"no live app has run with the data folder {top}: start one with ingenium run APP "
            "--detach, or set INGENIUM_DATA_DIR to the folder that it uses"
        )
    if len(names) > 1:
        raise ConfigError(f"there are several apps: name one of {', '.join(names)}")
    return names[0]


def _is_of(line: str, component: str, names: list[str]) -> bool:
    if line.startswith("{"):
        try:
            record = jsonlib.loads(line)
        except ValueError:
            return False
        return isinstance(record, dict) and record.get("component") == component
    return split_line(line, names)[0] == component


def _lines(path: Path) -> list[str]:
    found: list[str] = []
    for each in (Path(f"{path}.1"), path):
        if each.is_file():
            found += each.read_text("utf-8", "backslashreplace").splitlines()
    return found


def _new_lines(path: Path, directory: Path) -> Iterator[str]:
    """Yield lines as they are written, also to a new file, until the run has ended."""
    from ingenium.deploy.local.run_lock import run_of

    file = path.open("rb")
    try:
        file.seek(0, 2)
        rest = b""
        while True:
            lives = run_of(directory) is not None
            while chunk := file.read(1 << 16):
                *whole, rest = (rest + chunk).split(b"\n")
                for line in whole:
                    yield line.decode("utf-8", "backslashreplace")
            if not lives:
                return
            if path.stat().st_ino != os.fstat(file.fileno()).st_ino:
                # The run has begun a new file; what it still wrote to the old one is read above.
                file.close()
                file = path.open("rb")
                continue
            time.sleep(_POLL_SECONDS)
    finally:
        file.close()


def _process(process: int, started: datetime, restarts: int | None) -> tuple[str, str, str, str]:
    memory = _memory(process) if process else None
    return (
        str(process) if process else "does not run",
        _age(started) if process else _NONE,
        _NONE if restarts is None else str(restarts),
        _NONE if memory is None else f"{memory / (1 << 20):,.0f} MiB",
    )


def _age(started: datetime) -> str:
    seconds = max(int((datetime.now(UTC) - started).total_seconds()), 0)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"


def _memory(process: int) -> int | None:
    """Return the resident memory of a process in bytes; ``None`` where the system does not say."""
    try:
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None


def _as_json(run: LocalRun) -> dict[str, object]:
    import msgspec

    found: dict[str, object] = msgspec.to_builtins(run)
    return found
