"""Executors at a broker as processes of their own, killed, stopped and started twice."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from support.delivering import connected, jetstream
from support.http_broker import BrokerProcess
from support.running import Ended, Running, ingenium, running

from ingenium._gen.ingenium.v1 import ComponentStatus
from ingenium.bus import Message, NatsBus
from ingenium.bus.nats.stream_layout import MONEY_STREAM, open_stream
from ingenium.bus.stream import MESSAGE_ID
from ingenium.events import ExecutionEvent, OrderEvent, decode, encode
from ingenium.subjects.names import EXECUTION, ORDER, status_subject

pytestmark = pytest.mark.timeout(120)

APP = """
import asyncio
import os
import sys

sys.path.insert(0, os.environ["TESTS"])

from support.http_broker import HttpBroker

from ingenium import App, Ingestor
from ingenium.brokers import BrokerExecutor
from ingenium.portfolios import FixedQuantity


class Quiet(Ingestor):
    async def ingest(self):
        await asyncio.Event().wait()


app = App(
    ingestors=[Quiet()],
    portfolio=FixedQuantity(1),
    executor=BrokerExecutor(HttpBroker(int(os.environ["BROKER_PORT"])), poll_seconds=0.1),
    name="shop",
)
"""


class Shop:
    """A server, a broker, and executors as processes."""

    def __init__(self, folder: Path, server: Any, broker: BrokerProcess, bus: NatsBus) -> None:
        self.folder = folder
        self.server = server
        self.broker = broker
        self.bus = bus
        (folder / "app.py").write_text(APP)

    def env(self, state: str, **more: str) -> dict[str, str]:
        return {
            "NATS_SERVER": self.server.url,
            "BROKER_PORT": str(self.broker.port),
            "TESTS": str(Path(__file__).parents[1]),
            "INGENIUM_DATA_DIR": str(self.folder / state),
        } | more

    @asynccontextmanager
    async def executor(
        self, *arguments: str, state: str = "a", **more: str
    ) -> AsyncIterator[Running]:
        """Run an executor that is ready."""
        is_ready = asyncio.Event()

        def hear(message: Message) -> None:
            if decode(ComponentStatus, message.payload).state == "ready":
                is_ready.set()

        listening = await self.bus.subscribe(status_subject("shop", "broker"), hear)
        await self.bus.flush()
        command = ("run", "app.py", "--component", "broker", *arguments)
        with running(*command, cwd=self.folder, env=self.env(state, **more)) as process:
            async with asyncio.timeout(40):
                await is_ready.wait()
            await listening.stop()
            yield process

    async def second(self) -> Ended:
        """Start another executor, with a folder of its own, which should end by itself."""
        return await asyncio.to_thread(
            ingenium, "run", "app.py", "--component", "broker", cwd=self.folder, env=self.env("b")
        )

    async def order(self, number: int) -> None:
        stream = await open_stream(self.bus, MONEY_STREAM)
        event = OrderEvent(
            id=f"order_{number}", symbol="AAPL", side="buy", quantity=str(number), type="market"
        )
        await stream.append(ORDER, encode(event), {MESSAGE_ID: event.id})

    async def until_filled(self, *numbers: int) -> list[ExecutionEvent]:
        """Wait until orders are filled, and return all fills."""
        wanted = {f"order_{number}" for number in numbers}
        stream = await open_stream(self.bus, MONEY_STREAM)
        fills: list[ExecutionEvent] = []
        async with asyncio.timeout(40):
            async for record in stream.read([EXECUTION], 0):
                event = decode(ExecutionEvent, record.message.payload)
                if event.price:
                    fills.append(event)
                    wanted.discard(event.order_id)
                if not wanted:
                    break
        return fills

    def placed(self) -> list[str]:
        return [order["client_order_id"] for order in self.broker.lines("order")]


@pytest.fixture
async def shop(tmp_path: Path, broker: BrokerProcess, make_server: Any) -> AsyncIterator[Shop]:
    server = make_server(jetstream(tmp_path / "js"))
    async with connected(server.url) as bus:
        await open_stream(bus, MONEY_STREAM)
        yield Shop(tmp_path, server, broker, bus)


@pytest.mark.parametrize("point", ["calling", "called", "answered", "committed:2"])
async def test_executor_that_is_killed_and_started_again_places_each_order_once(
    shop: Shop, point: str
) -> None:
    async with shop.executor() as first:
        await shop.order(1)
        await shop.until_filled(1)
        first.send(signal.SIGTERM)
        assert (await asyncio.to_thread(first.wait)).code == 0
    async with shop.executor(INGENIUM_CRASH_AT=f"broker/{point}") as second:
        await shop.order(2)
        ended = await asyncio.to_thread(second.wait)
        assert ended.code == -signal.SIGKILL, ended.err
    async with shop.executor():
        await shop.order(3)
        fills = await shop.until_filled(1, 2, 3)
    assert sorted(shop.placed()) == ["order_1", "order_2", "order_3"]
    assert sorted(e.quantity for e in fills) == ["1", "2", "3"]


async def test_second_executor_of_an_account_is_refused_and_says_who_leads(shop: Shop) -> None:
    async with shop.executor() as first:
        await shop.order(1)
        await shop.until_filled(1)
        ended = await shop.second()
        assert ended.code != 0
        assert "executor.U1 is led by" in ended.err
        assert f":{first.pid}" in ended.err
        assert "Traceback" not in ended.err
        await shop.order(2)
        await shop.until_filled(2)
    assert shop.placed() == ["order_1", "order_2"]


async def test_executor_that_stood_still_ends_when_another_has_taken_its_place(shop: Shop) -> None:
    async with shop.executor() as first:
        await shop.order(1)
        await shop.until_filled(1)
        first.send(signal.SIGSTOP)
        await shop.order(2)
        # It waits until the first one's lease has run out. Its own journal is empty, so it adopts.
        async with shop.executor("--adopt", state="b"):
            await shop.order(3)
            await shop.until_filled(3)
            first.send(signal.SIGCONT)
            ended = await asyncio.to_thread(first.wait)
            assert ended.code != 0
            assert "executor.U1" in ended.err or "lease of account U1" in ended.err
            await shop.order(4)
            await shop.until_filled(4)
    placed = shop.placed()
    assert len(placed) == len(set(placed))
