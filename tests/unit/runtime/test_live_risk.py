"""What limits of risk deny live is what they deny in a backtest of the same bars."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

from support.durable_world import Kept

from ingenium import App, Bar, Ingestor, Portfolio, RiskLimits, backtest
from ingenium.brokers import PaperExecutor
from ingenium.bus import MemoryBus
from ingenium.bus.stream import MemoryStream
from ingenium.clock import ManualClock
from ingenium.components import Component, arm
from ingenium.events import DenialEvent, ExecutionEvent, decode, encode
from ingenium.exchange import FillPolicy
from ingenium.runtime.durable import DurableRunner, Store
from ingenium.subjects.names import EXECUTION, TRADING, data_subject

START = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)
BARS = 40


class Prices(Ingestor):
    """One second of each two, so that an order comes before the bar that fills it begins."""

    def read_bars(self) -> Iterator[Bar]:
        walk, price = Random(3), 100.0
        for place in range(BARS):
            price = round(price * walk.uniform(0.96, 1.03), 2)
            yield Bar.make(
                "AAA", START + place * 2 * SECOND, open=str(price), high=str(price), low=str(price),
                close=str(price), volume="1000000", period=SECOND,
            )  # fmt: skip


class Greedy(Portfolio):
    """Asks for more or less at every second bar, so that it is filled before it asks again."""

    def __init__(self) -> None:
        super().__init__(100_000, name="greedy")
        self.random, self.bar = Random(18), 0
        self.denied: list[tuple[int, str, str]] = []

    def on_bar(self, bar: Bar) -> None:
        self.bar += 1
        if self.bar % 2:
            side = self.random.choice(["buy", "buy", "sell"])
            self.send_order("AAA", side, self.random.randint(1, 25))

    def on_denied(self, event: DenialEvent) -> None:
        self.denied.append((self.bar, event.reason, event.detail))


class Counting(PaperExecutor):
    def __init__(self) -> None:
        super().__init__(FillPolicy(volume_cap=None))
        self.bars = 0

    def on_data(self, event: Any) -> Any:
        self.bars += 1
        return super().on_data(event)


def make_app() -> App:
    return App(
        ingestors=[Prices()],
        portfolio=Greedy(),
        executor=Counting(),
        risk=RiskLimits(
            max_order_quantity=20, max_symbol_notional=3_000, max_daily_loss=120,
            price_collar=None, max_orders_per_second=None, duplicate_seconds=None,
        ),
    )  # fmt: skip


async def live(app: App) -> list[tuple[Decimal, Decimal]]:
    """Run portfolio and executor as live, bar by bar; return quantity and price of each fill."""
    portfolio, executor = app.portfolio, app.executor
    assert isinstance(portfolio, Greedy)
    assert isinstance(executor, Counting)
    clock = ManualClock(START)
    stream, bus = MemoryStream("INGENIUM", clock=clock), MemoryBus()

    async def start(component: Component, stack: AsyncExitStack) -> DurableRunner:
        arm(component, app.risk)
        kept: Any = Kept(sqlite3.connect(":memory:"))
        runner = DurableRunner(bus, stream, component, Store(kept), clock=clock)
        await runner.start()
        stack.push_async_callback(runner.stop)
        run = asyncio.create_task(runner.run())

        async def end() -> None:
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)

        stack.push_async_callback(end)
        return runner

    def is_idle(runner: DurableRunner) -> bool:
        """Whether it has handled all that is for it, and the stream has all that it sent."""
        other = EXECUTION if runner.component is portfolio else "ingenium.portfolio."
        for_it = [
            number
            for number, record in enumerate(stream._records, 1)
            if record.message.subject.startswith((other, TRADING))
        ]
        seen = runner.observe()
        is_behind = (seen.offset or 0) < max(for_it, default=0)
        return not (is_behind or seen.waiting or seen.outbox)

    async with AsyncExitStack() as stack:
        runners = [await start(each, stack) for each in (executor, portfolio)]
        for count, bar in enumerate(Prices().read_bars(), 1):
            clock.set(bar.end)
            await bus.publish(data_subject("AAA"), encode(bar.event))
            async with asyncio.timeout(20):
                quiet = 0
                while quiet < 3:
                    await asyncio.sleep(0.001)
                    is_seen = portfolio.bar == executor.bars == count
                    quiet = quiet + 1 if is_seen and all(map(is_idle, runners)) else 0
    await bus.close()
    fills = [
        decode(ExecutionEvent, record.message.payload)
        for record in stream._records
        if record.message.subject == EXECUTION
    ]
    return [
        (Decimal(each.quantity) * (1 if each.side == "buy" else -1), Decimal(each.price))
        for each in fills
        if each.price
    ]


async def test_live_and_backtest_deny_and_fill_the_same_orders() -> None:
    simulated = make_app()
    result = await backtest.run_async(simulated)
    assert isinstance(simulated.portfolio, Greedy)
    reasons = {reason for _, reason, _ in simulated.portfolio.denied}
    assert reasons == {"max_order_quantity", "max_symbol_notional", "reducing"}
    app = make_app()
    assert isinstance(app.portfolio, Greedy)
    fills = await live(app)
    assert app.portfolio.denied == simulated.portfolio.denied
    assert len(app.portfolio.denied) == result.denied_orders
    assert fills == [(fill.signed_quantity, fill.price) for fill in result.fills]
