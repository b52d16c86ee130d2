"""A paused component handles no event, loses none of the stream, and still obeys a halt."""

from __future__ import annotations

import asyncio
from typing import Any

from support.durable_world import EverySignal, World

from ingenium import Bar, Strategy
from ingenium.bus import IncidentKind, MemoryBus
from ingenium.components import Executor, arm
from ingenium.components.handle_of import risk_of
from ingenium.events import ControlEvent, OrderEvent, TradingState, encode
from ingenium.runtime.live import LiveRunner
from ingenium.subjects.names import ORDER, TRADING, data_subject
from ingenium.testing import IncidentLog, bar, order, wait_until


async def test_signals_wait_in_the_stream_until_a_resume() -> None:
    world, portfolio = World(), EverySignal()
    async with world.running(portfolio) as member:
        await world.signal(1)
        await world.until(lambda: _answer(len(portfolio.handled) == 1), "the first signal")
        member.pause.begin()
        await world.signal(2)
        await world.signal(3)
        await wait_until(lambda: member.observe().waiting == 2)
        assert portfolio.handled == ["signal_1"]
        member.pause.end()
        await wait_until(lambda: len(portfolio.handled) == 3)
        assert portfolio.handled == ["signal_1", "signal_2", "signal_3"]


async def test_stop_during_a_pause_leaves_the_rest_to_the_next_start() -> None:
    world, portfolio = World(), EverySignal()
    async with world.running(portfolio) as member:
        member.pause.begin()
        await world.signal(1)
        await wait_until(lambda: member.observe().waiting == 1)
    assert portfolio.handled == []
    again = EverySignal()
    async with world.running(again):
        await wait_until(lambda: again.handled == ["signal_1"])


async def test_halt_takes_effect_during_a_pause() -> None:
    world, portfolio = World(), EverySignal()
    arm(portfolio)
    risk = risk_of(portfolio)
    assert risk is not None
    gate = risk.gate
    assert gate is not None
    async with world.running(portfolio) as member:
        member.pause.begin()
        event = ControlEvent(id="control_1", state="halted", sender="ann@trader-1")
        await world.bus.publish(TRADING, encode(event))
        await wait_until(lambda: gate.switch.state is TradingState.HALTED)


class Seen(Strategy):
    def __init__(self) -> None:
        super().__init__(name="seen")
        self.closes: list[float] = []

    def on_bar(self, bar: Bar) -> None:
        self.closes.append(bar.close)


class Taken(Executor):
    def __init__(self) -> None:
        super().__init__(name="taken")
        self.orders: list[str] = []

    def on_order(self, event: OrderEvent) -> None:
        self.orders.append(event.id or "")


async def test_without_streams_market_data_passes_and_orders_wait() -> None:
    bus, seen, taken = MemoryBus(), Seen(), Taken()
    incidents = IncidentLog()
    bus.on_incident(incidents)
    members = [LiveRunner(bus, seen), LiveRunner(bus, taken)]
    for member in members:
        await member.start()
        member.pause.begin()
    for close in ("1", "2"):
        await bus.publish(data_subject("AAPL"), _bar(close))
    await bus.publish(ORDER, encode(order("AAPL", id="order_1")))
    await bus.flush()
    await wait_until(lambda: members[1].observe().waiting == 1)
    for member in members:
        member.pause.end()
    await bus.publish(data_subject("AAPL"), _bar("3"))
    await wait_until(lambda: seen.closes == [3.0] and taken.orders == ["order_1"])
    for member in members:
        await member.stop()
    told = [each.detail for each in incidents.items if each.kind is IncidentKind.GAP]
    assert told == [
        "strategy 'seen' was paused, and 2 events have passed it",
        "executor 'taken' was paused, and 2 events have passed it",
    ]


async def test_without_streams_a_stop_during_a_pause_handles_no_order() -> None:
    bus, taken = MemoryBus(), Taken()
    incidents = IncidentLog()
    bus.on_incident(incidents)
    member = LiveRunner(bus, taken)
    await member.start()
    member.pause.begin()
    await bus.publish(ORDER, encode(order("AAPL", id="order_1")))
    await wait_until(lambda: member.observe().waiting == 1)
    async with asyncio.timeout(5):
        await member.stop()
    assert taken.orders == []
    assert [each.detail for each in incidents.items] == [
        "executor 'taken' was paused, and 1 events have passed it"
    ]


def _bar(close: str) -> bytes:
    return encode(bar("AAPL", close=close).event)


async def _answer(value: Any) -> Any:
    return value
