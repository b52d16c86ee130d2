"""A handler that blocks the event loop is seen, and one that waits is not."""

from __future__ import annotations

import asyncio

import pytest

from ingenium.bus import Incident, IncidentKind, MemoryBus
from ingenium.components import Strategy
from ingenium.components.blocking import Watched, watched


class Watch:
    """A clock that goes on by what the work says it takes."""

    def __init__(self) -> None:
        self.now = 0.0
        self.steps: list[float] = []

    def __call__(self) -> float:
        return self.now

    def work(self, coroutine: object) -> Watched[object]:
        return Watched(coroutine, self.steps.append, self)  # type: ignore[arg-type]


async def test_longest_step_between_two_waits_counts() -> None:
    watch = Watch()

    async def work() -> str:
        watch.now += 2
        await asyncio.sleep(0)
        watch.now += 5
        await asyncio.sleep(0)
        watch.now += 1
        return "done"

    assert await watch.work(work()) == "done"
    assert watch.steps == [5]


async def test_time_that_is_waited_does_not_count() -> None:
    watch = Watch()
    gate = asyncio.Event()

    async def work() -> None:
        watch.now += 0.5
        await gate.wait()

    task = asyncio.ensure_future(_awaited(watch, work()))
    await asyncio.sleep(0)
    watch.now += 3600
    gate.set()
    await task
    assert watch.steps == [0.5]


async def _awaited(watch: Watch, coroutine: object) -> None:
    await watch.work(coroutine)


async def test_errors_and_cancellation_pass_through() -> None:
    watch = Watch()
    seen: list[str] = []

    async def fails() -> None:
        try:
            async with asyncio.timeout(0):
                await asyncio.sleep(60)
        except TimeoutError:
            watch.now += 4
            raise ZeroDivisionError from None

    with pytest.raises(ZeroDivisionError):
        await watch.work(fails())

    async def waits() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append("canceled")
            raise

    task = asyncio.ensure_future(_awaited(watch, waits()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["canceled"]
    assert watch.steps == [4, 0]


async def test_component_that_blocks_is_named() -> None:
    bus = MemoryBus()
    incidents: list[Incident] = []
    bus.on_incident(incidents.append)

    async def work() -> None:
        return None

    for seconds in (0.9, 5.0):
        made = watched(bus, Strategy(name="turns"), work())
        made._on_step(seconds)
        await made
    (incident,) = incidents
    assert incident.kind is IncidentKind.BLOCKED
    assert "strategy 'turns' blocked the loop for 5.0 s" in incident.detail
