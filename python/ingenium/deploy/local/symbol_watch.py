"""Reports symbols that strategies of a live app subscribe to and no ingestor sends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from ingenium.bus.base import Bus, Message
from ingenium.bus.envelope import unpack
from ingenium.components import App, Strategy
from ingenium.errors import WireError
from ingenium.events import DataEvent
from ingenium.runtime.replay.problems import unheard_symbols
from ingenium.subjects.names import ALL_DATA

__all__ = ["watched_symbols"]

_WAIT_SECONDS = 10.0


@asynccontextmanager
async def watched_symbols(
    bus: Bus, app: App, on_notice: Callable[[str], None], wait_seconds: float = _WAIT_SECONDS
) -> AsyncIterator[None]:
    """Watch the first market data, and report once the symbols that are missing.

    Args:
        bus: Bus with the market data.
        app: App with the strategies.
        on_notice: Receives a line per symbol.
        wait_seconds: Time after the first event within which the other symbols must arrive.
    """
    strategies = [each for each in app.strategies if isinstance(each, Strategy) and each.symbols]
    wanted = {symbol for each in strategies for symbol in each.symbols or ()}
    if not wanted:
        yield
        return
    seen: dict[str, None] = {}
    first, all_seen = asyncio.Event(), asyncio.Event()

    def on_data(message: Message) -> None:
        try:
            seen[unpack(DataEvent, message).symbol] = None
        except WireError:
            return  # those who read it say so
        first.set()
        if wanted <= seen.keys():
            all_seen.set()

    async def observe() -> None:
        await first.wait()
        try:
            await asyncio.wait_for(all_seen.wait(), wait_seconds)
        except TimeoutError:
            for strategy in strategies:
                for line in unheard_symbols(strategy, list(seen)):
                    on_notice(line)
        await subscription.stop()

    subscription = await bus.subscribe(ALL_DATA, on_data)
    looking = asyncio.create_task(observe())
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
        await subscription.stop()
