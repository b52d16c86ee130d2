"""``ingenium halt``, ``ingenium reduce`` and ``ingenium resume``."""

from __future__ import annotations

import asyncio
import json as jsonlib
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from ingenium.cli.backtest_output import make_console, printable
from ingenium.cli.targets import AppName, JsonFlag, ServerOption, app_name, person, settings_with
from ingenium.clock import SystemClock
from ingenium.errors import ConfigError
from ingenium.events import TradingState

if TYPE_CHECKING:
    from ingenium.operations.halt_resume import SwitchResult

__all__ = ["halt", "reduce", "resume"]

Reason = Annotated[
    str, typer.Option("--reason", help="Reason, shown to all components and in ingenium status.")
]


def halt(
    app: AppName = None, reason: Reason = "", server: ServerOption = None, json: JsonFlag = False
) -> None:
    """Halt trading: send no more orders, and cancel working ones.

    Writes the file HALT into the folder of the app, which halts the app on this machine with or
    without a server, and publishes a control event. Portfolio and executor are then asked to
    confirm. The first line of the output says what is halted. Without APP, all live apps that have
    run in this directory are halted. The exit code is 0 only when the halt is confirmed everywhere,
    and 1 when the event did not reach a server or a component does not confirm, even though the
    file may be in effect.
    """
    _restrict(TradingState.HALTED, app, reason, server, as_json=json)


def reduce(
    app: AppName = None, reason: Reason = "", server: ServerOption = None, json: JsonFlag = False
) -> None:
    """Restrict trading to orders that reduce positions; otherwise like halt."""
    _restrict(TradingState.REDUCING, app, reason, server, as_json=json)


def resume(
    app: AppName = None,
    reason: Reason = "",
    server: ServerOption = None,
    yes: Annotated[
        str | None,
        typer.Option(
            "--yes", metavar="NAME", help="Name of the app, instead of typing it at the prompt."
        ),
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Resume trading after halt or reduce, or after a risk limit stopped it."""
    from ingenium.operations import release
    from ingenium.operations.apps import find_app

    place = find_app(settings_with(server), app_name(app))
    typed = yes
    if typed is None:
        typed = typer.prompt(
            f"trading of {place.app!r} is to go on; type its name to say so",
            default="",
            show_default=False,
            err=True,
        )
    if typed != place.app:
        raise ConfigError(
            f"{typed!r} is not the name of the app, {place.app!r}: trading stays as it is"
        )
    _show([asyncio.run(release(place, reason, person(), SystemClock().now()))], as_json=json)


def _restrict(
    state: TradingState, app: str | None, reason: str, server: str | None, *, as_json: bool
) -> None:
    from ingenium.operations import find_apps, restrict

    places = find_apps(settings_with(server), app_name(app))

    async def all_of_them() -> list[SwitchResult]:
        now = SystemClock().now()
        return await asyncio.gather(
            *(restrict(place, state, reason, person(), now) for place in places)
        )

    _show(asyncio.run(all_of_them()), as_json=as_json)


def _show(results: list[SwitchResult], *, as_json: bool) -> None:
    import msgspec

    if as_json:
        typer.echo(
            jsonlib.dumps(
                {
                    "apps": [
                        msgspec.to_builtins(done) | {"complete": done.is_complete}
                        for done in results
                    ]
                }
            )
        )
    else:
        for done in results:
            _print(make_console(), make_console(stderr=True), done)
    if not all(done.is_complete for done in results):
        raise typer.Exit(1)


def _print(console: Console, errors: Console, done: SwitchResult) -> None:
    """Print the parts that confirmed, then the parts that did not."""
    from ingenium.runtime.durable.control_publisher import ControlDelivery

    is_release = done.state is TradingState.ACTIVE

    def say(text: str, to: Console = console) -> None:
        to.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    say(f"{done.app}: {_headline(done)}")
    if done.file_changed:
        say(f"  file    {done.file} {'removed' if is_release else 'written'}")
    elif is_release and not done.file_error:
        say(f"  file    {done.file} was not there")
    if done.reached is ControlDelivery.STREAM:
        say(
            f"  stream  {done.stream} at {done.server} has stored it: all components get it, also "
            "later ones"
        )
    elif done.reached is ControlDelivery.SUBSCRIBERS:
        say(f"  server  {done.server} sent it to connected components, and stores nothing")
    for name in done.confirmed:
        say(f"  holds   for {name}, confirmed")
    for name in done.unheard:
        say(f"  unknown {name} runs, and never reports whether it trades")
    for name, why in done.unconfirmed.items():
        say(f"  not     {name} {why}", errors)
    for error in filter(None, (done.file_error, done.server_error)):
        say(f"  error   {error}", errors)
    if not done.is_complete:
        say("  repeat the command when that is fixed", errors)


def _headline(done: SwitchResult) -> str:
    """Return the first line of the output, which says whether the state is in effect."""
    from ingenium.runtime.durable.control_publisher import ControlDelivery

    state = done.state.value
    if done.is_complete:
        return state
    if done.state is TradingState.ACTIVE:
        if done.file_error:
            return "NOT ACTIVE: the file still restricts trading, and no event was sent"
        if done.reached is ControlDelivery.NOBODY:
            gone = "the file is removed, but " if done.file_changed else ""
            return f"NOT ACTIVE: {gone}the last control event still applies"
        return f"NOT ACTIVE everywhere: {_what_lacks(done)}"
    if not done.holds_anywhere:
        return f"NOT {state.upper()}: neither file nor server accepted it"
    if done.reached is ControlDelivery.NOBODY:
        return f"{state} on this machine only, by the file"
    return f"{state}, but not everywhere: {_what_lacks(done)}"


def _what_lacks(done: SwitchResult) -> str:
    lacks = ["the file is not written"] if done.file_error else []
    lacks += [f"{name} {why}" for name, why in done.unconfirmed.items()]
    lacks += [f"{name} never reports whether it trades" for name in done.unheard]
    return "; ".join(lacks)
