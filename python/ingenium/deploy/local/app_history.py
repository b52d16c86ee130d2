"""History for the warm-up of the strategies of a live app."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from datetime import datetime

from ingenium.components import (
    App,
    Component,
    External,
    Ingestor,
    Middleware,
    RunnerKind,
    Strategy,
)
from ingenium.components.handle_of import handle_of
from ingenium.errors import ConfigError
from ingenium.events import DataEvent
from ingenium.runtime.dispatch import Dispatcher
from ingenium.runtime.replay import Feed, Item, Turn, next_turn
from ingenium.runtime.warm_up import WarmUp

__all__ = ["AppHistory", "check_history", "warm_up_of"]


class AppHistory:
    """Reads ingestors of history like a backtest.

    Args:
        ingestors: Ingestors; each is read from its beginning every time.
        middleware: Called when an ingestor starts and stops.
    """

    def __init__(
        self, ingestors: Sequence[Ingestor], middleware: Sequence[Middleware] = ()
    ) -> None:
        self._ingestors = ingestors
        self._dispatchers = [
            Dispatcher(ingestor, middleware, RunnerKind.WARM_UP) for ingestor in ingestors
        ]

    @property
    def total(self) -> int | None:
        """Number of events; ``None`` if unknown."""
        total = 0
        for ingestor in self._ingestors:
            count = ingestor.total()
            if count is None:
                return None
            total += count
        return total

    async def items(self) -> AsyncGenerator[tuple[datetime, list[Item]], None]:
        """Yield instants and their data, merged by time, symbol and the order of ingestors.

        Raises:
            DataFileError: A source cannot be read.
            ComponentError: An ingestor failed, or its history is not in the order of time.
        """
        feeds = [Feed(ingestor) for ingestor in self._ingestors]
        for feed in feeds:
            await feed.start()
        begun: set[int] = set()
        while any(feed.head is not None for feed in feeds):
            turn = Turn(0, "") if len(feeds) == 1 else next_turn([feed.head for feed in feeds])
            feed = feeds[turn.feed]
            if feed.head is None:
                break
            time = feed.head.time
            items: list[Item] = []
            if turn.feed not in begun:
                begun.add(turn.feed)
                handle_of(feed.ingestor).first_time = time
                sent = await self._dispatchers[turn.feed].start(time)
                items += [event for event in sent if isinstance(event, DataEvent)]
            yield time, items + await feed.take(turn.until_symbol)
        for place in begun:
            await self._dispatchers[place].stop(feeds[place].read_until)


def warm_up_of(app: App, component: Component, report: Callable[[str], None]) -> WarmUp | None:
    """Return the warm-up of a component; ``None`` if it has none.

    Args:
        app: App with the history.
        component: Component of the app; only strategies are warmed up.
        report: Receives a line about a gap between history and live data.
    """
    if not app.warm_up or not isinstance(component, Strategy):
        return None
    history = AppHistory(app.warm_up, app.middleware)
    return WarmUp(component, history, report, app.middleware)


async def check_history(app: App) -> str:
    """Check the history of an app before its components start.

    Returns:
        A notice of the strategies that cannot be warmed up; empty without any.

    Raises:
        DataFileError: The history cannot be read.
        ConfigError: The history is empty.
    """
    if not app.warm_up:
        return ""
    async with aclosing(AppHistory(app.warm_up, app.middleware).items()) as instants:
        if await anext(instants, None) is None:
            names = ", ".join(ingestor.name for ingestor in app.warm_up)
            raise ConfigError(
                f"the history of App(warm_up=...) is empty: give {names} a source with data, or "
                "leave warm_up out"
            )
    foreign = [each.name for each in app.strategies if isinstance(each, External)]
    if not foreign:
        return ""
    verb = "is" if len(foreign) == 1 else "are"
    return f"{', '.join(foreign)} {verb} not warmed up: only strategies in Python are"
