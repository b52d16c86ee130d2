"""Programs of a live app that die are started again, until that does not help."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable

import pytest

from ingenium.backoff import Backoff, Restarts
from ingenium.components import External
from ingenium.deploy.local.child_process import Child
from ingenium.deploy.local.supervisor import CrashLoopError, RestartPolicy, Supervised
from ingenium.errors import DeployError

NAME = "rsi"


def test_delays_double_to_the_longest_and_begin_again_after_a_reset() -> None:
    backoff = Backoff(0.1, 1.6)
    assert [backoff.next() for _ in range(7)] == [0.1, 0.2, 0.4, 0.8, 1.6, 1.6, 1.6]
    backoff.reset()
    assert backoff.next() == 0.1
    assert (backoff.after(2), backoff.after(100_000)) == (0.4, 1.6)


def test_pauses_double_to_a_limit_and_begin_anew_after_health() -> None:
    backoff = Restarts(RestartPolicy(crashes=100))
    now = 0.0
    pauses = []
    for _ in range(7):
        pauses.append(backoff.crashed(1.0, now))
        now += 40
    assert pauses == [1, 2, 4, 8, 16, 30, 30]
    assert backoff.crashed(119.9, now) == 30
    assert backoff.crashed(120.0, now + 120) == 1
    assert backoff.crashed(1.0, now + 122) == 2


def test_five_crashes_within_two_minutes_are_too_many() -> None:
    backoff = Restarts(RestartPolicy())
    assert [backoff.crashed(1, now) for now in (0, 10, 20, 30, 119)] == [1, 2, 4, 8, None]
    backoff = Restarts(RestartPolicy())
    assert [backoff.crashed(1, now) for now in (0, 10, 20, 30, 121)] == [1, 2, 4, 8, 16]


class World:
    """Makes real processes, and notes what is said about them."""

    def __init__(self, command: str) -> None:
        self.lines: list[str] = []
        self.pauses: list[float] = []
        self.children: list[Child] = []
        self.command = command
        self._said = asyncio.Event()

    def supervised(self, policy: RestartPolicy | None = None) -> Supervised:
        component = External("strategy", ["rsi"], name=NAME)
        return Supervised(component, self._make, self._on_line, policy, self._pause)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not condition():
                self._said.clear()
                await self._said.wait()

    def _make(self) -> Child:
        command = [sys.executable, "-c", self.command]
        self.children.append(Child(NAME, command, dict(os.environ), on_line=self._on_line))
        return self.children[-1]

    def _on_line(self, name: str, line: str) -> None:
        assert name == NAME
        self.lines.append(line)
        self._said.set()

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self._said.set()


async def test_program_that_is_killed_is_started_again_and_stops_in_order() -> None:
    world = World("import os, time; print(os.getpid(), flush=True); time.sleep(60)")
    part = world.supervised()
    await part.start()
    run = asyncio.create_task(part.run())
    await world.until(lambda: len(world.lines) == 1)
    part.ready()
    os.kill(int(world.lines[0]), 9)
    await world.until(lambda: len(world.lines) == 3)
    assert world.lines[1] == "was killed by SIGKILL; it is started again in 1 s"
    assert world.pauses == [1.0]
    assert world.lines[2] != world.lines[0]
    part.ready()
    assert world.lines[3] == "is ready again"
    await part.stop()
    await run
    assert len(world.children) == 2


async def test_program_that_dies_again_and_again_is_given_up() -> None:
    world = World("raise SystemExit(3)")
    part = world.supervised()
    part.ready()
    await part.start()
    with pytest.raises(CrashLoopError, match="'rsi' ended with 3, 5 times within 120 s"):
        await part.run()
    assert world.pauses == [1, 2, 4, 8]
    assert len(world.children) == 5


async def test_program_that_dies_before_it_is_ready_is_an_error() -> None:
    world = World("raise SystemExit(2)")
    part = world.supervised()
    await part.start()
    with pytest.raises(DeployError, match="'rsi' ended with 2 before the run did"):
        await part.run()
    assert world.pauses == []


async def test_program_that_is_stopped_while_it_waits_is_not_started_again() -> None:
    world = World("raise SystemExit(3)")
    waiting = asyncio.Event()
    component = External("strategy", ["rsi"], name=NAME)

    async def pause(seconds: float) -> None:
        waiting.set()
        await asyncio.sleep(seconds)

    part = Supervised(
        component, world._make, world._on_line, RestartPolicy(first_seconds=600), pause
    )
    part.ready()
    await part.start()
    run = asyncio.create_task(part.run())
    await waiting.wait()
    part.kill()
    await part.stop()
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    assert len(world.children) == 1


async def _run_feed(*, is_ready: bool) -> None:
    def make() -> Child:
        command = [sys.executable, "-c", ""]
        return Child("feed", command, dict(os.environ), on_line=lambda *_: None)

    part = Supervised(External("ingestor", ["feed"], name="feed"), make, lambda *_: None)
    part.may_end = True
    await part.start()
    if is_ready:
        part.ready()
    async with asyncio.timeout(30):
        await part.run()


async def test_feed_that_the_app_ends_with_may_end_once_it_was_ready() -> None:
    await _run_feed(is_ready=True)


async def test_feed_that_ends_before_it_was_ready_has_failed_with_code_0_too() -> None:
    with pytest.raises(DeployError, match="'feed' ended with 0 before the run did"):
        await _run_feed(is_ready=False)


async def test_program_that_is_stopped_for_a_change_is_no_crash() -> None:
    world = World("import os, time; print(os.getpid(), flush=True); time.sleep(60)")
    part = world.supervised()
    await part.start()
    run = asyncio.create_task(part.run())
    await world.until(lambda: len(world.lines) == 1)
    part.ready()
    await part.stop_for_change()
    assert part.awaits_change
    starting = asyncio.create_task(part.start_changed(30))
    await world.until(lambda: len(world.lines) == 2)
    assert world.lines[0] != world.lines[1]
    part.ready()
    assert await starting
    assert (world.pauses, part.restarts, part.awaits_change) == ([], 0, False)
    await part.stop()
    await run


async def test_changed_program_that_fails_before_it_is_ready_waits_for_the_next_change() -> None:
    world = World("import time; print('up', flush=True); time.sleep(60)")
    part = world.supervised()
    await part.start()
    run = asyncio.create_task(part.run())
    await world.until(lambda: world.lines == ["up"])
    part.ready()
    await part.stop_for_change()
    world.command = "raise SystemExit(1)"
    assert not await part.start_changed(0)
    await world.until(lambda: len(world.lines) == 2)
    assert world.lines[1] == (
        "ended with 1 before it was ready; it is started again with the next change of its code"
    )
    assert part.awaits_change
    await part.stop_for_change()
    world.command = "import time; print('up again', flush=True); time.sleep(60)"
    starting = asyncio.create_task(part.start_changed(30))
    await world.until(lambda: world.lines[-1] == "up again")
    part.ready()
    assert await starting
    assert world.pauses == []
    await part.stop()
    await run
