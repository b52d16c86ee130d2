"""An app for tests of replays: several feeds and strategies that take their time at random."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from ingenium import (
    App,
    Bar,
    DataEvent,
    External,
    Ingestor,
    Portfolio,
    Side,
    Signal,
    SignalEvent,
    Strategy,
)
from ingenium.brokers import PaperExecutor
from ingenium.bus import Bus
from ingenium.deploy.local.replay_run import run_replay
from ingenium.deploy.local.signals import Stop
from ingenium.deploy.local.subscription_probe import SubscriptionProbe
from ingenium.events import ExecutionEvent, OrderEvent
from ingenium.runtime.lockstep import make_replay_runner
from ingenium.runtime.replay import ReplayResult

START = datetime(2024, 1, 1, tzinfo=UTC)
DAYS = 40


class Pauses:
    """Gives way to other tasks a random number of times."""

    def __init__(self, seed: int | None) -> None:
        self._random = None if seed is None else random.Random(seed)

    async def pause(self) -> None:
        for _ in range(self._random.randrange(30) if self._random else 0):
            await asyncio.sleep(0)


class History(Ingestor):
    def __init__(self, *symbols: str, every: int = 1, days: int = DAYS) -> None:
        super().__init__(name="history-" + "-".join(symbols).lower())
        self.symbols_given, self.every, self.days = symbols, every, days

    def read(self) -> Iterator[DataEvent]:
        for day in range(0, self.days, self.every):
            for place, symbol in enumerate(self.symbols_given):
                price = str(100 + (day * 3 + place) % 7)
                yield Bar.make(
                    symbol,
                    START + timedelta(days=day),
                    open=price, high=price, low=price, close=price, volume="100000",
                    period=timedelta(days=1),
                ).event  # fmt: skip


class Moody(Strategy):
    def __init__(self, name: str, pauses: Pauses, symbols: list[str] | None = None) -> None:
        super().__init__(symbols, name=name)
        self.pauses = pauses

    async def on_start(self) -> None:
        await self.pauses.pause()

    async def on_bar(self, bar: Bar) -> None:
        await self.pauses.pause()
        if bar.close > 105:
            self.send_signal(bar.symbol, Signal.SHORT)
        elif bar.close < 101:
            self.send_signal(bar.symbol, Signal.LONG)


class Patient(Portfolio):
    """Orders from every kind of event, so that each loop of a step is walked."""

    def __init__(self, pauses: Pauses) -> None:
        super().__init__(name="patient")
        self.pauses = pauses
        self.seen: list[str] = []

    async def on_signal(self, event: SignalEvent) -> None:
        await self.pauses.pause()
        self.seen.append(f"signal {event.symbol}")
        side = Side.BUY if event.signal == Signal.LONG else Side.SELL
        self.send_order(event.symbol, side, Decimal(1))

    async def on_bar(self, bar: Bar) -> None:
        if bar.start.day == 15:
            self.send_order(bar.symbol, Side.BUY, Decimal(2), limit_price=Decimal(1), type="limit")

    async def on_execution(self, event: ExecutionEvent) -> None:
        await self.pauses.pause()
        self.seen.append(f"execution {event.symbol} {event.update}")
        if event.update == "filled" and self.now.day == 20:
            self.send_order(event.symbol, Side.SELL, Decimal(1))


class SlowExecutor(PaperExecutor):
    def __init__(self, pauses: Pauses) -> None:
        super().__init__()
        self.pauses = pauses

    async def on_order(self, event: OrderEvent) -> None:  # type: ignore[override]
        await self.pauses.pause()
        PaperExecutor.on_order(self, event)


def make_app(seed: int | None = None) -> App:
    pauses = Pauses(seed)
    return App(
        name="test",
        ingestors=[History("B", "C"), History("A", "B2", every=2), History("C2", every=3)],
        strategies=[
            Moody("z", pauses),
            Moody("a", pauses, ["A", "C"]),
            Moody("m", pauses, ["B"]),
        ],
        portfolio=Patient(pauses),
        executor=SlowExecutor(pauses),
    )


async def replay_on(
    bus: Bus, app: App, *, stop: Stop | None = None, on_step: Callable[..., None] | None = None
) -> ReplayResult:
    parts = [make_replay_runner(bus, app, c) for c in app.components if not isinstance(c, External)]
    probe = SubscriptionProbe(None, app)
    return await run_replay(bus, app, parts, probe, stop or Stop(), on_step)
