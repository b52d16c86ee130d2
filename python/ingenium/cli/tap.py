"""``ingenium tap``."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Annotated

import typer

from ingenium.bus.base import Incident, IncidentKind, Message
from ingenium.cli.console import print_error
from ingenium.cli.event_lines import EventLines, message_as_json
from ingenium.clock import SystemClock
from ingenium.config import Settings
from ingenium.errors import BusClosedError, ConfigError
from ingenium.subjects.names import ALL_EVENTS

__all__ = ["tap"]


def tap(
    subject: Annotated[
        str, typer.Argument(help="A subject, or a wildcard such as 'ingenium.ingestor.data.>'.")
    ] = ALL_EVENTS,
    json: Annotated[
        bool,
        typer.Option("--json", help="Print one JSON object per line, for unreadable messages too."),
    ] = False,
    count: Annotated[
        int | None, typer.Option("--count", min=1, help="Stop after this many events.")
    ] = None,
) -> None:
    """Print every event on the bus, until Ctrl+C.

    A line shows kind, time, sender and symbol, and then the content of the event. A time followed
    by ~ is the time of arrival of an event without a time.

    The server is the one that NATS_SERVER names, or the embedded one of an app that runs in this
    directory.
    """
    asyncio.run(_tap(subject, Settings.from_environment(), as_json=json, count=count))


async def _tap(subject: str, settings: Settings, *, as_json: bool, count: int | None) -> None:
    from ingenium.bus import NatsBus
    from ingenium.bus.nats.credentials import options_for
    from ingenium.deploy.local.signals import stop_signals, unless_stopped
    from ingenium.nats_server import running_servers
    from ingenium.nats_server.accounts import READER

    if not settings.nats_server:
        running = running_servers(settings.data_directory)
        if not running:
            raise ConfigError(
                "no server to listen to: set NATS_SERVER, or start an app in this directory with "
                "ingenium run"
            )
        settings = settings.with_server(running[0])
    options = options_for(settings, READER)
    write = message_as_json if as_json else EventLines(SystemClock().now).line
    done = asyncio.get_running_loop().create_future()
    left = count

    def receive(message: Message) -> None:
        nonlocal left
        if left == 0 or done.done():
            return
        try:
            sys.stdout.write(write(message) + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            # The reader, such as head, has closed the pipe; discard the buffer.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            done.set_result(None)
            return
        if left is not None:
            left -= 1
            if left == 0 and not done.done():
                done.set_result(None)

    def on_incident(incident: Incident) -> None:
        if incident.kind is IncidentKind.CLOSED and not done.done():
            done.set_exception(BusClosedError(incident.detail))
        elif incident.kind is not IncidentKind.HANDLER_ERROR:
            print_error(BusClosedError(f"{incident.kind}: {incident.detail}"))

    with stop_signals() as stop:
        bus = await unless_stopped(
            stop, NatsBus.connect(settings.nats_server, name="ingenium tap", options=options)
        )
        try:
            bus.on_incident(on_incident)
            await bus.subscribe(subject, receive)
            await bus.flush()
            sys.stderr.write(f"listening to {bus.space.to_server(subject)} on {bus.url}\n")
            asked = asyncio.create_task(stop.wait())
            await asyncio.wait([done, asked], return_when=asyncio.FIRST_COMPLETED)
            asked.cancel()
            if done.done():
                done.result()
        finally:
            await bus.close()
