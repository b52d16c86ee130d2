"""``ingenium status``."""

from __future__ import annotations

import asyncio
import json as jsonlib
from typing import TYPE_CHECKING

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from ingenium.cli.output import escaped, make_console, printable
from ingenium.cli.targets import AppName, JsonFlag, app_name
from ingenium.clock import format_time
from ingenium.config import Settings

if TYPE_CHECKING:
    from ingenium.operating.status import AppStatus, ComponentStatus, Word

__all__ = ["status"]


def status(app: AppName = None, json: JsonFlag = False) -> None:
    """Show whether there is trading, and how far each component has come.

    Without APP, all apps that have run in this directory.
    """
    import msgspec

    from ingenium.operating.places import find_places
    from ingenium.operating.status import status_of

    places = find_places(Settings.from_environment(), app_name(app))

    async def all_of_them() -> list[AppStatus]:
        return await asyncio.gather(*(status_of(place) for place in places))

    found = asyncio.run(all_of_them())
    if json:
        typer.echo(jsonlib.dumps(msgspec.to_builtins(found)))
        return
    console = make_console()
    for each in found:
        _print(console, each)


def _print(console: Console, status: AppStatus) -> None:
    def say(text: str) -> None:
        console.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    say(f"{status.app}: trading is {status.trading}")
    if status.kill_file is not None:
        say(f"  kill file   {_word(status.kill_file)}")
    if status.said is not None:
        say(f"  last word   {_word(status.said)}")
    end = ""
    if status.stream_end is not None:
        end = f", stream {status.stream} ends at {status.stream_end:,}"
    say(f"  server      {status.server or 'none'}{end}")
    if status.server_error:
        say(f"  problem     {status.server_error}")
    for component in status.components:
        for symbol, why in sorted(component.denied_exits.items()):
            # Not in the table, where it would be one problem of many.
            say(f"  ALARM       {component.name}, {symbol}: {why}")
    if not status.components:
        return
    table = Table(box=SIMPLE_HEAD)
    for column in ("component", "role", "position", "waiting", "outbox", "starts", "problems"):
        table.add_column(column, justify="right" if column in {"outbox", "starts"} else "left")
    for component in status.components:
        table.add_row(
            escaped(component.name),
            escaped(component.role),
            "" if component.position is None else f"{component.position:,}",
            "" if component.waiting is None else f"to {component.waiting:,}",
            f"{component.outbox:,}",
            f"{component.lives:,}",
            escaped("; ".join(_problems(component))),
        )
    console.print(table)


def _problems(component: ComponentStatus) -> list[str]:
    found = [component.error] if component.error else []
    found += [f"order {order} is UNKNOWN" for order in component.unknown_orders]
    return found + [
        f"{symbol} is halted: {why}" for symbol, why in sorted(component.halted_symbols.items())
    ]


def _word(word: Word) -> str:
    when = "" if word.time is None else f" at {format_time(word.time)}"
    who = f" by {word.sender}" if word.sender else ""
    why = f": {word.reason}" if word.reason else ""
    return f"{word.state}{who}{when}{why}"
