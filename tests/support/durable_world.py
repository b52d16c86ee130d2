"""A stream, a bus and a disk on which a durable member lives, dies and lives again."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from support.killing import Killed, Killer

from ingenium.bus import MemoryBus
from ingenium.bus.stream import MESSAGE_ID, MemoryStream
from ingenium.clock import ManualClock
from ingenium.components import Component, Portfolio
from ingenium.components.failpoints import Pass, Point, pass_by
from ingenium.events import (
    ExecutionEvent,
    OrderEvent,
    Side,
    Signal,
    SignalEvent,
    decode,
    encode,
)
from ingenium.runtime.durable import DurableRunner, Store
from ingenium.subjects.names import ORDER, SIGNAL

__all__ = ["NOW", "EverySignal", "Kept", "World", "fill", "orders_are"]

NOW = datetime(2024, 1, 2, tzinfo=UTC)


class World:
    """A stream, a bus and a disk that outlive the member."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOW)
        self.stream = MemoryStream("INGENIUM", clock=self.clock)
        self.bus = MemoryBus()
        self.disk = sqlite3.connect(":memory:")
        self.wrap: Callable[[MemoryStream], Any] = lambda stream: stream

    def member(self, component: Component, at: Pass = pass_by, **options: Any) -> DurableRunner:
        # The store is closed with its member; the disk is not.
        kept: Any = Kept(self.disk)
        store = Store(kept)
        return DurableRunner(
            self.bus, self.wrap(self.stream), component, store, clock=self.clock, at=at, **options
        )

    @asynccontextmanager
    async def running(self, component: Component, **options: Any) -> AsyncIterator[DurableRunner]:
        member = self.member(component, **options)
        await member.start()
        run = asyncio.create_task(member.run())
        try:
            yield member
        finally:
            run.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await run
            await member.stop()

    async def until_killed(self, component: Component, point: Point, count: int) -> None:
        """Run a member until it has passed a point so often."""
        killer = Killer(point, count)
        member = self.member(component, killer)
        with suppress(Killed):
            await member.start()
            await asyncio.wait_for(member.run(), 5)
        killer.check()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        if self.disk.in_transaction:
            self.disk.rollback()
        await asyncio.sleep(0)

    async def say(self, event: Any, subject: str, **headers: str) -> None:
        identifier = {MESSAGE_ID: event.id} if getattr(event, "id", None) else {}
        await self.stream.append(subject, encode(event), {**identifier, **headers})

    async def signal(self, number: int, signal: Signal = Signal.LONG, symbol: str = "AAPL") -> None:
        await self.say(SignalEvent(id=f"signal_{number}", symbol=symbol, signal=signal), SIGNAL)

    async def kept(self, subject: str, event_type: type[Any]) -> list[Any]:
        return [
            decode(event_type, record.message.payload)
            for record in self.stream._records
            if record.message.subject == subject
        ]

    async def orders(self) -> list[OrderEvent]:
        return await self.kept(ORDER, OrderEvent)

    async def until(self, condition: Callable[[], Any], what: str) -> None:
        async with asyncio.timeout(5):
            while not await condition():
                await asyncio.sleep(0.001)


class Kept:
    """A connection that stays open when its store is closed."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.__dict__["connection"] = connection

    def close(self) -> None:
        return

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["connection"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.__dict__["connection"], name, value)


class EverySignal(Portfolio):
    """Buys one share for each signal, and remembers how many there were."""

    def __init__(self) -> None:
        super().__init__(name="every-signal")
        self.handled: list[str] = []
        self.total = 0

    def on_signal(self, event: SignalEvent) -> None:
        self.handled.append(event.id or "")
        self.total += 1
        self.send_order(event.symbol, Side.BUY, 1)

    def get_state(self) -> object:
        return self.total

    def set_state(self, state: Any) -> None:
        self.total = state


def fill(order: OrderEvent, number: int = 1, **fields: Any) -> ExecutionEvent:
    values = {
        "id": f"exec_{order.id}_{number}",
        "order_id": order.id,
        "quantity": order.quantity,
        "symbol": order.symbol,
        "price": "100",
        "side": order.side,
        "timestamp": NOW,
    }
    return ExecutionEvent(**{**values, **fields})


async def orders_are(world: World, count: int) -> Callable[[], Any]:
    async def reached() -> bool:
        return len(await world.orders()) >= count

    await world.until(reached, f"{count} orders")
    return reached
