"""An executor at the HTTP broker, on a stream in memory and a file that outlive it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from support.http_broker import BrokerProcess
from support.killing import Killed, Killer

from ingenium.brokers import Broker, BrokerExecutor
from ingenium.bus import MemoryBus
from ingenium.bus.stream import MESSAGE_ID, MemoryStream
from ingenium.components import arm
from ingenium.components.failpoints import Pass, Point, pass_by
from ingenium.events import (
    CancelEvent,
    ControlEvent,
    ExecutionEvent,
    OrderEvent,
    ReplaceEvent,
    TradingState,
    decode,
    encode,
)
from ingenium.risk import RiskLimits
from ingenium.runtime.durable import DurableRunner, Store
from ingenium.subjects.names import EXECUTION, TRADING, subject_of

__all__ = ["Office"]


class Office:
    """A stream, a bus, a file and a broker.

    Args:
        folder: Where the file and the broker's ledger are.
        broker: The broker's process.
    """

    def __init__(self, folder: Path, broker: BrokerProcess) -> None:
        self.path = folder / "broker.db"
        self.broker = broker
        self.stream = MemoryStream("INGENIUM")
        self.bus = MemoryBus()
        self._said = 0
        self.executor = self.make()

    def adapter(self) -> Broker:
        """Return an adapter to the broker."""
        return self.broker.adapter()

    def make(self, **options: Any) -> BrokerExecutor:
        """Make a fresh executor."""
        options = {"timeout_seconds": 1.0, "poll_seconds": 0.05} | options
        executor = BrokerExecutor(self.adapter(), **options)
        arm(executor, RiskLimits(max_order_quantity=1000, duplicate_seconds=None))
        return executor

    def member(self, at: Pass = pass_by, **options: Any) -> DurableRunner:
        """Make a member that plays the executor."""
        store = Store.open(self.path, owner="test")
        return DurableRunner(self.bus, self.stream, self.executor, store, at=at, **options)

    @asynccontextmanager
    async def open(self, **options: Any) -> AsyncIterator[BrokerExecutor]:
        """Run an executor, a fresh one with options of `BrokerExecutor`."""
        self.executor = self.make(**options)
        member = self.member()
        try:
            await member.start()
            run = asyncio.create_task(member.run())
            try:
                yield self.executor
                assert not run.done(), run
            finally:
                run.cancel()
                with suppress(asyncio.CancelledError):
                    await run
        finally:
            await member.stop()

    async def until_killed(self, point: Point, count: int) -> None:
        """Run a fresh executor until it has passed a point so often, and kill it there."""
        killer = Killer(point, count)
        self.executor = self.make()
        member = self.member(killer)
        others = asyncio.all_tasks()
        with suppress(Killed):
            await member.start()
            await asyncio.wait_for(member.run(), 10)
        killer.check()
        left = asyncio.all_tasks() - others
        for task in left:
            task.cancel()
        # Those that are done as well, so that nobody asks what ended them.
        ended = [task for task in (member._turning, member._sending) if task is not None]
        await asyncio.gather(*left, *ended, return_exceptions=True)
        member._store.close()

    async def send(self, event: OrderEvent | CancelEvent | ReplaceEvent) -> None:
        """Put what a portfolio sends onto the stream."""
        await self.stream.append(subject_of(event), encode(event), {MESSAGE_ID: event.id})

    async def order(self, number: int = 1, quantity: str = "10", symbol: str = "AAPL") -> str:
        """Send an order to buy at the market."""
        event = OrderEvent(
            id=f"order_{number}", symbol=symbol, side="buy", quantity=quantity, type="market"
        )
        await self.send(event)
        return event.id

    async def say(self, state: TradingState) -> None:
        """Say as an operator whether there is to be trading."""
        self._said += 1
        event = ControlEvent(
            id=f"control_{self._said}",
            timestamp=datetime.now(UTC),
            state=state.value,
            reason="a test",
            sender="ann@trader-1",
        )
        await self.stream.append(TRADING, encode(event), {MESSAGE_ID: event.id})

    def controls(self) -> list[ControlEvent]:
        """Return what the executor said about trading."""
        found = [
            decode(ControlEvent, record.message.payload)
            for record in self.stream._records
            if record.message.subject == TRADING
        ]
        return [event for event in found if event.sender == "broker"]

    def executions(self) -> list[ExecutionEvent]:
        """Return what was reported."""
        return [
            decode(ExecutionEvent, record.message.payload)
            for record in self.stream._records
            if record.message.subject == EXECUTION
        ]

    def updates(self, order_id: str = "order_1") -> list[str]:
        """Return what was reported of an order."""
        return [e.update or "" for e in self.executions() if e.order_id == order_id]

    async def until(self, condition: Callable[[], Any], what: str) -> None:
        """Wait for a condition, with a limit."""
        try:
            async with asyncio.timeout(20):
                while not condition():
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise AssertionError(
                f"not within 20 s: {what}; {self.executions()}; {self.executor.problems}"
            ) from None

    async def until_reported(self, *updates: str, order_id: str = "order_1") -> None:
        """Wait for reports on an order, those and no others."""
        await self.until(
            lambda: len(self.updates(order_id)) >= len(updates), f"{updates} of {order_id}"
        )
        assert self.updates(order_id) == list(updates)

    def check(self) -> None:
        """Compare what is true at the broker with what was reported, and with the journal."""
        there = [order["client_order_id"] for order in self.broker.lines("order")]
        assert len(there) == len(set(there)), there
        fills = sorted(
            (fill["client_order_id"], fill["qty"], fill["price"])
            for fill in self.broker.lines("fill")
        )
        reported = sorted(
            (e.order_id, e.quantity, e.price or "") for e in self.executions() if e.price
        )
        assert reported == fills
        ids = [event.id for event in self.executions()]
        assert len(ids) == len(set(ids))
        assert self.executor.broker.account == self.executor.journal.store.account
