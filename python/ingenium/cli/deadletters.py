"""``ingenium deadletters``."""

from __future__ import annotations

import asyncio
import base64
import json as jsonlib
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from ingenium.cli.backtest_output import make_console, printable
from ingenium.cli.rich_tables import Column, print_table
from ingenium.cli.targets import JsonFlag, app_name
from ingenium.clock import SystemClock, format_second, format_time
from ingenium.config import Settings
from ingenium.errors import ConfigError

if TYPE_CHECKING:
    from ingenium.bus.stream import Stream
    from ingenium.operations.dead_letters import DeadLetter, Original

__all__ = ["deadletters"]

_SHOW, _RESEND = "show", "resend"
_AGO = re.compile(r"(\d{1,6})([smhd])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def deadletters(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[APP] | show SEQUENCE | resend SEQUENCE...",
            help="List dead letters, show one in full, or resend their messages.",
        ),
    ] = None,
    app: Annotated[
        str | None,
        typer.Option("--app", metavar="APP", help="For show and resend: name of the app."),
    ] = None,
    component: Annotated[
        str | None,
        typer.Option("--component", metavar="NAME", help="Only dead letters of this component."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="TIME",
            help="Only later ones: an RFC 3339 time, or an age such as 30m, 2h, 7d.",
        ),
    ] = None,
    everything: Annotated[
        bool,
        typer.Option("--all", help="resend: all dead letters that --component and --since select."),
    ] = False,
    yes: Annotated[
        bool,
        typer.Option("--yes", help="resend: do not ask for confirmation before orders are resent."),
    ] = False,
    json: JsonFlag = False,
) -> None:
    """List, show or resend messages that components could not handle.

    A resent message is handled by the component that failed on it, and skipped by the components
    that handled it before. Resending a message twice has no further effect.
    """
    action, *rest = words or [""]
    if action not in {_SHOW, _RESEND}:
        if rest or (action and app is not None):
            raise ConfigError(f"{words} is not understood: pass one app, 'show' or 'resend'")
        action, app = "", action or app
    numbers = [_number(text) for text in rest]
    if action == _SHOW and len(numbers) != 1:
        raise ConfigError("show one dead letter: ingenium deadletters show SEQUENCE")
    if action == _RESEND and bool(numbers) is everything:
        raise ConfigError("resend some: ingenium deadletters resend SEQUENCE..., or --all")
    start = None if since is None else _time(since)

    async def work(stream: Stream) -> None:
        if action == _SHOW:
            await _show(stream, numbers[0], as_json=json)
        elif action == _RESEND:
            letters = await _chosen(stream, numbers, component, start)
            await _resend(stream, letters, yes=yes, as_json=json)
        else:
            _list(await _chosen(stream, (), component, start), as_json=json)

    asyncio.run(_with_stream(app, work))


async def _with_stream(app: str | None, work: Callable[[Stream], Awaitable[None]]) -> None:
    from ingenium.operations.apps import as_operator, find_app, stream_of

    place = find_app(Settings.from_environment(), app_name(app))
    async with as_operator(place) as bus:
        await work(await stream_of(bus))


async def _chosen(
    stream: Stream, numbers: Sequence[int], component: str | None, since: datetime | None
) -> list[DeadLetter]:
    from ingenium.operations.dead_letters import dead_letters_of, find_dead_letter

    if numbers:
        return [await find_dead_letter(stream, number) for number in numbers]
    return [each async for each in dead_letters_of(stream, component=component, since=since)]


def _list(letters: Sequence[DeadLetter], *, as_json: bool) -> None:
    if as_json:
        typer.echo(jsonlib.dumps({"dead_letters": [_as_json(letter) for letter in letters]}))
        return
    if not letters:
        typer.echo("no dead letters")
        return
    columns = [
        Column("sequence", right=True),
        Column("time", rank=2),
        Column("component"),
        Column("reason"),
        Column("error", folds=30),
        Column("subject", rank=3),
        Column("bytes", right=True, rank=4),
    ]
    rows = [
        [
            str(letter.sequence),
            format_second(letter.time),
            letter.event.component,
            letter.event.reason,
            _first_line(letter.event.error),
            letter.event.original_subject,
            f"{len(letter.event.data):,}",
        ]
        for letter in letters
    ]
    print_table(make_console(), columns, rows)


