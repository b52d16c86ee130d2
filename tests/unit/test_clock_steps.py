"""Machines whose clock is set, or wrong: what is late, the server's clock says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.delivering import EverySignal

from ingenium.bus import MemoryBus
from ingenium.bus.stream import MESSAGE_ID, MemoryStream
from ingenium.components import arm
from ingenium.events import DenialEvent, OrderEvent, SignalEvent, decode, encode
from ingenium.runtime.durable import DurableRunner, Store
from ingenium.runtime.durable.stream_clock import StreamClock
from ingenium.subjects.names import DENIAL, ORDER, SIGNAL

START = datetime(2026, 3, 29, 0, 59, 30, tzinfo=UTC)
"""Half a minute before clocks in Europe are put forward."""


class SetClock:
    """A clock that anybody may set."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        return self.time


class World:
    """A portfolio on a machine whose clock is not the server's."""

    def __init__(self, folder: Path) -> None:
        self.server, self.machine = SetClock(), SetClock()
        self.stream = MemoryStream("INGENIUM", clock=self.server)
        self.store = Store.open(folder / "p.db", owner="test")
        portfolio = EverySignal()
        arm(portfolio)
        self.member = DurableRunner(
            MemoryBus(), self.stream, portfolio, self.store, clock=self.machine
        )

    async def signal(self, symbol: str) -> None:
        event = SignalEvent(id=f"signal_{symbol}", symbol=symbol, signal="long")
        await self.stream.append(SIGNAL, encode(event), {MESSAGE_ID: f"signal_{symbol}"})

    def messages(self, subject: str) -> list[bytes]:
        records = self.stream._records
        return [r.message.payload for r in records if r.message.subject == subject]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.005)


@pytest.mark.parametrize("step_hours", [-24, -1, 1, 24])
async def test_step_of_the_machine_s_clock_makes_nothing_late(
    tmp_path: Path, step_hours: int
) -> None:
    """Fault 39: an order goes out before and after, and with the time of the server."""
    world = World(tmp_path)
    await world.member.start()
    try:
        await world.signal("A")
        await world.until(lambda: len(world.messages(ORDER)) == 1)
        world.machine.time += timedelta(hours=step_hours)
        world.server.time += timedelta(seconds=5)
        await world.signal("B")
        await world.until(lambda: len(world.messages(ORDER)) == 2)
    finally:
        await world.member.stop()
    assert world.messages(DENIAL) == []
    times = [decode(OrderEvent, payload).timestamp for payload in world.messages(ORDER)]
    assert times == [START, START + timedelta(seconds=5)]


@pytest.mark.parametrize("step_hours", [-24, -1, 1, 24])
async def test_machine_s_clock_makes_nothing_young(tmp_path: Path, step_hours: int) -> None:
    """Faults 31 and 39: what waited for 40 s by the server's clock is not traded upon."""
    world = World(tmp_path)
    await world.member.start()
    try:
        world.machine.time += timedelta(hours=step_hours)
        await world.signal("A")
        await world.until(lambda: len(world.messages(ORDER)) == 1)
        # It comes out of a stream that has gone on for 40 s meanwhile.
        world.member._clock.hear(START + timedelta(seconds=40))
        await world.signal("B")
        await world.until(lambda: len(world.messages(DENIAL)) == 1)
    finally:
        await world.member.stop()
    assert len(world.messages(ORDER)) == 1
    denial = decode(DenialEvent, world.messages(DENIAL)[0])
    assert (denial.reason, denial.symbol) == ("late", "B")
    assert "is 40 s old" in denial.detail


def test_age_never_goes_back_with_any_clock() -> None:
    """Fault 39: between two words of the server, only a clock that goes forward counts."""
    machine, elapsed = SetClock(), 0.0
    clock = StreamClock(machine, lambda: elapsed)
    assert clock.present() == START
    clock.hear(START + timedelta(days=1))
    seen = [clock.present()]
    for step in (timedelta(hours=-1), timedelta(days=-365), timedelta(hours=5)):
        machine.time += step
        elapsed += 1.0
        seen.append(clock.present())
    assert [time - seen[0] for time in seen] == [timedelta(seconds=n) for n in range(4)]
    # Something that was kept before what is known now changes nothing.
    clock.see(START)
    assert clock.present() == seen[-1]


def test_time_of_a_message_is_not_in_the_future_of_the_server() -> None:
    """What the server kept at a time was there at that time, so that an old order is old."""
    elapsed = 100.0
    clock = StreamClock(SetClock(), lambda: elapsed)
    clock.see(START + timedelta(days=1))
    assert clock.present() == START, "only the server's own word begins its time"
    clock.hear(START)
    clock.see(START + timedelta(seconds=10))
    assert clock.present() == START + timedelta(seconds=10)
    elapsed += 5
    assert clock.present() == START + timedelta(seconds=15)
    for seconds in (14.9, 15, 3):
        clock.see(START + timedelta(seconds=seconds))
        assert clock.present() == START + timedelta(seconds=15)
    clock.see(START + timedelta(seconds=15.1))
    assert clock.present() == START + timedelta(seconds=15.1)


def test_answer_that_was_long_on_its_way_tells_the_time_when_it_was_asked_for() -> None:
    elapsed = 100.0
    clock = StreamClock(SetClock(), lambda: elapsed)
    clock.hear(START, asked=97.0)
    assert clock.present() == START + timedelta(seconds=3), "never younger than it is"
    clock.hear(None)
    assert clock.present() == START + timedelta(seconds=3)
    clock.standing = START - timedelta(hours=1)
    assert clock.now() == START - timedelta(hours=1)
    assert clock.present() == START + timedelta(seconds=3)
    clock.standing = None
    assert clock.now() == clock.present()
