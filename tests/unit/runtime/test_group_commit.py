"""What waits is written and sent together, and a slow handler keeps nothing else waiting."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from support.broker_fake import FakeBroker

from ingenium.brokers import BrokerExecutor, BrokerOrder
from ingenium.bus import MemoryBus
from ingenium.bus.base import Incident, IncidentKind, Message
from ingenium.bus.stream import MESSAGE_ID, Appended, MemoryStream
from ingenium.clock import ManualClock
from ingenium.components import Strategy, arm
from ingenium.components.failpoints import pass_by
from ingenium.events import DataEvent, Ohlc, OrderEvent, Signal, encode
from ingenium.risk import RiskLimits
from ingenium.runtime.durable import DurableRunner, Store
from ingenium.runtime.durable.backlog import OldData
from ingenium.runtime.durable.inbox import Data, Inbox
from ingenium.runtime.durable.outbox import Outbox
from ingenium.runtime.durable.store import Change, Outgoing, StreamPosition
from ingenium.runtime.durable.stream_clock import StreamClock
from ingenium.subjects.names import EXECUTION, ORDER, data_subject
from ingenium.trading import Bar, Order

NOW = datetime(2026, 1, 5, 15, tzinfo=UTC)


class CountingDisk(sqlite3.Connection):
    """A database in memory that counts its transactions."""

    commits = 0

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if sql == "COMMIT":
            self.commits += 1
        return super().execute(sql, parameters)


@pytest.fixture
def disk() -> CountingDisk:
    return sqlite3.connect(":memory:", factory=CountingDisk)


class TogetherStream(MemoryStream):
    """Keeps messages that are sent together, except those that a test wants lost.

    Attributes:
        together: The ids that came together, one list for each time.
        alone: The ids that came alone.
        lost: Ids that are not acknowledged when they come together with others.
    """

    def __init__(self) -> None:
        super().__init__("INGENIUM")
        self.together: list[list[str]] = []
        self.alone: list[str] = []
        self.lost: set[str] = set()

    async def append(
        self, subject: str, payload: bytes, headers: Mapping[str, str] | None = None
    ) -> Appended:
        self.alone.append((headers or {})[MESSAGE_ID])
        return await super().append(subject, payload, headers)

    async def append_many(self, messages: Sequence[Message]) -> list[Appended | None]:
        ids = [message.headers[MESSAGE_ID] for message in messages]
        self.together.append(ids)
        return [
            None
            if each in self.lost
            else await super(TogetherStream, self).append(m.subject, m.payload, m.headers)
            for each, m in zip(ids, messages, strict=True)
        ]


async def _sent(store: Store, stream: MemoryStream) -> None:
    """Let an outbox send all that a store holds."""
    outbox = Outbox(MemoryBus(), store, stream, pass_by)
    run = asyncio.create_task(outbox.run())
    assert await outbox.flush(5.0)
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)


def _fill(store: Store, count: int) -> list[str]:
    ids = [f"order_{number}" for number in range(count)]
    store.commit(Change(outbox=[Outgoing(each, ORDER, b"{}") for each in ids]))
    return ids


def _kept(stream: MemoryStream) -> list[str]:
    return [record.message.headers[MESSAGE_ID] for record in stream._records]


async def test_what_waits_in_the_outbox_is_sent_together_and_forgotten_at_once(
    disk: CountingDisk,
) -> None:
    store, stream = Store(disk), TogetherStream()
    ids = _fill(store, 50)
    before = disk.commits
    await _sent(store, stream)
    assert stream.together == [ids]
    assert stream.alone == []
    assert _kept(stream) == ids
    assert disk.commits == before + 1
    assert store.outbox_size() == 0


async def test_message_that_was_not_acknowledged_is_sent_again_before_those_behind_it(
    disk: CountingDisk,
) -> None:
    store, stream = Store(disk), TogetherStream()
    ids = _fill(store, 6)
    stream.lost = {*ids[2:]}
    await _sent(store, stream)
    assert _kept(stream) == ids
    assert stream.together[0] == ids
    assert all(batch[0] != "order_0" for batch in stream.together[1:]), "what is kept is forgotten"


async def test_one_message_alone_is_sent_as_before(disk: CountingDisk) -> None:
    store, stream = Store(disk), TogetherStream()
    _fill(store, 1)
    await _sent(store, stream)
    assert stream.together == []
    assert stream.alone == ["order_0"]


async def test_so_much_that_it_fills_the_connection_is_not_sent_together(
    disk: CountingDisk,
) -> None:
    store, stream = Store(disk), TogetherStream()
    big = b"x" * 400_000
    store.commit(Change(outbox=[Outgoing(f"big_{n}", ORDER, big) for n in range(5)]))
    await _sent(store, stream)
    # 1 MiB has room for two of 400,000 bytes.
    assert [len(batch) for batch in stream.together] == [2, 2]
    assert store.outbox_size() == 0


def test_forgetting_does_not_wait_for_the_disk_and_all_else_does(tmp_path: Any) -> None:
    store = Store.open(tmp_path / "a.db", owner="test")
    _fill(store, 1)
    store.forget([store.outbox()[0].number])
    assert store.outbox_size() == 0
    assert store._connection.execute("PRAGMA synchronous").fetchone()[0] == 2, "FULL again"
    store.close()


class MeetingBroker(FakeBroker):
    """Takes no order until all orders of a test have been sent."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.barrier = asyncio.Barrier(count)

    async def submit(self, order: Order) -> BrokerOrder:
        await self.barrier.wait()
        return await super().submit(order)


