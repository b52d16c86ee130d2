"""A view of an app that is shown again and again, until Ctrl+C."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from rich.console import Console

__all__ = ["repeat"]

_T = TypeVar("_T")


async def repeat(
    observe: Callable[[], Awaitable[list[_T]]],
    show: Callable[[list[_T]], None],
    every: float,
    console: Console,
    *,
    clears: bool,
) -> list[_T]:
    """Show the state of an app until interrupted, and return the last state.

    Args:
        observe: Returns the present state.
        show: Shows it.
        every: Interval in seconds.
        console: Cleared before each view, if it is a terminal.
        clears: Whether it is cleared at all.

    Returns:
        The last state; empty if interrupted before the first.
    """
    from ingenium.deploy.local.signals import stop_signals

    found: list[_T] = []
    with stop_signals() as stop:
        while not stop.asked:
            looking = asyncio.ensure_future(observe())
            asked = asyncio.ensure_future(stop.wait())
            await asyncio.wait([looking, asked], return_when=asyncio.FIRST_COMPLETED)
            if not looking.done():
                looking.cancel()
                await asyncio.gather(looking, return_exceptions=True)
                break
            found = looking.result()
            if clears and console.is_terminal:
                console.clear()
            show(found)
            await asyncio.wait([asked], timeout=every)
            asked.cancel()
    return found
