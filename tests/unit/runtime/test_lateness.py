"""What is late counts from its cause: from when the bar behind a signal or an order was known."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ingenium.brokers import BrokerExecutor
from ingenium.bus import MemoryBus
from ingenium.bus.base import Message
from ingenium.bus.stream import MESSAGE_ID, MemoryStream, Record
from ingenium.clock import ManualClock
from ingenium.components import Component, Executor, Portfolio, Strategy, arm, handle_of
from ingenium.events import (
    CancelEvent,
    DenialEvent,
    ExecutionEvent,
    OrderEvent,
    Side,
    Signal,
    SignalEvent,
    decode,
    encode,
)
from ingenium.runtime.durable import DurableRunner, Store
from ingenium.runtime.durable.causes import cause_of
from ingenium.runtime.durable.deadline import lateness
from ingenium.subjects.names import DENIAL, EXECUTION, ORDER, SIGNAL, data_subject
from ingenium.trading import Bar

START = datetime(2024, 1, 2, 15, tzinfo=UTC)
CAUSE = "Ingenium-Cause-Time"
DEADLINE = "Ingenium-Deadline"


def at(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).isoformat()


class Buys(Strategy):
    def on_bar(self, bar: Bar) -> None:
        self.send_signal(bar.symbol, Signal.LONG)


class OnSignals(Portfolio):
    def on_signal(self, event: SignalEvent) -> None:
        self.send_order(event.symbol, Side.BUY, 1)


class OnFills(OnSignals):
    """Protects what was bought, whenever it hears of it."""

    def on_execution(self, event: ExecutionEvent) -> None:
        self.send_order("AAPL", Side.SELL, 1, type="stop", stop_price=90)


class Works(Executor):
    def __init__(self) -> None:
        super().__init__("works")
        self.orders: list[str] = []

    def on_order(self, event: OrderEvent) -> None:
        self.orders.append(event.id)


class DataStream(MemoryStream):
    """Tells when somebody reads."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__("INGENIUM_DATA", clock=clock)
        self.is_read = asyncio.Event()

    def read(
        self, subjects: Sequence[str], after: int, *, mark: str = ""
    ) -> AsyncGenerator[Record, None]:
        self.is_read.set()
        return super().read(subjects, after, mark=mark)


