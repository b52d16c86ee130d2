"""Durable delivery: damaged streams, other components and clocks."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from support.durable_world import NOW, EverySignal, World, fill, orders_are

from ingenium.bus import MemoryBus
from ingenium.bus.envelope import headers_for
from ingenium.bus.stream import MemoryStream
from ingenium.clock import ManualClock
from ingenium.components import Executor, Portfolio, Strategy
from ingenium.errors import ComponentError, StreamError
from ingenium.events import (
    CancelEvent,
    ExecutionEvent,
    OrderEvent,
    Side,
    Signal,
    SignalEvent,
    encode,
)
from ingenium.runtime.live import LiveRunner
from ingenium.subjects.names import EXECUTION, SIGNAL, data_subject
from ingenium.trading import Bar


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    await world.bus.close()
    world.disk.close()


async def test_stream_that_lost_what_was_handled_is_refused(world: World) -> None:
    """Faults 20 and 21."""
    async with world.running(EverySignal()):
        await world.signal(1)
        await orders_are(world, 1)
    world.stream._records.pop()
    world.stream._records.pop()
    member = world.member(EverySignal())
    with pytest.raises(
        StreamError,
        match=r"'every-signal' cannot go on: stream INGENIUM ends at message 0.*--adopt",
    ):
        await member.start()
    await member.stop()
    world.stream = MemoryStream("INGENIUM", clock=ManualClock(NOW + timedelta(days=1)))
    member = world.member(EverySignal())
    with pytest.raises(StreamError, match="was recreated"):
        await member.start()
    await member.stop()
    async with world.running(component := EverySignal(), adopt=True):
        world.clock.set(NOW + timedelta(days=1))
        await world.signal(2)
        await orders_are(world, 1)
    assert component.total == 2


async def test_stream_whose_end_was_lost_and_refilled_is_refused(world: World) -> None:
    """Fault 21, when others have taken the places of what is lost before anybody looked."""
    async with world.running(EverySignal()):
        await world.signal(1)
        await orders_are(world, 1)
    world.stream._records[:] = []
    world.stream._taken.clear()
    world.clock.advance(timedelta(minutes=1))
    for number in range(5):
        await world.signal(100 + number)
    member = world.member(EverySignal())
    with pytest.raises(StreamError, match="message 1 of stream INGENIUM is not the one that was"):
        await member.start()
    await member.stop()
    async with world.running(component := EverySignal(), adopt=True):
        await orders_are(world, 5)
    assert component.total == 1 + 5


async def test_data_changes_are_written_with_the_place_they_belong_to(world: World) -> None:
    class Counting(Strategy):
        def __init__(self) -> None:
            super().__init__(name="counting")
            self.bars = 0

        def on_bar(self, bar: Bar) -> None:
            self.bars += 1
            self.send_signal(bar.symbol, Signal.LONG)

        def get_state(self) -> object:
            return self.bars

        def set_state(self, state: Any) -> None:
            self.bars = state

    data = MemoryStream("INGENIUM_DATA")

    opened = asyncio.Event()

    async def open_data() -> MemoryStream:
        opened.set()
        return data

    async def bar(number: int) -> None:
        made = Bar.make(
            "AAPL",
            NOW + timedelta(minutes=number),
            open="1",
            high="1",
            low="1",
            close="1",
            volume="1",
            period=timedelta(minutes=1),
        )
        event = made.event
        event.id = f"data_{number}"
        await data.append(data_subject("AAPL"), encode(event))

    async def signals() -> bool:
        return len(await world.kept(SIGNAL, SignalEvent)) >= wanted

    component = Counting()
    async with world.running(component, open_data=open_data):
        # It starts with what comes from now on, so it has to be reading.
        await opened.wait()
        for number in range(5):
            await bar(number)
        wanted = 5
        await world.until(signals, "signals")
    for number in range(5, 8):
        await bar(number)
    again = Counting()
    async with world.running(again, open_data=open_data):
        wanted = 8
        await world.until(signals, "signals")
    assert again.bars == 8
    ids = [event.id for event in await world.kept(SIGNAL, SignalEvent)]
    assert len(set(ids)) == len(ids) == 8


@pytest.mark.parametrize(
    ("symbol", "others"), [("BRK B", ["BRK%20B", "brk b", "BRKB"]), ("A%20B", ["A B", "a%20b"])]
)
async def test_symbol_that_no_subject_holds_is_taken_from_a_stream(
    world: World, symbol: str, others: list[str]
) -> None:
    class Following(Strategy):
        def on_bar(self, bar: Bar) -> None:
            self.send_signal(bar.symbol, Signal.LONG)

    data = MemoryStream("INGENIUM_DATA")
    opened = asyncio.Event()

    async def open_data() -> MemoryStream:
        opened.set()
        return data

    async with world.running(Following([symbol]), open_data=open_data):
        await opened.wait()
        for number, name in enumerate([symbol, *others, symbol]):
            start = NOW + timedelta(minutes=number)
            minute = timedelta(minutes=1)
            made = Bar.make(name, start, open="1", high="1", low="1", close="1", period=minute)
            event = made.event
            event.id = f"data_{number}"
            await data.append(data_subject(name), encode(event), headers_for(event, "feed"))

        async def both() -> bool:
            return len(await world.kept(SIGNAL, SignalEvent)) >= 2

        await world.until(both, "signals")
    assert [event.symbol for event in await world.kept(SIGNAL, SignalEvent)] == [symbol, symbol]


async def test_component_that_waits_for_ever_can_be_stopped(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingenium.runtime.durable.durable_runner._DRAIN_SECONDS", 0.05)

    class Stuck(EverySignal):
        async def on_signal(self, event: SignalEvent) -> None:  # type: ignore[override]
            self.send_order(event.symbol, Side.BUY, 1)
            self.handled.append("begun")
            await asyncio.Event().wait()

    stuck = Stuck()
    async with world.running(stuck):
        await world.signal(1)

        async def begun() -> bool:
            return bool(stuck.handled)

        await world.until(begun, "a handler")
    # Nothing of what it had half done was written.
    async with world.running(component := EverySignal()):
        await orders_are(world, 1)
    assert component.handled == ["signal_1"]
    assert len(await world.orders()) == 1


async def test_sends_of_two_lives_have_different_ids(world: World) -> None:
    class Greeting(Strategy):
        def on_start(self) -> None:
            self.send_signal("AAPL", Signal.LONG)

        def on_stop(self) -> None:
            self.send_signal("AAPL", Signal.FLAT)

    for _ in range(2):
        async with world.running(Greeting(["AAPL"])):
            pass
    signals = await world.kept(SIGNAL, SignalEvent)
    assert [event.signal for event in signals] == [Signal.LONG, Signal.FLAT] * 2
    assert len({event.id for event in signals}) == 4


async def test_state_of_another_kind_of_component_is_refused(world: World) -> None:
    async with world.running(EverySignal()):
        await world.signal(1)
        await orders_are(world, 1)
    member = world.member(Executor("other"))
    with pytest.raises(ComponentError, match="does not know the saved row"):
        await member.start()
    await member.stop()


async def test_cancels_are_never_late(world: World) -> None:
    class Canceling(Executor):
        def __init__(self) -> None:
            super().__init__("canceling")
            self.canceled: list[str] = []

        def on_cancel(self, event: CancelEvent) -> None:
            self.canceled.append(event.order_id)

    async with world.running(Canceling()):
        pass
    event = CancelEvent(id="cancel_1", order_id="order_1", symbol="AAPL", timestamp=NOW)
    await world.say(event, "ingenium.portfolio.cancel")
    world.clock.advance(timedelta(hours=1))
    async with world.running(component := Canceling()):

        async def canceled() -> bool:
            return component.canceled == ["order_1"]

        await world.until(canceled, "a cancellation")


class Working(Executor):
    """Says that it has an order, and fills none."""

    def __init__(self) -> None:
        super().__init__("working")
        self.worked: list[str] = []

    def on_order(self, event: OrderEvent) -> None:
        self.worked.append(event.id)
        self.send_execution(
            ExecutionEvent(order_id=event.id, symbol=event.symbol, update="new", timestamp=NOW)
        )

    def on_cancel(self, event: CancelEvent) -> None:
        raise AssertionError("nobody asks for that")


async def test_orders_of_before_the_first_start_of_an_executor_end_visibly(world: World) -> None:
    async with world.running(portfolio := EverySignal()):
        for number in range(4):
            await world.signal(number)
        await orders_are(world, 4)
        first, second, third, fourth = await world.orders()
        await world.say(fill(first), EXECUTION)
        await world.say(fill(second, quantity="0.5", update="partial_fill"), EXECUTION)
        asked = portfolio.replace_order(third.id, quantity=2)
        await world.until(lambda: _holds(portfolio, "1.5"), "the fills")
        disk, world.disk = world.disk, sqlite3.connect(":memory:")
        async with world.running(executor := Working()):

            async def ended() -> bool:
                return not portfolio.orders

            await world.until(ended, "the end of all orders")
            executions = await world.kept(EXECUTION, ExecutionEvent)
            reports = {e.order_id: (e.update, e.reason) for e in executions if e.reason}
            unseen = "it was sent before this executor was started for the first time"
            assert reports == {
                second.id: ("expired", "it was worked by an executor whose state is not here"),
                third.id: ("expired", unseen),
                fourth.id: ("expired", unseen),
                asked.id: ("rejected", unseen),
            }
            assert executor.worked == []
            await world.signal(9)
            await orders_are(world, 5)
            fifth = (await world.orders())[-1]
            await world.until(lambda: _is(executor.worked, [fifth.id]), "an order of now")
        # Of what it has seen, nothing more is said.
        count = len(await world.kept(EXECUTION, ExecutionEvent))
        async with world.running(Working()):
            assert len(await world.kept(EXECUTION, ExecutionEvent)) == count
        world.disk.close()
        world.disk = disk


async def _holds(portfolio: Portfolio, quantity: str) -> bool:
    return portfolio.position("AAPL").quantity == Decimal(quantity)


async def _is(found: object, expected: object) -> bool:
    return found == expected


async def test_refilled_stream_is_refused_by_who_has_handled_nothing_of_it(world: World) -> None:
    """Fault 21: what was there at its first start has changed since."""
    await world.signal(1)
    async with world.running(EverySignal()):
        pass
    world.stream._records.pop()
    world.clock.advance(timedelta(seconds=1))
    await world.signal(2)
    member = world.member(EverySignal())
    with pytest.raises(StreamError, match="others have taken that place"):
        await member.start()
    await member.stop()


async def test_timer_of_a_component_sends_outside_of_handlers(world: World) -> None:
    component = EverySignal()
    async with world.running(component):
        component.send_order("AAPL", Side.BUY, 3)
        await orders_are(world, 1)
    async with world.running(again := EverySignal()):
        assert again.pending("AAPL") == 3
        again.send_order("AAPL", Side.BUY, 4)
        await orders_are(world, 2)
    assert len({order.id for order in await world.orders()}) == 2


async def test_clock_of_a_producer_that_is_a_day_wrong_changes_nothing(world: World) -> None:
    """Faults 39 and 40: what is late is judged by the time at which the stream kept it."""
    async with world.running(component := EverySignal()):
        for number, days in ((1, -1), (2, 1)):
            stamp = NOW + timedelta(days=days)
            event = SignalEvent(
                id=f"signal_{number}", symbol="AAPL", signal=Signal.LONG, timestamp=stamp
            )
            await world.say(event, SIGNAL)
        await orders_are(world, 2)
    assert component.handled == ["signal_1", "signal_2"]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
async def test_reports_in_any_order_lead_to_the_same_position(
    world: World, order: tuple[int, ...]
) -> None:
    """Fault 43: parts, a cancel and what was filled before it, as they may come."""

    class Ten(EverySignal):
        def on_signal(self, event: SignalEvent) -> None:
            self.send_order(event.symbol, Side.BUY, 10)

    component = Ten()
    async with world.running(component):
        await world.signal(1)
        await orders_are(world, 1)
        (sent,) = await world.orders()
        reports = [
            fill(sent, 1, quantity="3", update="partial_fill", price="10"),
            fill(sent, 2, quantity="4", update="partial_fill", price="20"),
            fill(sent, 3, quantity="0", update="canceled", price=None),
            fill(sent, 4, quantity="1", update="partial_fill", price="30"),
        ]
        for place in order:
            await world.say(reports[place], EXECUTION)
        await world.signal(2)
        await orders_are(world, 2)
        assert component.position("AAPL").quantity == 8
        assert component.account.cash == 100_000 - 3 * 10 - 4 * 20 - 30
        assert sent.id not in component.orders


class Watching(Strategy):
    """Keeps the closes that it sees."""

    def __init__(self, symbols: list[str]) -> None:
        super().__init__(symbols)
        self.seen: list[tuple[str, float]] = []
        self.stopped_with = -1

    def on_bar(self, bar: Bar) -> None:
        self.seen.append((bar.symbol, bar.close))

    def on_stop(self) -> None:
        self.stopped_with = len(self.seen)


def bar_event(symbol: str, close: int) -> Any:
    values = {"open": str(close), "high": str(close), "low": str(close), "close": str(close)}
    return Bar.make(symbol, NOW, period=timedelta(minutes=1), **values).event


@pytest.mark.parametrize(
    ("symbols", "seen"),
    [
        (["AAPL"], [("AAPL", 1.0), ("AAPL", 4.0)]),
        (["aapl"], [("aapl", 2.0)]),
        (["AAPL", "Aapl"], [("AAPL", 1.0), ("Aapl", 3.0), ("AAPL", 4.0)]),
    ],
)
async def test_symbol_in_another_case_is_another_symbol_though_they_share_a_subject(
    world: World, symbols: list[str], seen: list[tuple[str, float]]
) -> None:
    component = Watching(symbols)
    async with world.running(component):
        for close, symbol in enumerate(["AAPL", "aapl", "Aapl", "AAPL"], 1):
            event = bar_event(symbol, close)
            headers = headers_for(event, "feed")
            await world.bus.publish(data_subject(symbol), encode(event), headers)
        await world.bus.flush()
    assert component.seen == seen


async def test_symbol_of_a_sender_without_a_name_goes_by_its_subject(world: World) -> None:
    """As the programs of the original library: they write no header, and know only subjects."""
    component = Watching(["AAPL"])
    async with world.running(component):
        for close, symbol in enumerate(["AAPL", "aapl", "MSFT", "Aapl"], 1):
            await world.bus.publish(data_subject(symbol), encode(bar_event(symbol, close)))
        await world.bus.flush()
    assert component.seen == [("AAPL", 1.0), ("aapl", 2.0), ("Aapl", 4.0)]


async def test_component_in_a_process_without_streams_has_the_same_symbols() -> None:
    bus = MemoryBus()
    component = Watching(["AAPL"])
    member = LiveRunner(bus, component)
    await member.start()
    for close, symbol in enumerate(["AAPL", "aapl", "AAPL"], 1):
        event = bar_event(symbol, close)
        await bus.publish(data_subject(symbol), encode(event), headers_for(event, "feed"))
    await member.stop()
    assert component.seen == [("AAPL", 1.0), ("AAPL", 3.0)]
    await bus.close()


async def test_member_that_is_stopped_hears_nothing_more(world: World) -> None:
    component = Watching(["AAPL"])
    async with world.running(component) as member:
        subject = data_subject("AAPL")
        await world.bus.publish(subject, encode(bar_event("AAPL", 1)))
        await member.stop()
        assert component.seen == [("AAPL", 1.0)]
        assert component.stopped_with == 1, "what had arrived is handled before it stops"
        await world.bus.publish(subject, encode(bar_event("AAPL", 2)))
        await world.bus.flush()
        assert component.seen == [("AAPL", 1.0)]
        assert not world.bus._subscriptions
        assert not member._arrivals


async def test_portfolio_that_is_stopped_leaves_no_subscription_to_halts(world: World) -> None:
    async with world.running(EverySignal()) as member:
        assert world.bus._subscriptions
        await member.stop()
        assert not world.bus._subscriptions