async def _show(stream: Stream, number: int, *, as_json: bool) -> None:
    from ingenium.operations.dead_letters import find_dead_letter, original_of

    letter = await find_dead_letter(stream, number)
    original = await original_of(stream, letter)
    if as_json:
        answer = _as_json(letter) | {
            "error": letter.event.error,
            "whole": original.is_kept,
            "headers": original.headers,
            "data_base64": base64.b64encode(original.payload).decode(),
        }
        typer.echo(jsonlib.dumps(answer))
        return
    event = letter.event
    for name, value in (
        ("sequence", str(letter.sequence)),
        ("id", event.id),
        ("time", format_time(letter.time)),
        ("component", event.component),
        ("reason", event.reason),
        ("subject", event.original_subject),
        ("kept as", f"message {event.stream_sequence} of {event.stream}" if event.stream else "-"),
    ):
        typer.echo(f"{name:10}{printable(value)}")
    typer.echo("error")
    for line in event.error.splitlines():
        typer.echo(f"  {printable(line)}")
    whole = "" if original.is_kept else ", from the letter, perhaps cut"
    typer.echo(f"payload, {len(original.payload):,} bytes{whole}")
    for line in _payload_lines(original):
        typer.echo(f"  {line}")


async def _resend(
    stream: Stream, letters: Sequence[DeadLetter], *, yes: bool, as_json: bool
) -> None:
    from ingenium.operations.dead_letters import resend

    orders = sum(letter.moves_orders for letter in letters)
    if orders and not yes:
        typer.confirm(
            f"{orders} of {len(letters)} are orders, which may be traded now; send them again?",
            abort=True,
            err=True,
        )
    resent: list[dict[str, object]] = []
    for letter in letters:
        new = await resend(stream, letter)
        resent.append({"sequence": letter.sequence, "kept": new})
        if not as_json:
            subject = printable(letter.event.original_subject)
            what = "sent again" if new else "had been sent again before: nothing is done"
            typer.echo(f"{letter.sequence} on {subject} {what}")
    if as_json:
        typer.echo(jsonlib.dumps({"resent": resent}))


def _as_json(letter: DeadLetter) -> dict[str, object]:
    event = letter.event
    return {
        "sequence": letter.sequence,
        "id": event.id,
        "time": format_time(letter.time),
        "component": event.component,
        "reason": event.reason,
        "error": _first_line(event.error),
        "subject": event.original_subject,
        "stream": event.stream,
        "stream_sequence": event.stream_sequence,
        "size": len(event.data),
    }


def _first_line(error: str) -> str:
    """Return the last line of a traceback, which names the error."""
    lines = [line for line in error.splitlines() if line.strip()]
    if not lines:
        return ""
    return (lines[-1] if lines[0].startswith("Traceback") else lines[0]).strip()[:200]


def _payload_lines(original: Original) -> list[str]:
    payload = original.payload
    try:
        # All but ASCII is escaped, so that no control sequence reaches a terminal.
        return jsonlib.dumps(jsonlib.loads(payload), indent=2).splitlines()
    except (ValueError, RecursionError):
        pass
    try:
        return [printable(line) for line in payload.decode("utf-8").split("\n")]
    except UnicodeDecodeError:
        pass
    return [
        f"{start:06x}  {payload[start : start + 16].hex(' ')}"
        for start in range(0, len(payload), 16)
    ]


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 19):
        raise ConfigError(f"{text!r} is not a sequence: use one listed by ingenium deadletters")
    return int(text)


def _time(text: str) -> datetime:
    if found := _AGO.fullmatch(text):
        return SystemClock().now() - timedelta(**{_UNITS[found[2]]: int(found[1])})
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"--since is {text!r}: use a time such as 2026-01-31T09:30:00Z, or how long ago: 2h"
        ) from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
