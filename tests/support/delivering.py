"""A small app on a stream of a real server, to break its parts one by one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from ingenium.bus import NatsBus, NatsOptions
from ingenium.bus.envelope import unpack
from ingenium.bus.nats.stream_layout import MONEY_STREAM, open_stream
from ingenium.bus.stream import MESSAGE_ID, Record
from ingenium.components import Component, Executor, Portfolio
from ingenium.errors import BusTimeoutError
from ingenium.events import (
    ContentType,
    ExecutionEvent,
    OrderEvent,
    Side,
    Signal,
    SignalEvent,
    encode,
)
from ingenium.runtime.durable import DurableRunner
from ingenium.runtime.durable.salvage import open_store
from ingenium.subjects.names import EXECUTION, ORDER, SIGNAL

__all__ = ["Desk", "EverySignal", "FillAll", "connected", "jetstream"]

ComponentT = TypeVar("ComponentT", bound=Component)

_OPTIONS = NatsOptions(ping_interval_seconds=1, reconnect_buffer_bytes=0)


def jetstream(folder: Path, *more: str) -> str:
    """Write the part of a server's configuration that keeps streams in a folder."""
    lines = [f'store_dir: "{folder}"', "sync_interval: always", *more]
    return "jetstream {\n" + "\n".join(lines) + "\n}"


class EverySignal(Portfolio):
    """Buys one share for each signal."""

    def __init__(self) -> None:
        super().__init__(name="every-signal")

    def on_signal(self, event: SignalEvent) -> None:
        self.send_order(event.symbol, Side.BUY, 1)


class FillAll(Executor):
    """Fills each order at once, and keeps a ledger outside of all that could restore it."""

    def __init__(self, ledger: list[str]) -> None:
        super().__init__("fill-all")
        self._ledger = ledger

    def on_order(self, event: OrderEvent) -> None:
        self._ledger.append(event.id)
        self.send_execution(
            ExecutionEvent(
                order_id=event.id,
                symbol=event.symbol,
                side=event.side,
                quantity=event.quantity,
                price="100",
                update="filled",
                timestamp=datetime.now(UTC),
            )
        )


@asynccontextmanager
async def connected(
    url: str, content_type: ContentType = ContentType.JSON
) -> AsyncIterator[NatsBus]:
    """Connect as the components of a live app do."""
    bus = await NatsBus.connect(url, options=replace(_OPTIONS, content_type=content_type))
    try:
        yield bus
    finally:
        await bus.close()


class Desk:
    """Starts members on a server, and looks at what the stream has."""

    def __init__(
        self, url: str, folder: Path, content_type: ContentType = ContentType.JSON
    ) -> None:
        self.url = url
        self.content_type = content_type
        self.folder = folder
        self.ledger: list[str] = []
        self.timeouts = 0
        """How many signals had to be sent again."""

    @asynccontextmanager
    async def running(self, component: ComponentT, **options: Any) -> AsyncIterator[ComponentT]:
        """Run a component from its file in the folder."""
        async with connected(self.url, self.content_type) as bus:
            stream = await open_stream(bus, MONEY_STREAM)
            path = self.folder / f"{component.name}.db"
            store = open_store(bus, path, component.name, component)
            member = DurableRunner(bus, stream, component, store, **options)
            try:
                await member.start()
                run = asyncio.create_task(member.run())
                try:
                    yield component
                finally:
                    run.cancel()
                    await asyncio.gather(run, return_exceptions=True)
            finally:
                await member.stop()

    @asynccontextmanager
    async def both(self) -> AsyncIterator[tuple[EverySignal, FillAll]]:
        """Run a portfolio and an executor."""
        executor, portfolio = FillAll(self.ledger), EverySignal()
        async with self.running(executor), self.running(portfolio):
            yield portfolio, executor

    async def signal(self, bus: NatsBus, number: int) -> None:
        """Append a signal, however long that takes."""
        stream = await self._stream(bus)
        event = SignalEvent(id=f"signal_{number}", symbol="AAPL", signal=Signal.LONG)
        while True:
            try:
                await stream.append(SIGNAL, encode(event), {MESSAGE_ID: event.id or ""})
            except BusTimeoutError:
                self.timeouts += 1
                await asyncio.sleep(0.02)
            else:
                return

    async def records(self, bus: NatsBus, *subjects: str) -> list[Record]:
        """Return what the stream has on some subjects."""
        stream = await self._stream(bus)
        last = (await stream.state()).last
        found: list[Record] = []
        if last:
            async for record in stream.read(["ingenium.>"], 0):
                if record.message.subject in subjects:
                    found.append(record)
                if record.sequence == last:
                    break
        return found

    async def check(self, bus: NatsBus, portfolio: Portfolio, count: int) -> None:
        """Wait until all signals are filled; then nothing may be there twice."""

        async def booked() -> bool:
            return portfolio.account.bookings >= count and not portfolio.orders

        await self.until(booked, f"{count} fills in the books")
        orders = [unpack(OrderEvent, r.message).id for r in await self.records(bus, ORDER)]
        fills = [
            unpack(ExecutionEvent, r.message).order_id for r in await self.records(bus, EXECUTION)
        ]
        assert len(orders) == len(set(orders)) == count
        assert sorted(fills) == sorted(orders)
        assert portfolio.position("AAPL").quantity == portfolio.account.bookings == count

    async def until(self, condition: Callable[[], Any], what: str) -> None:
        """Wait for a condition, with a limit."""
        try:
            async with asyncio.timeout(30):
                while not await condition():
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"not within 30 s: {what}") from None

    async def _stream(self, bus: NatsBus) -> Any:
        while True:
            try:
                return await open_stream(bus, MONEY_STREAM)
            except BusTimeoutError:
                self.timeouts += 1
                await asyncio.sleep(0.02)
