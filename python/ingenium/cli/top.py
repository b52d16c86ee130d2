"""``ingenium top``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from ingenium.cli.backtest_output import make_console
from ingenium.cli.targets import AppName, ServerOption, app_and_roster, settings_with
from ingenium.cli.top_view import print_view

if TYPE_CHECKING:
    from ingenium.operations.live_rates import AppView

__all__ = ["top"]


def top(
    app: AppName = None,
    server: ServerOption = None,
    once: Annotated[
        bool, typer.Option("--once", help="Print the view once, as text, and end.")
    ] = False,
    every: Annotated[
        float, typer.Option("--every", min=0.2, metavar="SECONDS", help="Interval of updates.")
    ] = 1.0,
) -> None:
    """Watch a live app: components, rates, lag, positions and last events.

    Rates are those since the update before; with --once, those of one interval. The live view
    needs the package textual: pip install 'ingenium[top]'. With --once the exit code is 0 when
    components run, and 3 when none does.
    """
    from ingenium.operations.apps import find_app
    from ingenium.operations.live_rates import RateReader

    name, roster = app_and_roster(app)
    reader = RateReader(find_app(settings_with(server), name), roster)
    if not once:
        from ingenium.cli.top_screen import watch

        watch(reader, every)
        return

    async def look() -> AppView:
        await reader.observe()
        await asyncio.sleep(every)
        return await reader.observe()

    view = asyncio.run(look())
    print_view(make_console(), view)
    if not view.components:
        raise typer.Exit(3)
