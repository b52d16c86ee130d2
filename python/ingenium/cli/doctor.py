"""``ingenium doctor``."""

from __future__ import annotations

import asyncio
import json as jsonlib
from typing import TYPE_CHECKING, Annotated

import typer

from ingenium.cli.backtest_output import make_console, printable
from ingenium.cli.targets import AppName, JsonFlag, ServerOption, settings_with

if TYPE_CHECKING:
    from ingenium.operations.doctor import Examination

__all__ = ["doctor"]


def doctor(
    app: AppName = None,
    server: ServerOption = None,
    monitor: Annotated[
        str,
        typer.Option(
            "--monitor",
            metavar="URL",
            help="Monitoring pages of the server, such as http://127.0.0.1:8222; those of an "
            "embedded server are found.",
        ),
    ] = "",
    json: JsonFlag = False,
) -> None:
    """Find what is wrong with an app, its server and this machine, and name the cure.

    Nothing is changed, and the app may be running or not. One line is printed per finding. The exit
    code is 1 if there is an error; warnings and notes give 0.
    """
    from ingenium.operations.doctor import Severity, examine

    found = asyncio.run(examine(app, settings_with(server), monitor_url=monitor))
    if json:
        typer.echo(jsonlib.dumps(_as_json(found)))
    else:
        _print(found)
    if found.count(Severity.ERROR):
        raise typer.Exit(1)


def _as_json(found: Examination) -> dict[str, object]:
    import msgspec

    from ingenium.operations.doctor import Severity

    counts = {f"{severity}s": found.count(severity) for severity in Severity}
    return dict(msgspec.to_builtins(found)) | counts


def _print(found: Examination) -> None:
    from ingenium.operations.doctor import Severity

    console = make_console()

    def say(text: str) -> None:
        console.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    order = list(Severity)
    for each in sorted(found.findings, key=lambda each: order.index(each.severity)):
        say(f"{each.severity:<7}  {each.check}: {each.problem}: {each.cure}")
    errors, warnings = found.count(Severity.ERROR), found.count(Severity.WARNING)
    if not errors and not warnings:
        say("nothing found")
        return
    counts = ((errors, "error"), (warnings, "warning"))
    say(", ".join(f"{count} {word}{'s' * (count > 1)}" for count, word in counts if count))
