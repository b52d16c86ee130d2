"""The event loop whose time is a number."""

from __future__ import annotations

import asyncio

import pytest
from simulation.loop import OWNER, DeadlockError, Owner, SimLoop


def test_time_jumps_to_the_next_timer():
    async def main():
        loop = asyncio.get_running_loop()
        await asyncio.sleep(3600)
        return loop.time()

    assert SimLoop().run(main()) == pytest.approx(3600, abs=0.001)


def test_timers_go_off_in_order_of_time():
    async def main():
        seen = []

        async def wait(seconds):
            await asyncio.sleep(seconds)
            seen.append(seconds)

        await asyncio.gather(*(wait(seconds) for seconds in (3, 1, 2)))
        return seen

    assert SimLoop().run(main()) == [1, 2, 3]


def test_waiting_for_ever_is_an_error_that_says_who_waits():
    async def main():
        await asyncio.Event().wait()

    with pytest.raises(DeadlockError, match=r"main:\d+"):
        SimLoop().run(main())


def test_what_is_frozen_runs_only_after_it_is_thawed():
    async def main():
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimLoop)
        owner = Owner()
        seen = []

        async def work():
            while True:
                await asyncio.sleep(1)
                seen.append(int(loop.time()))

        token = OWNER.set(owner)
        task = asyncio.create_task(work())
        OWNER.reset(token)
        assert owner.tasks == [task]
        await asyncio.sleep(2.5)
        loop.freeze(owner)
        await asyncio.sleep(10)
        loop.thaw(owner)
        await asyncio.sleep(1.5)
        task.cancel()
        return seen

    assert SimLoop().run(main()) == [1, 2, 12, 13]


def test_a_thread_cannot_reach_the_loop():
    loop = SimLoop()
    with pytest.raises(RuntimeError, match="thread"):
        loop.call_soon_threadsafe(print)
    loop.run(asyncio.sleep(0))
