"""Runs an app in this process, without a server: the same components, the same order.

This is the replay of `ingenium.lockstep` with the bus left out: what a component sends is handed
to the next one directly. Both take their order from the same rules, and a test holds their
digests against each other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from ingenium.components import App, Component, External, Ingestor, Portfolio
from ingenium.components.handling import (
    failed_on,
    handlers_of,
    start_component,
    stop_component,
)
from ingenium.errors import BacktestError
from ingenium.events import DataEvent, Event, ExecutionEvent, OrderEvent, SignalEvent, encode
from ingenium.lockstep import EventLog, Feed, OnStep, ReplayResult, next_turn

__all__ = ["replay", "replay_async"]

_YIELD_EVERY = 64
"""Steps between two looks at the event loop, so that Ctrl+C and other tasks get their turn."""


def replay(app: App, *, on_step: OnStep | None = None) -> ReplayResult:
    """Run an app over its history and return what came out; see `replay_async`."""
    return asyncio.run(replay_async(app, on_step=on_step))


async def replay_async(app: App, *, on_step: OnStep | None = None) -> ReplayResult:
    """Run an app over its history and return what came out.

    Components keep what they have learned, so a second run needs a fresh app.

    Args:
        app: Its ingestors read history, and no component is another program.
        on_step: Called after each step.

    Raises:
        BacktestError: The app has live or foreign components.
        ComponentError: A component raised.
        DataFileError: The history cannot be read.
    """
    return await _Replay(app, on_step or (lambda *_: None)).run()


class _Replay:
    def __init__(self, app: App, on_step: OnStep) -> None:
        for component in app.components:
            if isinstance(component, External):
                raise BacktestError(
                    f"{component.role} {component.name!r} is another program: run the app on a "
                    "bus, with ingenium run"
                )
        if not app.historical:
            raise BacktestError(
                "app has live ingestors: give it ones that read history, such as CsvIngestor"
            )
        self._app = app
        self._on_step = on_step
        self._ingestors = [i for i in app.ingestors if isinstance(i, Ingestor)]
        self._feeds = [Feed(ingestor) for ingestor in self._ingestors]
        self._handlers = {component: handlers_of(component) for component in app.components}
        self._started: set[Component] = set()
        portfolio = app.portfolio
        cash = portfolio.account.cash if isinstance(portfolio, Portfolio) else Decimal(0)
        self._log = EventLog(cash)

    async def run(self) -> ReplayResult:
        totals = [ingestor.total() for ingestor in self._ingestors]
        total = None if None in totals else sum(count or 0 for count in totals)
        for feed in self._feeds:
            await feed.start()
        steps = count = 0
        time: datetime | None = None
        while any(feed.head for feed in self._feeds):
            steps += 1
            time = min(feed.head.time for feed in self._feeds if feed.head is not None)
            data = await self._take_instant(time)
            count += len(data)
            await self._one_step(time, data)
            self._on_step(steps, time, count, total)
            if steps % _YIELD_EVERY == 0:
                await asyncio.sleep(0)
        if time is not None:
            for component in self._app.components:
                if component in self._started:
                    await stop_component(component, time)
        return self._log.result(complete=True)

    async def _take_instant(self, time: datetime) -> list[DataEvent]:
        feeds = self._feeds
        if len(feeds) == 1:
            return await feeds[0].take()
        data: list[DataEvent] = []
        while True:
            heads = [f.head if f.head and f.head.time == time else None for f in feeds]
            if not any(heads):
                return data
            turn = next_turn(heads)
            data += await feeds[turn.feed].take(turn.until_symbol)

    async def _one_step(self, time: datetime, data: Sequence[DataEvent]) -> None:
        app = self._app
        signals: list[Event] = []
        orders: list[Event] = []
        executions: list[Event] = []
        filled = await self._let(app.executor, DataEvent, data, time)
        executions += filled
        asked = await self._let(app.portfolio, DataEvent, data, time)
        asked += await self._let(app.portfolio, ExecutionEvent, filled, time)
        for strategy in app.strategies:
            signals += await self._let(strategy, DataEvent, data, time)
        asked += await self._let(app.portfolio, SignalEvent, signals, time)
        while asked:
            orders += asked
            reported = await self._let(app.executor, OrderEvent, asked, time)
            executions += reported
            asked = await self._let(app.portfolio, ExecutionEvent, reported, time)
        self._log.add_events(time, data, signals, orders, executions)

    async def _let(
        self,
        component: Component | None,
        kind: type[Event],
        events: Sequence[Event],
        time: datetime,
    ) -> list[Event]:
        """Let a component handle events of one kind; return what it sends."""
        if component is None or not events:
            return []
        handler = self._handlers[component].get(kind)
        if handler is None:
            return []
        symbols = getattr(component, "symbols", None) if kind is DataEvent else None
        sent: list[Event] = []
        for event in events:
            if symbols is not None and isinstance(event, DataEvent) and event.symbol not in symbols:
                continue
            if component not in self._started:
                self._started.add(component)
                sent += await start_component(component, time)
            # What `handle` does, without a coroutine for each handler that is a plain function.
            component.begin(event.id or component.name_cause(encode(event), time), time)
            try:
                awaitable = handler(event)
                if awaitable is not None:
                    await awaitable
            except Exception as error:
                raise failed_on(component, event, error) from error
            sent += component.take()
        return sent
