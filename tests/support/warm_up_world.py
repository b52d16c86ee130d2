"""Apps whose strategies are warmed up from an ingestor's history."""

from __future__ import annotations

import asyncio
import math
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from support.durable_world import Kept

from ingenium import App, Ingestor, SignalEvent, Strategy
from ingenium.backtest.engine import replay_async
from ingenium.brokers import PaperExecutor
from ingenium.bus import MemoryBus
from ingenium.bus.stream import MemoryStream
from ingenium.clock import ManualClock
from ingenium.deploy.local.app_history import warm_up_of
from ingenium.events import decode, encode
from ingenium.portfolios import FixedQuantity
from ingenium.runtime.durable import DurableRunner, Store
from ingenium.subjects.names import SIGNAL, data_subject
from ingenium.trading import Bar

START = datetime(2024, 1, 2, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SYMBOLS = ("AAPL", "MSFT")

Said = tuple[str, str, datetime]


def bar_of(symbol: str, minute: int, close: float, period: timedelta = MINUTE) -> Bar:
    price = f"{close:.4f}"
    return Bar.make(
        symbol,
        START + minute * MINUTE,
        open=price,
        high=price,
        low=price,
        close=price,
        period=period,
    )


def walk(count: int, seed: int = 1) -> list[Bar]:
    """Make bars of two symbols for each minute."""
    random = Random(seed)
    prices = dict.fromkeys(SYMBOLS, 100.0)
    bars: list[Bar] = []
    for minute in range(count):
        for symbol in SYMBOLS:
            prices[symbol] *= math.exp(random.gauss(0, 0.02))
            bars.append(bar_of(symbol, minute, prices[symbol]))
    return bars


class History(Ingestor):
    def __init__(self, bars: Sequence[Bar], name: str = "history") -> None:
        super().__init__(name)
        self.bars = bars

    def read_bars(self) -> Iterator[Bar]:
        # Fresh ones, since a bar gets its name from the ingestor that reads it.
        return (Bar.from_event(bar.event) for bar in self.bars)


class Silent(Ingestor):
    async def ingest(self) -> None:
        await asyncio.Event().wait()


def live_app(strategy: Strategy, history: Sequence[Bar]) -> App:
    return App(
        ingestors=[Silent()],
        strategies=[strategy],
        portfolio=FixedQuantity(1),
        executor=PaperExecutor(),
        warm_up=History(history),
    )


async def expected(
    make: Callable[[], Strategy], bars: Sequence[Bar], after: datetime
) -> list[Said]:
    """Return what one backtest over all bars says after a time."""
    said: list[Said] = []
    strategy = make()
    send = strategy.send_signal

    def note(symbol: str, signal: Any, **more: Any) -> SignalEvent:
        if strategy.now > after:
            said.append((symbol, str(signal), strategy.now))
        return send(symbol, signal, **more)

    strategy.send_signal = note  # type: ignore[method-assign]
    await replay_async(
        App(
            ingestors=[History(bars)],
            strategies=[strategy],
            portfolio=FixedQuantity(1),
            executor=PaperExecutor(),
        )
    )
    return said


class World:
    """Streams, a bus and a disk that outlive a member."""

    def __init__(self) -> None:
        self.clock = ManualClock(START)
        self.money = MemoryStream("INGENIUM", clock=self.clock)
        self.data = MemoryStream("INGENIUM_DATA", clock=self.clock)
        self.bus = MemoryBus()
        self.disk = sqlite3.connect(":memory:", check_same_thread=False)
        self.gaps: list[str] = []

    async def publish(self, bar: Bar) -> None:
        await self.data.append(data_subject(bar.symbol), encode(bar.event))

    def member(self, strategy: Strategy, history: Sequence[Bar] | None) -> DurableRunner:
        warm_up = None
        if history is not None:
            warm_up = warm_up_of(live_app(strategy, history), strategy, self.gaps.append)

        async def open_data() -> MemoryStream:
            return self.data

        kept: Any = Kept(self.disk)
        return DurableRunner(
            self.bus,
            self.money,
            strategy,
            Store(kept),
            open_data=open_data,
            clock=self.clock,
            warm_up=warm_up,
        )

    @asynccontextmanager
    async def running(
        self, strategy: Strategy, history: Sequence[Bar] | None
    ) -> AsyncIterator[DurableRunner]:
        member = self.member(strategy, history)
        await member.start()
        run = asyncio.create_task(member.run())
        try:
            yield member
        finally:
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)
            await member.stop()

    async def handled(self, member: DurableRunner) -> None:
        """Wait until a member has handled all data that the stream has."""
        async with asyncio.timeout(5):
            while (member.observe().data_offset or 0) < len(self.data._records):
                await asyncio.sleep(0)
                member._uncommitted_since = member._uncommitted_since and 0.0
                member._arrivals.wake()

    async def kill(self, member: DurableRunner, run: asyncio.Task[None], handled: int) -> None:
        """End a member in the midst of its work; what it has not written is lost."""
        async with asyncio.timeout(5):
            while member.progress.handled < handled:
                await asyncio.sleep(0)
        tasks = [run, *asyncio.all_tasks() - {asyncio.current_task()}]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self.disk.in_transaction:
            self.disk.rollback()

    def said(self) -> list[tuple[str, str]]:
        events = [
            decode(SignalEvent, each.message.payload)
            for each in self.money._records
            if each.message.subject == SIGNAL
        ]
        return [(event.symbol, str(event.signal)) for event in events]
