"""A halt is heard over the plain bus, before all that waits; a release waits for the stream."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from ingenium.bus import MemoryBus
from ingenium.bus.base import Message
from ingenium.bus.stream import Record
from ingenium.components import Portfolio, arm
from ingenium.events import ControlEvent, TradingState, encode
from ingenium.runtime.dispatch import Dispatcher
from ingenium.runtime.durable.halt_listener import listen_for_halts
from ingenium.runtime.durable.inbox import Data, ExternalChange, Inbox
from ingenium.subjects.names import TRADING


class World:
    def __init__(self) -> None:
        self.portfolio = Portfolio(name="portfolio")
        gate = arm(self.portfolio)
        assert gate is not None
        self.switch = gate.switch
        self.arrivals = Inbox()
        self.bus = MemoryBus()

    async def hear(self, payload: bytes) -> ExternalChange | None:
        await self.bus.publish(TRADING, payload)
        await self.bus.flush()
        found = self.arrivals.next()
        assert found is None or isinstance(found, ExternalChange)
        return found


@pytest.fixture
async def world() -> World:
    world = World()
    await world.bus.subscribe(
        TRADING, listen_for_halts(Dispatcher(world.portfolio), world.arrivals)
    )
    return world


def _said(state: str) -> bytes:
    return encode(ControlEvent(id=f"control_{state}", state=state, sender="ann@trader-1"))


@pytest.mark.parametrize("state", ["halted", "reducing", "of a later version"])
async def test_restriction_takes_effect_at_once(world: World, state: str) -> None:
    act = await world.hear(_said(state))
    assert act is not None
    act.act()
    assert world.switch.state is not TradingState.ACTIVE


async def test_release_waits_for_its_place_in_the_stream(world: World) -> None:
    halt = await world.hear(_said("halted"))
    assert halt is not None
    halt.act()
    assert await world.hear(_said("active")) is None
    assert world.switch.state is TradingState.HALTED


async def test_word_that_cannot_be_read_is_left_to_the_stream(world: World) -> None:
    assert await world.hear(b"halt!") is None


async def test_error_of_what_is_done_is_not_left_lying_about(world: World) -> None:
    lost: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: lost.append(context))
    act = await world.hear(_said("halted"))
    assert act is not None
    act.done.set_exception(ValueError("no"))
    await asyncio.sleep(0)
    del act
    assert lost == []


async def test_queues_that_are_full_let_their_writers_wait() -> None:
    """Fault 36: however fast events come, what waits is bounded."""
    arrivals = Inbox()
    message = Message("ingenium.strategy.signal", b"{}")

    async def bring_records() -> None:
        for number in range(5_000):
            await arrivals.put_record(Record(number, datetime(2024, 1, 2, tzinfo=UTC), message))

    async def bring_data() -> None:
        while True:
            await arrivals.put_data(Data(message))

    tasks = [asyncio.create_task(bring_records()), asyncio.create_task(bring_data())]
    taken = 0
    while not tasks[0].done():
        await asyncio.sleep(0)
        assert len(arrivals.records) <= 1_024
        assert len(arrivals.data) <= 1_024
        taken += isinstance(arrivals.next(), Record)
    taken += len(arrivals.records)
    assert taken == 5_000
    tasks[1].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
