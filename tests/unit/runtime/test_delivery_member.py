"""A component on a stream: after any crash it goes on where it was, and nothing happens twice."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from support.durable_world import NOW, EverySignal, World, fill, orders_are

from ingenium.bus.stream import MESSAGE_ID, MemoryStream
from ingenium.components import handle_of
from ingenium.components.failpoints import Point
from ingenium.errors import BusTimeoutError
from ingenium.events import (
    DeadLetterEvent,
    DenialEvent,
    ExecutionEvent,
    Signal,
    SignalEvent,
    decode,
    encode,
)
from ingenium.portfolios import FixedQuantity
from ingenium.subjects.names import DENIAL, EXECUTION, SIGNAL


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    yield world
    await world.bus.close()
    world.disk.close()


async def test_signal_becomes_one_order_in_the_stream(world: World) -> None:
    component = EverySignal()
    async with world.running(component):
        await world.signal(1)
        await orders_are(world, 1)
    (order,) = await world.orders()
    record = world.stream._records[-1]
    assert record.message.headers[MESSAGE_ID] == order.id
    assert record.message.headers["Ingenium-Source"] == "every-signal"
    deadline = datetime.fromisoformat(record.message.headers["Ingenium-Deadline"])
    # The server's clock goes on while the test runs.
    assert timedelta(seconds=30) <= deadline - NOW < timedelta(seconds=40)
    assert order.timestamp == NOW
    assert component.orders.keys() == {order.id}


@pytest.mark.parametrize(
    "point",
    [p for p in Point if p.value in {"received", "handled", "committed", "sent", "forgotten"}],
)
@pytest.mark.parametrize("count", range(4))
async def test_kill_at_any_point_neither_loses_nor_repeats_an_order(
    world: World, point: Point, count: int
) -> None:
    """Fault 26, with a stream that keeps what it has acknowledged."""
    async with world.running(EverySignal()):
        pass
    for number in range(3):
        await world.signal(number)
    await world.until_killed(EverySignal(), point, 0)
    for number in range(3, 3 + count):
        await world.signal(number)
    component = EverySignal()
    async with world.running(component):
        await orders_are(world, 3 + count)
        await world.signal(99)
        await orders_are(world, 4 + count)
    orders = await world.orders()
    assert len({order.id for order in orders}) == len(orders) == 4 + count
    assert component.total == 4 + count
    assert len(component.orders) == 4 + count


async def test_duplicate_signals_and_executions_are_handled_once(world: World) -> None:
    """Faults 41 and 44: the same id, beyond the window in which the stream itself knows it."""
    component = EverySignal()
    async with world.running(component):
        await world.signal(1)
        await orders_are(world, 1)
        (order,) = await world.orders()
        again = encode(SignalEvent(id="signal_1", symbol="AAPL", signal=Signal.LONG))
        await world.stream.append(SIGNAL, again)
        for _ in range(2):
            await world.stream.append(EXECUTION, encode(fill(order)))
        await world.signal(2)
        await orders_are(world, 2)
    assert component.position("AAPL").quantity == 1
    second = EverySignal()
    async with world.running(second):
        await world.stream.append(SIGNAL, again)
        await world.stream.append(EXECUTION, encode(fill(order)))
        await world.signal(3)
        await orders_are(world, 3)
    assert second.position("AAPL").quantity == 1
    assert second.total == 3
    assert len(await world.orders()) == 3


async def test_portfolio_restarts_to_the_same_state(world: World) -> None:
    first = FixedQuantity(10)
    async with world.running(first):
        await world.signal(1)
        await world.signal(2, symbol="MSFT")
        await orders_are(world, 2)
        one, two = await world.orders()
        await world.say(fill(one, quantity="4", update="partial_fill"), EXECUTION)
        await world.say(fill(two), EXECUTION)
        await world.signal(3, Signal.SHORT)
        await orders_are(world, 3)
    second = FixedQuantity(10)
    async with world.running(second):
        assert handle_of(second).state_rows() == handle_of(first).state_rows()
        assert second.position("AAPL").quantity == 4
        assert second.pending("AAPL") == first.pending("AAPL")
        await world.say(fill(one, 2, quantity="6", update="filled"), EXECUTION)
        await world.signal(4, Signal.LONG)
        await orders_are(world, 4)
        assert second.position("AAPL").quantity == 10


async def test_portfolio_without_its_file_learns_from_the_stream(world: World) -> None:
    first = FixedQuantity(10)
    async with world.running(first):
        await world.signal(1)
        await orders_are(world, 1)
        (one,) = await world.orders()
        await world.say(fill(one, quantity="4", update="partial_fill"), EXECUTION)
        await world.signal(2, Signal.FLAT)
        await orders_are(world, 2)
    world.disk = sqlite3.connect(":memory:")
    second = FixedQuantity(10)
    async with world.running(second):
        assert handle_of(second).state_rows() == handle_of(first).state_rows()
        # An execution that it has learned is known as one.
        await world.stream.append(EXECUTION, encode(fill(one, quantity="4", update="partial_fill")))
        await world.signal(3, Signal.SHORT)
        await orders_are(world, 3)
        assert second.position("AAPL").quantity == 4
    assert len(await world.orders()) == 3


async def test_execution_without_a_symbol_is_booked_by_its_order(world: World) -> None:
    """Fault 45: as the original Go executor sends them."""
    component = EverySignal()
    async with world.running(component):
        await world.signal(1)
        await orders_are(world, 1)
        (order,) = await world.orders()
        bare = ExecutionEvent(id="exec_1", order_id=order.id, quantity="1", price="50")
        await world.say(bare, EXECUTION)
        await world.signal(2)
        await orders_are(world, 2)
    assert component.position("AAPL").quantity == 1
    assert component.account.cash == Decimal(100_000 - 50)


async def test_late_signal_is_denied(world: World) -> None:
    """As fault 31, for who was down while a strategy went on."""
    async with world.running(EverySignal()):
        pass
    await world.signal(1)
    world.clock.advance(timedelta(seconds=31))
    component = EverySignal()
    async with world.running(component):
        await world.signal(2)
        await orders_are(world, 1)
    assert component.handled == ["signal_2"]
    (denial,) = await world.kept(DENIAL, DenialEvent)
    assert (denial.reason, denial.symbol) == ("late", "AAPL")
    assert "signal 'signal_1' of AAPL is 31 s old" in denial.detail


async def test_deadline_of_a_sender_that_could_not_send_counts(world: World) -> None:
    async with world.running(component := EverySignal()):
        event = SignalEvent(id="signal_1", symbol="AAPL", signal=Signal.LONG)
        await world.say(event, SIGNAL, **{"Ingenium-Deadline": "2024-01-01T23:59:59Z"})
        await world.signal(2)
        await orders_are(world, 1)
    assert component.handled == ["signal_2"]


async def test_handler_that_raises_is_a_dead_letter_and_leaves_no_order(world: World) -> None:
    """Fault 34."""

    class Failing(EverySignal):
        def on_signal(self, event: SignalEvent) -> None:
            super().on_signal(event)
            if event.id == "signal_1":
                raise ValueError("I cannot")

    component = Failing()
    async with world.running(component):
        await world.signal(1)
        await world.signal(2)
        await orders_are(world, 1)
    assert len(component.orders) == 1
    (letter,) = await world.kept("ingenium.deadletter.every-signal", DeadLetterEvent)
    assert letter.reason == "handler_error"
    assert "ValueError: I cannot" in letter.error
    assert decode(SignalEvent, letter.data).id == "signal_1"
    assert (letter.stream, letter.stream_sequence) == ("INGENIUM", "1")


async def test_payload_that_cannot_be_read_is_a_dead_letter_once(world: World) -> None:
    """Fault 35: it is not delivered for ever."""
    async with world.running(EverySignal()):
        await world.stream.append(SIGNAL, b"\xffnonsense")
        await world.signal(1)
        await orders_are(world, 1)
    async with world.running(EverySignal()):
        await world.signal(2)
        await orders_are(world, 2)
    (letter,) = await world.kept("ingenium.deadletter.every-signal", DeadLetterEvent)
    assert letter.reason == "undecodable"
    assert letter.data == b"\xffnonsense"


async def test_fill_stays_booked_when_its_handler_raises(world: World) -> None:
    class Failing(EverySignal):
        def on_execution(self, event: ExecutionEvent) -> None:
            raise ValueError("I cannot")

    async with world.running(Failing()):
        await world.signal(1)
        await orders_are(world, 1)
        (order,) = await world.orders()
        await world.say(fill(order), EXECUTION)
        await world.signal(2)
        await orders_are(world, 2)
    component = EverySignal()
    async with world.running(component):
        assert component.position("AAPL").quantity == 1
        await world.stream.append(EXECUTION, encode(fill(order)))
        await world.signal(3)
        await orders_are(world, 3)
    assert component.position("AAPL").quantity == 1


class Unsure(MemoryStream):
    """Keeps each message at once, and acknowledges it at the second attempt."""

    def __init__(self, under: MemoryStream) -> None:
        self.__dict__.update(under.__dict__)
        self.asked: dict[str, int] = {}

    async def append(self, subject: str, payload: bytes, headers: Any = None) -> Any:
        kept = await super().append(subject, payload, headers)
        identifier = headers[MESSAGE_ID]
        self.asked[identifier] = self.asked.get(identifier, 0) + 1
        if self.asked[identifier] == 1:
            raise BusTimeoutError("no answer")
        return kept


async def test_message_without_an_answer_is_sent_again_with_the_same_id(world: World) -> None:
    stream = Unsure(world.stream)
    world.wrap = lambda _: stream
    async with world.running(EverySignal()):
        await world.signal(1)
        await world.signal(2)
        await orders_are(world, 2)
    orders = await world.orders()
    assert len(orders) == 2
    assert stream.asked == {order.id: 2 for order in orders}


class Silent(MemoryStream):
    """Takes nothing."""

    def __init__(self, under: MemoryStream) -> None:
        self.__dict__.update(under.__dict__)

    async def append(self, subject: str, payload: bytes, headers: Any = None) -> Any:
        raise BusTimeoutError("no answer")


async def test_what_could_not_be_sent_is_sent_after_the_next_start(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault 33: a stop without a server leaves the outbox as it is."""
    monkeypatch.setattr("ingenium.runtime.durable.durable_runner._FLUSH_SECONDS", 0.05)
    world.wrap = Silent
    component = EverySignal()
    async with world.running(component):
        await world.signal(1)

        async def handled() -> bool:
            return bool(component.handled)

        await world.until(handled, "a signal")
    assert await world.orders() == []
    world.wrap = lambda stream: stream
    async with world.running(EverySignal()):
        await orders_are(world, 1)
