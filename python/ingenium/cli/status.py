"""``ingenium status``."""

from __future__ import annotations

import asyncio
import json as jsonlib
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from ingenium.cli.backtest_output import make_console, printable
from ingenium.cli.money import print_money
from ingenium.cli.repeated_view import repeat
from ingenium.cli.targets import AppName, JsonFlag, ServerOption, app_and_roster, settings_with
from ingenium.clock import format_time

if TYPE_CHECKING:
    from ingenium.operations.status import AppStatus, ComponentState, Word

__all__ = ["status"]

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


def status(
    app: AppName = None,
    server: ServerOption = None,
    watch: Annotated[bool, typer.Option("--watch", help="Repeat until Ctrl+C.")] = False,
    every: Annotated[
        float, typer.Option("--every", min=0.1, metavar="SECONDS", help="Interval of --watch.")
    ] = 2.0,
    json: JsonFlag = False,
) -> None:
    """Show the state of an app: trading, account, orders, and each component.

    Shows account, positions, working orders, and the fills and denials of the current day (UTC).
    Without APP, all live apps that have run in this directory are shown. With --watch and --json,
    one JSON object is printed per line. The exit code is 0 when everything shown runs, 3 when
    nothing runs, and 1 when a component is dead or does not answer, or when the server cannot be
    reached; with --watch, the code of the last update.
    """
    from ingenium.operations.apps import find_apps
    from ingenium.operations.status import status_of
    from ingenium.operations.today import TodayReader

    name, roster = app_and_roster(app)
    places = find_apps(settings_with(server), name)
    readers = [TodayReader() for _ in places]

    async def observe() -> list[AppStatus]:
        # Looked up each time, since an embedded server gets a new port on restart.
        here = find_apps(settings_with(server), name) if watch else places
        readers.extend(TodayReader() for _ in here[len(readers) :])
        return await asyncio.gather(
            *(
                status_of(place, roster, reader)
                for place, reader in zip(here, readers, strict=False)
            )
        )

    if watch:
        console = make_console()

        def show(found: list[AppStatus]) -> None:
            _show(console, found, as_json=json)

        found = asyncio.run(repeat(observe, show, every, console, clears=not json))
    else:
        found = asyncio.run(observe())
        _show(make_console(), found, as_json=json)
    if not all(each.is_well for each in found):
        raise typer.Exit(3 if all(each.runs is False for each in found) else 1)


def _show(console: Console, found: list[AppStatus], *, as_json: bool) -> None:
    import msgspec

    if as_json:
        sys.stdout.write(jsonlib.dumps({"apps": msgspec.to_builtins(found)}) + "\n")
        # Flush, so that a reader of the pipe gets each update at once.
        sys.stdout.flush()
        return
    for each in found:
        _print(console, each)
        print_money(console, each.money)


def _print(console: Console, status: AppStatus) -> None:
    def say(text: str) -> None:
        console.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    say(f"{status.app}: {_headline(status)}")
    if status.kill_file is not None:
        say(f"  kill file   {_word(status.kill_file)}")
    if status.said is not None:
        say(f"  last word   {_word(status.said)}")
    end = ""
    if status.stream_end is not None:
        end = f", stream {status.stream} ends at {status.stream_end:,}"
    say(f"  server      {status.server or 'none'}{end}")
    # The headline already says that nothing runs.
    if status.server_error and status.runs is True:
        say(f"  problem     {status.server_error}")
    for component in status.components:
        for text in _alarms(component):
            # Separate from its component, where the line would be lost among others.
            say(f"  {text}")
    if not status.components:
        return
    say("")
    rows = [
        (each.name, each.role or "?", each.liveness.value, _last(each))
        for each in status.components
    ]
    # Lines instead of a table: a terminal wraps them, and nothing is truncated.
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row, component in zip(rows, status.components, strict=True):
        cells = [text.ljust(width) for text, width in zip(row, widths, strict=False)]
        say(f"  {'  '.join(cells)}  {row[3]}")
        for text in _notes(component):
            say(f"    {text}")