async def test_orders_of_many_symbols_do_not_wait_for_each_other(disk: CountingDisk) -> None:
    count = 40
    stream, executor = MemoryStream("INGENIUM"), BrokerExecutor(MeetingBroker(count))
    arm(
        executor,
        RiskLimits(max_orders_per_second=None, price_collar=None, max_order_notional=None),
    )
    store = Store(disk)
    member = DurableRunner(MemoryBus(), stream, executor, store)
    await member.start()
    run = asyncio.create_task(member.run())
    before = disk.commits
    for number in range(count):
        event = OrderEvent(
            id=f"order_{number}", symbol=f"S{number}", side="buy", quantity="1", type="limit",
            limit_price="10",
        )  # fmt: skip
        await stream.append(ORDER, encode(event), {MESSAGE_ID: event.id})
    try:
        async with asyncio.timeout(10):
            while sum(r.message.subject == EXECUTION for r in stream._records) < count:
                await asyncio.sleep(0.005)
    finally:
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
        commits = disk.commits - before
        await member.stop()
    # Each order is written when it comes, before it leaves and when it is answered, and its report
    # is forgotten: 4 times, if it were alone.
    assert commits < count, commits


class Slow(Strategy):
    """Blocks for a while with each bar."""

    seconds = 0.03

    def __init__(self) -> None:
        super().__init__(name="slow")
        self.handled = 0

    def on_bar(self, bar: Bar) -> None:
        time.sleep(self.seconds)
        self.handled += 1
        self.send_signal(bar.symbol, Signal.LONG)


def _bar(number: int, symbol: str = "AAPL") -> DataEvent:
    return DataEvent(
        id=f"data_{number}",
        type="data.type.ohlc",
        symbol=symbol,
        timestamp=(NOW + timedelta(seconds=number)).isoformat(),
        ohlc=Ohlc(open="1", high="1", low="1", close="1", volume="1"),
    )


async def test_slow_handler_sends_its_signals_while_bars_wait(disk: CountingDisk) -> None:
    class Seen(MemoryStream):
        """Takes note of how many bars were handled when a signal came."""

        handled: list[int]

        async def append(
            self, subject: str, payload: bytes, headers: Mapping[str, str] | None = None
        ) -> Appended:
            self.handled.append(slow.handled)
            return await super().append(subject, payload, headers)

    slow, bus, stream = Slow(), MemoryBus(), Seen("INGENIUM")
    stream.handled = []
    member = DurableRunner(bus, stream, slow, Store(disk))
    await member.start()
    run = asyncio.create_task(member.run())
    for number in range(20):
        await bus.publish(data_subject("AAPL"), encode(_bar(number)))
    async with asyncio.timeout(10):
        while len(stream.handled) < 5:
            await asyncio.sleep(0)
    assert stream.handled[0] <= 2
    assert stream.handled[4] <= 6
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    await member.stop()


async def test_stop_does_not_wait_for_a_backlog_and_says_what_is_left(disk: CountingDisk) -> None:
    slow, bus = Slow(), MemoryBus()
    incidents: list[Incident] = []
    bus.on_incident(incidents.append)
    member = DurableRunner(bus, MemoryStream("INGENIUM"), slow, Store(disk))
    await member.start()
    run = asyncio.create_task(member.run())
    for number in range(400):  # 12 s
        await bus.publish(data_subject("AAPL"), encode(_bar(number)))
    async with asyncio.timeout(10):
        while not slow.handled:
            await asyncio.sleep(0)
    began = time.monotonic()
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    await member.stop()
    assert time.monotonic() - began < 3.0
    left = [each.detail for each in incidents if each.kind is IncidentKind.GAP]
    assert any("strategy 'slow' stops with" in each for each in left), incidents


async def test_slow_handler_on_a_plain_bus_lets_others_run() -> None:
    bus = MemoryBus()
    handled = 0

    def slow(message: Message) -> None:
        nonlocal handled
        time.sleep(0.03)
        handled += 1

    await bus.subscribe("slow", slow)
    for _ in range(20):
        await bus.publish("slow", b"")
    for _ in range(4):
        await asyncio.sleep(0)
    assert handled <= 4
    await bus.close()


def _data(*seconds_and_symbols: tuple[float, str]) -> Inbox:
    arrivals = Inbox()
    for number, (seconds, symbol) in enumerate(seconds_and_symbols, 1):
        arrivals.data.append(
            Data(
                Message(data_subject(symbol), str(number).encode(), {}),
                StreamPosition("INGENIUM_DATA", "", number),
                NOW + timedelta(seconds=seconds),
            )
        )
    return arrivals


def test_old_data_is_passed_over_up_to_the_newest_of_each_symbol() -> None:
    arrivals = _data((0, "A"), (1, "B"), (2, "A"), (3, "C"), (10, "A"), (11, "A"))
    # B and C have nothing newer; of A there is.
    assert arrivals.skip_data(NOW + timedelta(seconds=5)) == 2
    assert [each.message.payload for each in arrivals.data] == [b"2", b"4", b"5", b"6"]


def test_nothing_is_passed_over_while_the_oldest_is_young_enough() -> None:
    arrivals = _data((5, "A"), (6, "A"))
    assert arrivals.skip_data(NOW + timedelta(seconds=5)) == 0
    assert len(arrivals.data) == 2


async def test_data_that_was_passed_over_is_counted_and_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    slow = Slow()
    slow.max_data_age_seconds = 2.0
    arrivals = _data(*[(0, "A")] * 30, (9, "A"))
    clock = StreamClock(ManualClock(NOW + timedelta(seconds=10)), lambda: 0.0)
    old = OldData(slow, arrivals, clock)
    old.skip()
    old.say()
    old.say()
    assert len(arrivals.data) == 1
    assert old.skipped == 30
    assert "strategy 'slow' skipped 30 market data events older than 2 s" in caplog.text
    assert caplog.text.count("skipped") == 1
