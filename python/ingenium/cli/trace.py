"""``ingenium trace``."""

from __future__ import annotations

import asyncio
import json as jsonlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from ingenium.cli.backtest_output import make_console
from ingenium.cli.console import printable
from ingenium.cli.record import DatabaseOption
from ingenium.cli.recorded import RunOption, recorded_app
from ingenium.cli.rich_tables import Column, print_table
from ingenium.cli.targets import JsonFlag, ServerOption, app_name, settings_with
from ingenium.config import Settings
from ingenium.errors import ConfigError, RecorderError

if TYPE_CHECKING:
    from ingenium.recorder.trace_tree import Hop

__all__ = ["trace"]

_COLUMNS = (
    Column("event"),
    Column("component"),
    Column("symbol", rank=3),
    Column("since bar", right=True),
    Column("took", right=True, rank=1),
    Column("id", rank=2),
)
_UNITS = (
    (86_400, "d"), (3600, "h"), (60, "min"), (1, "s"), (1e-3, "ms"), (1e-6, "us"),
)  # fmt: skip


def trace(
    identifier: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="Id of a bar, a signal, an order or an execution, or a trace id."
        ),
    ],
    app: Annotated[
        str | None, typer.Option("--app", metavar="APP", help="Whose events are read.")
    ] = None,
    run: RunOption = None,
    database: DatabaseOption = None,
    server: ServerOption = None,
    json: JsonFlag = False,
) -> None:
    """Show what a bar caused, as a tree: signals, orders, denials, executions, dead letters.

    It is made from the recorded events, or from those that the streams of a running app hold, so it
    needs no collector, and telemetry need not have been on.
    """
    name = app_name(app)
    found, place = _find(identifier, name, run, database, server)
    rows = list(_rows(found[0], is_live=found[1]))
    guides = [row.pop("guide") for row in rows]
    if json:
        trace_id = rows[0]["trace_id"]
        typer.echo(jsonlib.dumps({"trace_id": trace_id, "source": place, "hops": rows}))
        return
    console = make_console()
    print_table(console, _COLUMNS, [_cells(*each) for each in zip(rows, guides, strict=True)])
    make_console(stderr=True).print(
        f"trace {rows[0]['trace_id']}, from {printable(place)}", markup=False, highlight=False
    )


def _find(
    identifier: str, app: str | None, run: str | None, database: str | None, server: str | None
) -> tuple[tuple[Hop, bool], str]:
    """Return the root, whether its times are those of a server, and where it was found."""
    missing: RecorderError | None = None
    if server is None:
        name, url = app, database
        if url is None:
            try:
                name, url = recorded_app(Settings.from_environment(), app)
            except ConfigError:
                if run is not None:
                    raise
        if url is not None and (database or run or _is_there(url)):
            from ingenium import recorder

            recorder.require()
            from ingenium.recorder.recorded_traces import recorded_trace

            try:
                return recorded_trace(url, identifier, name, run), "the record"
            except RecorderError as error:
                if database or run:
                    raise
                missing = error
    elif database or run:
        raise ConfigError("--server reads streams, --database and --run a record: use one of them")
    try:
        return asyncio.run(_from_streams(identifier, app, server))
    except Exception:
        if missing is not None:
            raise missing from None
        raise


def _is_there(url: str) -> bool:
    from pathlib import Path

    return Path(url).is_file()


async def _from_streams(
    identifier: str, app: str | None, server: str | None
) -> tuple[tuple[Hop, bool], str]:
    from ingenium.operations.apps import as_reader, find_app
    from ingenium.operations.stream_traces import stream_trace

    place = find_app(settings_with(server), app)
    async with as_reader(place) as bus:
        return (await stream_trace(bus, identifier), True), f"the streams at {bus.url}"


def _rows(root: Hop, *, is_live: bool) -> Iterator[dict[str, Any]]:
    from ingenium.recorder.record_table import time_text
    from ingenium.telemetry.trace_context import trace_id_of

    first = root.event
    trace_id = first.trace_id or trace_id_of(first.id)

    def walk(hop: Hop, guide: str, mark: str) -> Iterator[dict[str, Any]]:
        event, parent = hop.event, hop.parent
        since = event.received - first.received if is_live else event.time - first.time
        took = None
        if is_live and parent is not None:
            took = (event.received - parent.event.received) / 1e9
        yield {
            "trace_id": trace_id,
            "span_id": hop.span_id,
            "parent_span_id": hop.parent_span_id,
            "id": event.id,
            "parent": None if parent is None else parent.event.id,
            "link": hop.link,
            "event": event.kind,
            "component": hop.component,
            "symbol": event.symbol,
            "text": event.text,
            "time": time_text(event.time),
            "received": time_text(event.received) if is_live else None,
            "since_bar_seconds": since / 1e9,
            "took_seconds": took,
            "stream": event.stream,
            "sequence": event.sequence,
            "guide": guide + mark,
        }
        below = guide if not mark else guide + ("   " if mark.startswith("└") else "│  ")
        for place, each in enumerate(hop.children, 1):
            yield from walk(each, below, "└─ " if place == len(hop.children) else "├─ ")

    yield from walk(root, "", "")


def _cells(row: dict[str, Any], guide: str) -> list[str | Text]:
    text = f"{guide}{row['event']} {printable(row['text'])}".rstrip()
    style = "bold red" if row["event"] in ("denial", "dead letter") else ""
    took = "" if row["took_seconds"] is None else _duration(row["took_seconds"])
    return [
        Text(text, style=style),
        printable(row["component"]),
        printable(row["symbol"]),
        f"{_duration(row['since_bar_seconds'])}",
        took,
        printable(row["id"]),
    ]


def _duration(seconds: float) -> str:
    """Return a duration in the largest unit that it reaches, to three digits."""
    for size, unit in _UNITS:
        if abs(seconds) >= size:
            return f"{seconds / size:.3g} {unit}"
    return "0"
