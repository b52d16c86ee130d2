"""A handler that blocks the event loop is seen, and one that waits is not."""

from __future__ import annotations

import asyncio

import pytest

from ingenium.bus import Incident, IncidentKind, MemoryBus
from ingenium.components import Component, Strategy
from ingenium.config import Settings
from ingenium.errors import ComponentError, ConfigError
from ingenium.events import DataEvent, DenialEvent, Event, SignalEvent
from ingenium.portfolios import FixedQuantity
from ingenium.runtime.handler_limit import (
    BLOCKED_LIMIT,
    REPLAY_LIMIT,
    HandlerLimit,
    handler_place,
    limited,
)
from ingenium.runtime.loop_watchdog import TimedSteps, timed
from ingenium.strategies import RsiStrategy
from ingenium.trading import Bar


class Watch:
    """A clock that goes on by what the work says it takes."""

    def __init__(self) -> None:
        self.now = 0.0
        self.steps: list[float] = []

    def __call__(self) -> float:
        return self.now

    def work(self, coroutine: object) -> TimedSteps[object]:
        return TimedSteps(coroutine, self.steps.append, self)  # type: ignore[arg-type]


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
        made = timed(bus, Strategy(name="turns"), work())
        made._on_step(seconds)
        await made
    (incident,) = incidents
    assert incident.kind is IncidentKind.BLOCKED
    assert "strategy 'turns' blocked the loop for 5.0 s" in incident.detail


class Slow(Strategy):
    """Handles bars."""

    def on_bar(self, bar: Bar) -> None:
        """Take long."""


LINE_OF_SLOW = Slow.on_bar.__code__.co_firstlineno


async def test_message_names_limit_component_line_and_setting() -> None:
    bus = MemoryBus()
    incidents: list[Incident] = []
    bus.on_incident(incidents.append)

    async def work() -> None:
        return None

    for seconds in (1.99, 2.0):
        limit = HandlerLimit(2.0, "A_SETTING")
        made = timed(bus, Slow(name="turns"), work(), DataEvent, limit)
        made._on_step(seconds)
        await made
    (incident,) = incidents
    assert incident.detail == (
        "strategy 'turns' blocked the loop for 2.0 s in Slow.on_bar (test_blocking.py, line "
        f"{LINE_OF_SLOW}): await slow calls, or move them to another process; the limit is 2 s, "
        "and A_SETTING sets another"
    )


class Derived(Slow):
    """Inherits its handler."""


@pytest.mark.parametrize(
    ("component", "kind", "place"),
    [
        (Slow(), DataEvent, f"Slow.on_bar (test_blocking.py, line {LINE_OF_SLOW})"),
        (Derived(), DataEvent, f"Derived.on_bar (test_blocking.py, line {LINE_OF_SLOW})"),
        (RsiStrategy(["A"]), DataEvent, "RsiStrategy.on_bar"),
        (FixedQuantity(1), SignalEvent, "FixedQuantity.on_signal"),
        (Slow(), "on_start", "Slow.on_start"),
        (Slow(), DenialEvent, "Slow"),
    ],
)
def test_handler_is_named_with_its_line_where_that_is_a_users(
    component: Component, kind: type[Event] | str, place: str
) -> None:
    assert handler_place(component, kind) == place


async def test_handler_that_waits_too_long_is_ended_and_the_line_is_named() -> None:
    async def waits() -> None:
        await asyncio.Event().wait()  # the line

    line = waits.__code__.co_firstlineno + 1
    with pytest.raises(ComponentError) as caught:
        await limited(Slow(), DataEvent, waits(), HandlerLimit(0.01, "A_SETTING"))
    text = str(caught.value)
    assert text.startswith(
        f"strategy 'slow': Slow.on_bar (test_blocking.py, line {LINE_OF_SLOW}) took 0.0 s, "
        f"waiting (test_blocking.py, line {line}): the limit is 0.01 s, and A_SETTING sets another"
    )


async def test_handler_that_never_waits_is_refused_when_it_is_done() -> None:
    async def computes() -> int:
        return sum(range(100_000))

    with pytest.raises(ComponentError, match=r"Slow.on_bar .* took 0\.0 s: the limit is 1e-09"):
        await limited(Slow(), DataEvent, computes(), HandlerLimit(1e-9, "A_SETTING"))
    assert await limited(Slow(), DataEvent, computes(), HandlerLimit(60, "A_SETTING"))


async def test_timeout_of_the_handlers_own_is_its_error() -> None:
    async def fails() -> None:
        async with asyncio.timeout(0):
            await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        await limited(Slow(), DataEvent, fails(), HandlerLimit(60, "A_SETTING"))


def test_limits_of_handlers_are_settings() -> None:
    assert Settings.from_environment({}).handler_seconds == REPLAY_LIMIT.seconds == 30
    assert Settings.from_environment({}).blocked_seconds == BLOCKED_LIMIT.seconds == 1
    found = Settings.from_environment({REPLAY_LIMIT.setting: " 90 ", BLOCKED_LIMIT.setting: "0.5"})
    assert (found.handler_seconds, found.blocked_seconds) == (90, 0.5)


@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "a minute"])
@pytest.mark.parametrize("name", [REPLAY_LIMIT.setting, BLOCKED_LIMIT.setting])
def test_limit_that_is_no_time_is_refused(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is '{value}': use a number of seconds"):
        Settings.from_environment({name: value})
