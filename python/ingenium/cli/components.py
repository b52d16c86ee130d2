"""``ingenium components`` and ``ingenium component``."""

from __future__ import annotations

import asyncio
import json as jsonlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from ingenium.cli.backtest_output import make_console, printable
from ingenium.cli.repeated_view import repeat
from ingenium.cli.rich_tables import Column, print_table
from ingenium.cli.targets import AppName, JsonFlag, ServerOption, app_name, person, settings_with

if TYPE_CHECKING:
    from ingenium.operations.component_services import RunningComponent

__all__ = ["COLUMNS", "COMMANDS", "cells_of", "components"]

COLUMNS = (
    Column("component"),
    Column("role"),
    Column("language", rank=2),
    Column("version", rank=5),
    Column("state"),
    Column("trading", rank=3),
    Column("handled", right=True),
    Column("failed", right=True, rank=1),
    Column("sent", right=True),
    Column("waiting", right=True, rank=3),
    Column("lag", right=True, rank=2),
    Column("handler", right=True, rank=4),
    Column("revision", rank=6),
    Column("instance", rank=7),
)

_Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the component.")]
_App = Annotated[
    str, typer.Argument(metavar="APP", help="Name of the app, or the file that defines it.")
]
_Instance = Annotated[
    str,
    typer.Option("--instance", metavar="ID", help="Which start of it, where several run."),
]


def components(
    app: AppName = None,
    server: ServerOption = None,
    watch: Annotated[bool, typer.Option("--watch", help="Repeat until Ctrl+C.")] = False,
    every: Annotated[
        float, typer.Option("--every", min=0.1, metavar="SECONDS", help="Interval of --watch.")
    ] = 2.0,
    json: JsonFlag = False,
) -> None:
    """List the running components of an app, in every language.

    Each component is a NATS micro service, and says itself what it is and what it has done. Without
    APP, those of all live apps that have run in this directory are listed. With --watch and --json,
    one JSON object is printed per line. The exit code is 0 when any component runs, 3 when none
    does, and 1 when the server cannot be reached.
    """
    from ingenium.operations.apps import find_apps
    from ingenium.operations.component_services import services_of

    name = app_name(app)
    console = make_console()

    async def observe() -> list[RunningComponent]:
        # Looked up each time, since an embedded server gets a new port on restart.
        places = find_apps(settings_with(server), name)
        found = await asyncio.gather(*(services_of(place) for place in places))
        return [row for rows in found for row in rows]

    def show(rows: list[RunningComponent]) -> None:
        _show(console, rows, as_json=json)

    if watch:
        rows = asyncio.run(repeat(observe, show, every, console, clears=not json))
    else:
        rows = asyncio.run(observe())
        show(rows)
    if not rows:
        raise typer.Exit(3)


def _show(console: Console, rows: list[RunningComponent], *, as_json: bool) -> None:
    import msgspec

    if as_json:
        sys.stdout.write(jsonlib.dumps({"components": msgspec.to_builtins(rows)}) + "\n")
        sys.stdout.flush()
        return
    if not rows:
        console.print("no component runs", markup=False, highlight=False)
        return
    apps = sorted({row.app for row in rows})
    for app in apps:
        shown = [row for row in rows if row.app == app]
        print_table(console, COLUMNS, map(cells_of, shown), title=app)
        for row in shown:
            for text in filter(None, (row.problem, row.last_error)):
                console.print(
                    printable(f"  {row.name}: {text}"),
                    markup=False,
                    highlight=False,
                    soft_wrap=True,
                )


def cells_of(row: RunningComponent) -> list[str]:
    """Return the cells of a component, one for each of `COLUMNS`."""
    lag = "" if row.lag_seconds is None else f"{row.lag_seconds:.1f} s"
    handler = f"{row.handler_seconds / row.handled * 1000:.2f} ms" if row.handled else ""
    return [
        row.name,
        row.role,
        row.language,
        " ".join(filter(None, (row.version, f"(SDK {row.sdk_version})"))),
        "paused" if row.paused else row.state,
        row.trading,
        f"{row.handled:,}",
        f"{row.failed:,}" if row.failed else "",
        f"{row.sent:,}",
        f"{row.waiting:,}" if row.waiting else "",
        lag,
        handler,
        row.revision[:10],
        row.instance,
    ]


def pause(
    app: _App,
    name: _Name,
    instance: _Instance = "",
    server: ServerOption = None,
    json: JsonFlag = False,
) -> None:
    """Have one component handle no more events, until it is resumed or started again.

    Signals, orders and executions wait in the stream. Market data is skipped as for a component
    that is behind; on a server without JetStream, all of it. A portfolio or an executor that is
    paused still obeys a halt, and a broker's reports on working orders are still booked. Signals
    and orders that are older than half a minute when it is resumed are not acted upon. To stop
    trading, use ingenium halt.
    """
    _command("pause", app, name, instance, server, as_json=json)


def resume_component(
    app: _App,
    name: _Name,
    instance: _Instance = "",
    server: ServerOption = None,
    json: JsonFlag = False,
) -> None:
    """Have a paused component handle events again, the waiting ones first."""
    _command("resume", app, name, instance, server, as_json=json)


def stop(
    app: _App,
    name: _Name,
    instance: _Instance = "",
    server: ServerOption = None,
    json: JsonFlag = False,
) -> None:
    """Stop one component: it handles what has arrived, and ends.

    ingenium run does not start it again, and goes on with the others. What starts a component on
    another machine may start it again. Working orders stay where they are.
    """
    _command("stop", app, name, instance, server, as_json=json)


def log_level(
    app: _App,
    name: _Name,
    level: Annotated[str, typer.Argument(metavar="LEVEL", help="debug, info, warning or error")],
    instance: _Instance = "",
    server: ServerOption = None,
    json: JsonFlag = False,
) -> None:
    """Set the level of the log of a component, and of all others in its process."""
    _command("log-level", app, name, instance, server, as_json=json, level=level)


COMMANDS: dict[str, Callable[..., None]] = {
    "pause": pause,
    "resume": resume_component,
    "stop": stop,
    "log-level": log_level,
}
"""Commands to one component, by name."""


def _command(
    what: str,
    app: str,
    name: str,
    instance: str,
    server: str | None,
    *,
    as_json: bool,
    level: str = "",
) -> None:
    import msgspec

    from ingenium.operations.apps import find_app
    from ingenium.operations.component_services import command

    place = find_app(settings_with(server), app_name(app))
    done = asyncio.run(command(place, name, what, person(), instance=instance, level=level))
    if as_json:
        typer.echo(jsonlib.dumps(msgspec.to_builtins(done)))
        return
    state = "is paused" if done.paused else "handles events"
    if done.stopping:
        state = "stops"
    elif done.level:
        state = f"logs at level {done.level}, before: {done.was}"
    typer.echo(f"{done.component} {state} ({done.instance})")