def _headline(status: AppStatus) -> str:
    from ingenium.operations.status import NOTHING_RUNS, UNKNOWN

    why = f" ({status.why})" if status.why else ""
    if status.runs and status.trading == UNKNOWN:
        return f"it is unknown whether it trades: {status.why}"
    if status.runs:
        return f"trading is {status.trading}{why}"
    what = "nothing runs"
    if status.runs is None:
        what = f"it is unknown whether it runs: {status.server_error}"
    if status.trading in {NOTHING_RUNS, UNKNOWN}:
        return what
    return f"{what}; trading is {status.trading}{why}"


def _alarms(component: ComponentState) -> list[str]:
    return [
        f"ALARM       {component.name}, {symbol}: {why}"
        for symbol, why in sorted(component.denied_exits.items())
    ]


def _last(component: ComponentState) -> str:
    """Describe the last event that a component handled or sent, and its progress."""
    if component.handled is None and component.last_sent is not None:
        sent = component.last_sent
        doubt = "" if sent.is_certain else ", by its role"
        return f"sent on {sent.subject} {_ago(sent.age_seconds)}{doubt}"
    found: list[str] = []
    if component.last_event:
        what = " ".join(filter(None, (component.last_event, component.last_symbol)))
        found.append(f"{what} {_ago(component.last_seconds)}")
    elif component.handled is not None:
        found.append("no event yet")
    elif component.written is not None:
        found.append(f"last event unknown, file written at {format_time(component.written)}")
    else:
        found.append("last event unknown")
    if component.role == "ingestor" and component.sent is not None:
        found.append(f"{component.sent:,} sent")
    elif component.handled is not None:
        found.append(f"{component.handled:,} handled")
    if component.waiting:
        found.append(f"{component.waiting:,} waiting")
    if component.lag_seconds is not None:
        found.append(f"{_duration(component.lag_seconds)} behind")
    if component.outbox:
        found.append(f"outbox {component.outbox:,}")
    if component.offset is not None:
        found.append(f"stream offset {component.offset:,}")
    return ", ".join(found)


def _notes(component: ComponentState) -> list[str]:
    """Return further facts about a component, one text each."""
    found = [component.why] if component.why else []
    if component.error:
        found.append(component.error)
    if component.busy:
        found.append(f"busy in {component.busy} for {_duration(component.busy_seconds)}")
    if component.cause_age_seconds is not None and component.cause_age_seconds >= 1:
        age = _duration(component.cause_age_seconds)
        found.append(f"the bar behind its last signal or order was {age} old")
    if component.late:
        found.append(f"{component.late:,} signals or orders came too late")
    if component.trading is not None and component.trading.state != "active":
        found.append("trading is " + _word(component.trading))
    if component.unhandled_to is not None and component.waiting is None:
        found.append(f"has to handle the stream up to {component.unhandled_to:,}")
    if component.restarts:
        found.append(f"started again {component.restarts:,} times in this run")
    if component.problem:
        found.append(component.problem)
    else:
        found += [f"order {order} is UNKNOWN" for order in component.unknown_orders]
        found += [
            f"{symbol} is halted: {why}" for symbol, why in sorted(component.halted_symbols.items())
        ]
    return found


def _word(word: Word) -> str:
    when = "" if word.time is None else f" at {format_time(word.time)}"
    who = f" by {word.sender}" if word.sender else ""
    why = f": {word.reason}" if word.reason else ""
    return f"{word.state}{who}{when}{why}"


def _ago(seconds: float | None) -> str:
    return "when is unknown" if seconds is None else f"{_duration(seconds)} ago"


def _duration(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 2 * _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / _HOUR:.0f} h" if seconds < 2 * _DAY else f"{seconds / _DAY:.0f} d"
