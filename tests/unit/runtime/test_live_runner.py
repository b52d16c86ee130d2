"""A live runner whose bus is away, and hooks of components that fail."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from support.risk_components import NOW, data

from ingenium import Executor, Ingestor, Middleware, Portfolio, Strategy
from ingenium.brokers import PaperExecutor
from ingenium.bus import MemoryBus
from ingenium.bus.base import Incident, IncidentKind
from ingenium.clock import ManualClock
from ingenium.components import Handling, HandlingKind, RunnerKind, arm, handle_of
from ingenium.errors import BusAwayError, ComponentError, FeedError
from ingenium.events import ExecutionEvent
from ingenium.runtime.dispatch import Dispatcher
from ingenium.runtime.live import LiveRunner
from ingenium.testing import wait_until


class AwayBus(MemoryBus):
    """A bus that is away for some publications."""

    def __init__(self, *away: int) -> None:
        super().__init__()
        self.away, self.count = away, 0
        self.incidents: list[Incident] = []
        self.on_incident(self.incidents.append)

    async def publish(
        self, subject: str, payload: bytes, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        """Raise where it is away."""
        self.count += 1
        if self.count in self.away:
            raise BusAwayError("no connection")
        await super().publish(subject, payload, headers, **more)


class Feed(Ingestor):
    def __init__(self, count: int) -> None:
        super().__init__(name="feed")
        self.count = count

    async def ingest(self) -> None:
        """Send a few bars, one at a time."""
        for number in range(self.count):
            self.send_data(data(str(100 + number), seconds=60 * number))
            await asyncio.sleep(0)


async def run_feed(bus: AwayBus, count: int) -> tuple[LiveRunner, list[str]]:
    closes: list[str] = []

    async def see(message: Any) -> None:
        closes.append(message.payload.decode().partition('"Close":"')[2].partition('"')[0])

    await bus.subscribe("ingenium.ingestor.data.>", see)
    runner = LiveRunner(bus, Feed(count), ManualClock(NOW), on_end="stop")
    await runner.start()
    await asyncio.wait_for(runner.run(), 5)
    await runner.stop()
    await bus.flush()
    return runner, closes


def feed_incidents(bus: AwayBus) -> list[tuple[IncidentKind, str]]:
    return [
        (each.kind, each.detail)
        for each in bus.incidents
        if "drop" in each.detail
    ]  # fmt: skip


async def test_data_that_comes_while_the_bus_is_away_is_dropped_and_counted() -> None:
    bus = AwayBus(2, 3, 4, 6)
    runner, closes = await run_feed(bus, 7)
    assert closes == ["100", "104", "106"]
    drops = "ingestor 'feed' drops its data from now on: no connection"
    assert feed_incidents(bus) == [
        (IncidentKind.FEED, drops),
        (IncidentKind.GAP, "ingestor 'feed' has dropped 3 events for want of a server"),
        (IncidentKind.FEED, drops),
        (IncidentKind.GAP, "ingestor 'feed' has dropped 1 events for want of a server"),
    ]
    assert runner.progress.sent == 3
    assert runner.progress.last_symbol == "AAPL"


async def test_bus_that_is_there_drops_nothing() -> None:
    bus = AwayBus()
    runner, closes = await run_feed(bus, 3)
    assert closes == ["100", "101", "102"]
    assert feed_incidents(bus) == []
    assert runner.progress.sent == 3


class Broken(Ingestor):
    async def ingest(self) -> None:
        """Fail at once."""
        raise KeyError("broken")


async def test_failure_of_a_feed_that_is_not_started_again_ends_the_runner() -> None:
    bus = AwayBus()
    runner = LiveRunner(bus, Broken(), ManualClock(NOW), on_end="stop")
    await runner.start()
    with pytest.raises(FeedError):
        await asyncio.wait_for(runner.run(), 5)


class Chatty(Strategy):
    """Sends a signal at its start and at its end."""

    def on_start(self) -> None:
        self.send_signal("A", "long")

    def on_stop(self) -> None:
        self.send_signal("A", "flat")


async def test_what_a_component_sends_at_its_start_and_end_is_published() -> None:
    bus = MemoryBus()
    seen: list[str] = []

    async def see(message: Any) -> None:
        seen.append(message.payload.decode())

    await bus.subscribe("ingenium.strategy.signal", see)
    runner = LiveRunner(bus, Chatty(), ManualClock(NOW))
    await runner.start()
    await runner.stop()
    await wait_until(lambda: len(seen) == 2)
    assert ["long" in text for text in seen] == [True, False]
    assert runner.lag() is None
    assert runner.observe().waiting == 0


# Hooks that fail.


class Failing(Strategy):
    def on_start(self) -> None:
        self.send_signal("A", "long")
        raise KeyError("no luck")

    def on_stop(self) -> None:
        raise ValueError("nor here")


async def test_hook_that_fails_is_named_and_what_it_sent_is_dropped() -> None:
    strategy = Failing(name="s")
    dispatcher = Dispatcher(strategy)
    with pytest.raises(ComponentError, match=r"strategy 's' failed to start: KeyError: 'no luck'"):
        await dispatcher.start(NOW)
    assert handle_of(strategy).take() == []
    with pytest.raises(ComponentError, match=r"strategy 's' failed to stop: ValueError: nor here"):
        await dispatcher.stop(NOW)


async def test_change_from_outside_that_fails_leaves_nothing_behind() -> None:
    strategy = Strategy()
    dispatcher = Dispatcher(strategy)

    def act() -> None:
        strategy.send_signal("A", "long")

    def fail() -> None:
        act()
        raise KeyError("no luck")

    assert [type(each).__name__ for each in dispatcher.apply("cause", act, NOW)] == ["SignalEvent"]
    with pytest.raises(KeyError, match="no luck"):
        dispatcher.apply("cause", fail, NOW)
    assert handle_of(strategy).take() == []


class BrokenExchange(PaperExecutor):
    def send_execution(self, event: ExecutionEvent) -> ExecutionEvent:
        """Fail after the report is sent."""
        super().send_execution(event)
        raise ValueError("no report")


async def test_executor_that_fails_at_the_end_of_an_instant_is_named() -> None:
    executor = BrokenExchange(name="paper")
    handle = handle_of(executor)
    dispatcher = Dispatcher(executor)
    report = ExecutionEvent(order_id="o1", symbol="A", update="new")

    class Report:
        def to_event(self) -> ExecutionEvent:
            return report

    executor.exchange.end_instant = lambda: [Report()]  # type: ignore[method-assign,list-item]
    handle.begin("cause", NOW)
    with pytest.raises(ComponentError, match="at the end of an instant: ValueError: no report"):
        await dispatcher.end_instant()
    assert handle.take() == []
    assert await Dispatcher(Portfolio()).end_instant() == []


class Kinds(Middleware):
    """Notes what was handled."""

    def __init__(self) -> None:
        self.seen: list[tuple[HandlingKind, object]] = []
        self.runner: RunnerKind | None = None

    def before(self, handling: Handling) -> None:
        """Note it."""
        self.seen.append((handling.kind, handling.item))
        self.runner = handling.runner


async def test_middleware_sees_hooks_and_the_end_of_an_instant_by_their_kind() -> None:
    executor, kinds = PaperExecutor(), Kinds()
    dispatcher = Dispatcher(executor, [kinds])
    await dispatcher.start(NOW)
    assert kinds.runner is RunnerKind.LIVE
    handle_of(executor).begin("cause", NOW)
    assert await dispatcher.end_instant() == []
    dispatcher.apply("cause", lambda: None, NOW)
    await dispatcher.stop(NOW)
    assert kinds.seen == [
        (HandlingKind.START, None),
        (HandlingKind.INSTANT_END, None),
        (HandlingKind.EXTERNAL, None),
        (HandlingKind.STOP, None),
    ]


# Old data.


@pytest.mark.parametrize(("seconds", "is_old"), [(3_600, False), (7_200, True)])
def test_executor_that_is_live_warns_of_old_bars_once(
    seconds: float, is_old: bool, caplog: pytest.LogCaptureFixture
) -> None:
    executor: Executor = PaperExecutor(name="paper")
    arm(executor)
    handle = handle_of(executor)
    with caplog.at_level(logging.WARNING):
        for number in range(2):
            event = data(seconds=number)
            handle.begin("cause", NOW + timedelta(seconds=seconds))
            handle.handle_data(event)
    lines = [each.getMessage() for each in caplog.records if "old" in each.getMessage()]
    assert len(lines) == int(is_old)
    assert all(line.startswith("paper: bars of AAPL are 2 hours old") for line in lines)
    assert not any("None" in each.getMessage() for each in caplog.records)