class World:
    """Two streams, whose clock the test sets, and a disk for each component."""

    def __init__(self) -> None:
        self.clock = ManualClock(START)
        self.money = MemoryStream("INGENIUM", clock=self.clock)
        self.data = DataStream(self.clock)
        self.disks: dict[str, sqlite3.Connection] = {}

    @asynccontextmanager
    async def running(self, component: Component) -> AsyncIterator[DurableRunner]:
        disk = self.disks.setdefault(component.name, sqlite3.connect(":memory:"))
        copy = sqlite3.connect(":memory:")
        disk.backup(copy)

        async def open_data() -> MemoryStream:
            return self.data

        member = DurableRunner(
            MemoryBus(),
            self.money,
            component,
            Store(copy),
            clock=self.clock,
            open_data=open_data,
        )
        await member.start()
        run = asyncio.create_task(member.run())
        try:
            yield member
        finally:
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)
            copy.backup(disk)
            await member.stop()

    def later(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    async def bar(self) -> None:
        await asyncio.wait_for(self.data.is_read.wait(), 5)
        bar = Bar.make(
            "AAPL", START, open="1", high="1", low="1", close="1", period=timedelta(minutes=1)
        )
        await self.data.append(data_subject("AAPL"), encode(bar.event))

    async def say(self, event: Any, subject: str, **headers: str) -> None:
        await self.money.append(subject, encode(event), {MESSAGE_ID: event.id, **headers})

    async def kept(self, subject: str, count: int = 1) -> list[Record]:
        """Wait for messages on a subject."""
        async with asyncio.timeout(5):
            while True:
                found = [r for r in self.money._records if r.message.subject == subject]
                if len(found) >= count:
                    return found
                await asyncio.sleep(0.001)


@pytest.fixture
async def world() -> World:
    return World()


async def test_time_of_the_bar_goes_from_signal_to_order_and_both_count_from_it(
    world: World,
) -> None:
    async with world.running(OnSignals()), world.running(works := Works()):
        async with world.running(Buys(symbols=["AAPL"])) as strategy:
            await world.bar()
            (signal,) = await world.kept(SIGNAL)
        (order,) = await world.kept(ORDER)
        assert [m.message.headers[CAUSE] for m in (signal, order)] == ["2024-01-02T15:00:00Z"] * 2
        assert [m.message.headers[DEADLINE] for m in (signal, order)] == [
            "2024-01-02T15:00:30Z"
        ] * 2
        async with asyncio.timeout(5):
            while not works.orders:
                await asyncio.sleep(0.001)
    assert 0 <= (strategy.progress.cause_age_seconds or 0) < 30


async def test_order_on_a_bar_that_is_40_s_old_is_late_though_it_is_young_itself(
    world: World,
) -> None:
    async with world.running(works := Works()) as executor:
        # Made 2 s ago by a portfolio that was told of a bar of 40 s ago.
        world.later(38)
        order = OrderEvent(id="order_1", symbol="AAPL", side="buy", quantity="1", type="market")
        await world.say(order, ORDER, **{CAUSE: at(0)})
        world.later(2)
        (report,) = await world.kept(EXECUTION)
    assert decode(ExecutionEvent, report.message.payload).update == "expired"
    assert works.orders == []
    assert executor.progress.late == 1


async def test_signal_of_a_strategy_that_is_31_s_behind_is_denied(world: World) -> None:
    # The stream of data began 31 s before the strategy comes to the bar.
    async with world.running(OnSignals()) as portfolio:
        signal = SignalEvent(id="signal_1", symbol="AAPL", signal=Signal.LONG)
        world.later(31)
        await world.say(signal, SIGNAL, **{CAUSE: at(0)})
        (denial,) = await world.kept(DENIAL)
    event = decode(DenialEvent, denial.message.payload)
    assert event.reason == "late"
    assert "is 31 s old" in event.detail
    assert portfolio.progress.late == 1
    assert 31 <= (portfolio.progress.cause_age_seconds or 0) < 60


async def test_signal_without_a_cause_counts_from_when_it_was_kept_on_to_its_order(
    world: World,
) -> None:
    """A strategy in another language says nothing of its bar."""
    async with world.running(OnSignals()):
        pass
    await world.say(SignalEvent(id="signal_1", symbol="AAPL", signal=Signal.LONG), SIGNAL)
    world.later(20)
    async with world.running(OnSignals()):
        (order,) = await world.kept(ORDER)
    assert order.time == START + timedelta(seconds=20)
    assert order.message.headers[CAUSE] == "2024-01-02T15:00:00Z"


async def test_order_that_follows_from_a_fill_counts_from_itself(world: World) -> None:
    """Who was down for ten minutes still protects what was bought meanwhile."""
    async with world.running(OnFills()):
        await world.say(SignalEvent(id="signal_1", symbol="AAPL", signal=Signal.LONG), SIGNAL)
        (order,) = await world.kept(ORDER)
    identifier = decode(OrderEvent, order.message.payload).id
    fill = ExecutionEvent(
        id="exec_1", order_id=identifier, quantity="1", price="100", update="filled"
    )
    await world.say(fill, EXECUTION)
    world.later(600)
    async with world.running(works := Works()), world.running(OnFills()):
        stop = (await world.kept(ORDER, 2))[1].message
        assert CAUSE not in stop.headers
        deadline = datetime.fromisoformat(stop.headers[DEADLINE])
        assert deadline >= START + timedelta(seconds=600 + 30)
        async with asyncio.timeout(5):
            while len(works.orders) < 1:
                await asyncio.sleep(0.001)
    assert works.orders == [decode(OrderEvent, stop.payload).id]


ORDER_EVENT = OrderEvent(id="o", symbol="A")


@pytest.mark.parametrize(
    ("headers", "kept", "now", "age"),
    [
        ({CAUSE: at(0)}, 29, 30, None),
        ({CAUSE: at(0)}, 29, 30.5, 30.5),
        ({}, 0, 30, None),
        ({}, 0, 31, 31.0),
        # Neither a cause in the future nor one that nobody can read makes it young.
        ({CAUSE: at(3600)}, 0, 31, 31.0),
        ({CAUSE: "yesterday"}, 0, 31, 31.0),
        ({CAUSE: "2024-01-02T14:00:00"}, 0, 31, 31.0),
        # The older of both counts.
        ({CAUSE: at(10), DEADLINE: at(30)}, 20, 42, 42.0),
        ({CAUSE: at(0), DEADLINE: at(60)}, 20, 42, 42.0),
    ],
)
def test_age(headers: dict[str, str], kept: float, now: float, age: float | None) -> None:
    times = (START + timedelta(seconds=each) for each in (kept, now))
    assert lateness(ORDER_EVENT, headers, *times) == age


def test_cancel_is_never_late_and_causes_nothing() -> None:
    event = CancelEvent(id="c", order_id="o", symbol="A")
    assert cause_of(event, {CAUSE: at(0)}, START) is None
    assert lateness(event, {CAUSE: at(0)}, START, START + timedelta(days=1)) is None


@pytest.mark.parametrize(("waited", "is_late"), [(4.0, False), (6.0, True)])
def test_order_that_waits_at_the_executor_counts_from_its_cause(
    waited: float, is_late: bool
) -> None:
    """It came 25 s behind its bar; behind another one in doubt it waits some more."""

    class NoBroker:
        account = "a"
        idempotent = True
        lists_positions = True

    broker: Any = NoBroker()
    executor = BrokerExecutor(broker)
    arm(executor)
    came = START + timedelta(seconds=25)
    handle_of(executor).begin("order_1", came)
    handle_of(executor).cause_time = START
    executor.on_order(OrderEvent(id="order_1", symbol="A", side="buy", quantity="1", type="market"))
    late = executor.late_ones(came + timedelta(seconds=waited))
    assert [entry.order.id for entry in late] == (["order_1"] if is_late else [])


async def test_what_waits_for_a_busy_handler_is_counted_and_so_is_its_age(world: World) -> None:
    entered, leave = asyncio.Event(), asyncio.Event()

    class Slow(Strategy):
        async def on_bar(self, bar: Bar) -> None:
            entered.set()
            await leave.wait()

    async with world.running(Slow(symbols=["AAPL"])) as member:
        assert member.lag() == 0
        await world.bar()
        await asyncio.wait_for(entered.wait(), 5)
        for _ in range(2):
            world.later(1)
            await world.bar()
        async with asyncio.timeout(5):
            while member.observe().waiting < 2:
                await asyncio.sleep(0.001)
        member._clock.hear(START + timedelta(seconds=12))
        assert round(member.lag()) == 12  # of the one that is being handled
        assert member.progress.handled == 0
        leave.set()
        async with asyncio.timeout(5):
            while member.observe().waiting or member.progress.handled < 3:
                await asyncio.sleep(0.001)
        assert member.lag() == 0
        assert member.progress.last_symbol == "AAPL"


def test_message_of_a_plain_bus_has_no_known_cause() -> None:
    assert (
        cause_of(
            Bar.make(
                "A", START, open="1", high="1", low="1", close="1", period=timedelta(minutes=1)
            ).event,
            Message("s", b"").headers,
            None,
        )
        is None
    )
