"""``ingenium verify``."""

from __future__ import annotations

import asyncio
import gc
import json as jsonlib
from time import monotonic
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from ingenium.cli.backtest_output import make_console, printable
from ingenium.cli.progress_bar import StepProgress
from ingenium.cli.targets import AppTarget, JsonFlag
from ingenium.components import Executor, Portfolio, load_app
from ingenium.config import Settings
from ingenium.errors import ConfigError

if TYPE_CHECKING:
    from ingenium.operations.apps import LocalApp
    from ingenium.operations.verify import OnProgress, Verified

__all__ = ["verify"]


def verify(
    app: AppTarget,
    json: JsonFlag = False,
) -> None:
    """Rebuild the books of a live app from the stream, and compare them with its stored books.

    Positions and working orders are also compared with the executor's journal and its broker. The
    app may be running. The exit code is 1 when anything differs or cannot be compared.
    """
    import msgspec

    from ingenium.operations.apps import find_app

    loaded = load_app(app)
    portfolio = loaded.portfolio
    if not isinstance(portfolio, Portfolio):
        raise ConfigError(f"app {loaded.name!r} has no portfolio in Python, so no books to verify")
    place = find_app(Settings.from_environment(), loaded.name)
    began = monotonic()
    messages = make_console(stderr=True)
    # A million orders are alive at once, and the garbage collector would find no cycles among them.
    gc.disable()
    with StepProgress(messages, f"books of {portfolio.name}", "messages") as progress:
        executor = loaded.executor if isinstance(loaded.executor, Executor) else None
        result = asyncio.run(_verify(place, portfolio, executor, progress.on_count))
    seconds = monotonic() - began
    if json:
        more = {"equal": result.is_equal, "seconds": round(seconds, 3)}
        typer.echo(jsonlib.dumps(msgspec.to_builtins(result) | more))
    else:
        _print(make_console(), result, seconds)
    if not result.is_equal:
        raise typer.Exit(1)


async def _verify(
    place: LocalApp, portfolio: Portfolio, executor: Executor | None, on_progress: OnProgress
) -> Verified:
    from ingenium.operations.apps import as_operator, stream_of
    from ingenium.operations.verify import verify as verify_books

    path = place.directory / "state" / f"{portfolio.name}.db"
    async with as_operator(place) as bus:
        stream = await stream_of(bus)
        return await verify_books(portfolio, stream, path, on_progress, executor=executor)


def _print(console: Console, result: Verified, seconds: float) -> None:
    def say(text: str) -> None:
        console.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    rate = result.messages / max(seconds, 0.001)
    say(f"portfolio  {result.portfolio}, at message {result.position:,}")
    say(f"read       {result.messages:,} messages in {seconds:.1f} s, {rate:,.0f} a second")
    say(f"handled    {result.orders:,} orders and requests, {result.executions:,} executions")
    if result.waiting:
        say(f"outbox     {result.waiting:,} messages wait to be sent")
    if result.repeated:
        say(f"repeated   {result.repeated:,} messages are there twice, which readers pass over")
    say(f"digest     {result.digest}")
    if result.compared:
        say(f"positions  of {', '.join(result.compared)}")
    if result.is_equal:
        say("equal: the store holds what the stream says")
        return
    if result.not_compared:
        say(f"NOT COMPARED with executor and broker: {result.not_compared}")
    if result.differences:
        say(f"NOT EQUAL: {len(result.differences)} differences")
    for difference in result.differences:
        say(f"  {difference}")
