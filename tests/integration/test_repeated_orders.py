"""An order that comes twice is passed over; another one under its id is rejected with words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from support.delivering import Desk, EverySignal
from support.http_broker import BrokerProcess

from ingenium.brokers import BrokerExecutor, PaperExecutor
from ingenium.bus import MemoryBus, NatsBus
from ingenium.bus.envelope import unpack
from ingenium.bus.nats.stream_layout import MONEY_STREAM, open_stream
from ingenium.bus.stream import MESSAGE_ID, Stream
from ingenium.components import Executor, Portfolio, arm, handle_of
from ingenium.components.order_contents import OrderContents, content_of
from ingenium.events import ExecutionEvent, OrderEvent, ReplaceEvent, StopLoss, decode, encode
from ingenium.runtime.live import LiveRunner
from ingenium.subjects.names import EXECUTION, ORDER, data_subject, dead_letter_subject
from ingenium.testing.events import data_event

WORDS = (
    "order id 'order_1' is that of 'LimitPrice 59, Quantity 5, Side buy, Symbol AAPL, TimeInForce "
    "day, Type limit', and comes again as 'LimitPrice 59, Quantity 7, Side sell, Symbol AAPL, "
    "TimeInForce day, Type limit', which is not worked: use an id of its own for each order"
)


def order(**values: Any) -> OrderEvent:
    values = {"side": "buy", "quantity": "5", "limit_price": "59"} | values
    return OrderEvent(id="order_1", symbol="AAPL", type="limit", time_in_force="day", **values)


@pytest.fixture
async def stream(bus: NatsBus) -> Stream:
    return await open_stream(bus, MONEY_STREAM)


async def reports(desk: Desk, bus: NatsBus) -> list[ExecutionEvent]:
    return [unpack(ExecutionEvent, each.message) for each in await desk.records(bus, EXECUTION)]


@pytest.mark.parametrize("kind", ["paper", "broker"])
@pytest.mark.parametrize("restarted", [False, True])
async def test_second_order_under_a_known_id_is_rejected_and_the_first_works_on(
    desk: Desk, bus: NatsBus, stream: Stream, broker: BrokerProcess, kind: str, restarted: bool
) -> None:
    broker.market(parts=0)

    made: list[Executor] = []

    def make() -> Executor:
        executor: Executor = PaperExecutor()
        if kind == "broker":
            executor = BrokerExecutor(broker.adapter(), poll_seconds=0.05)
        arm(executor)
        made.append(executor)
        return executor

    @asynccontextmanager
    async def both() -> AsyncIterator[Portfolio]:
        portfolio = EverySignal()
        arm(portfolio)
        async with desk.running(make()), desk.running(portfolio):
            yield portfolio

    async def count(wanted: int) -> bool:
        return len(await reports(desk, bus)) >= wanted

    async def has_price() -> bool:
        # Data and orders come on streams of their own.
        return handle_of(made[0]).risk.account.account.price("AAPL") is not None

    async def send(event: OrderEvent, message_id: str) -> None:
        await stream.append(ORDER, encode(event), {MESSAGE_ID: message_id})

    async with both() as portfolio:
        await bus.publish(data_subject("AAPL"), encode(data_event("AAPL", close="60")))
        await desk.until(has_price, "the price")
        handle_of(portfolio).books.recall(order())
        await asyncio.sleep(0)
        await send(order(), "order_1")
        await desk.until(lambda: count(1), "that it works")
        if not restarted:
            # The same once more, and in other words.
            await send(order(), "again")
            await send(order(quantity="5.0"), "again in other words")
            await send(order(side="sell", quantity="7"), "forged")
            await desk.until(lambda: count(2), "a rejection")
            assert "order_1" in portfolio.orders
    if restarted:
        async with both() as portfolio:
            await send(order(), "again")
            await send(order(side="sell", quantity="7"), "forged")
            await desk.until(lambda: count(2), "a rejection")
    first, second = await reports(desk, bus)
    assert (first.update, first.order_id) == ("new", "order_1")
    assert (second.update, second.order_id, second.quantity) == ("rejected", "order_1", "0")
    # What is left of the first one.
    assert second.leaves_quantity == "5"
    assert second.reason == WORDS
    # That is the one answer: it is no dead letter, too.
    assert await desk.records(bus, dead_letter_subject(make().name)) == []
    if kind == "broker":
        assert [each["qty"] for each in broker.lines("order")] == ["5"]


async def test_second_order_over_the_plain_bus_is_rejected_too() -> None:
    bus = MemoryBus()
    executor = PaperExecutor()
    arm(executor)
    said: list[ExecutionEvent] = []
    member = LiveRunner(bus, executor)
    await member.start()
    await bus.subscribe(EXECUTION, lambda m: said.append(decode(ExecutionEvent, m.payload)))
    await bus.publish(data_subject("AAPL"), encode(data_event("AAPL", close="60")))
    for each in (order(), order(), order(side="sell", quantity="7")):
        await bus.publish(ORDER, encode(each))
        await bus.flush()
    async with asyncio.timeout(5):
        while len(said) < 2:
            await asyncio.sleep(0)
    await member.stop()
    assert [(each.update, each.leaves_quantity) for each in said] == [
        ("new", "5"),
        ("rejected", "5"),
    ]
    assert said[1].reason == WORDS
    assert [each.id for each in executor.exchange.working] == ["order_1"]


async def test_plain_executor_works_an_order_once_over_the_plain_bus() -> None:
    worked: list[tuple[str, str]] = []

    class Notes(Executor):
        def on_order(self, event: OrderEvent) -> None:
            worked.append((event.id, event.quantity))

    bus = MemoryBus()
    executor = Notes()
    arm(executor)
    said: list[ExecutionEvent] = []
    member = LiveRunner(bus, executor)
    await member.start()
    await bus.subscribe(EXECUTION, lambda m: said.append(decode(ExecutionEvent, m.payload)))
    other = order()
    other.id = "order_2"
    for each in (order(), order(quantity="5.0"), order(quantity="7"), other):
        await bus.publish(ORDER, encode(each))
        await bus.flush()
    await member.stop()
    assert worked == [("order_1", "5"), ("order_2", "5")]
    assert [each.update for each in said] == ["rejected"]


def test_orders_that_nobody_saves_are_held_in_part_only() -> None:
    contents = OrderContents()
    for number in range(30_000):
        each = order()
        each.id = f"order_{number}"
        contents.note(each)
    assert len(contents.take_log()) == 10_000
    assert "order_29999" in contents
    assert "order_19999" not in contents


def test_portfolio_keeps_an_order_that_works_on() -> None:
    portfolio = Portfolio()
    handle_of(portfolio).begin("x", datetime(2024, 1, 2, tzinfo=UTC))
    sent = portfolio.send_order("AAPL", "buy", 5, type="limit", limit_price=50)
    report = ExecutionEvent(id="e", order_id=sent.id, symbol="AAPL", quantity="0",
                            update="rejected", leaves_quantity="5", reason="no")  # fmt: skip
    handle_of(portfolio).handle_execution(report)
    assert sent.id in portfolio.orders
    # With nothing left it is the order's end, as ever; and where nothing is stated.
    for number, left in enumerate(("0", "0.000", None)):
        ended = ExecutionEvent(id=f"e{number}", order_id=sent.id, symbol="AAPL", quantity="0")
        ended.update, ended.leaves_quantity = "rejected", left
        handle_of(portfolio).handle_execution(ended)
        assert sent.id not in portfolio.orders


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (order(quantity="5.00"), True),
        (order(limit_price="59.0"), True),
        (order(limit_price="59.00"), True),
        (order(limit_price="51"), False),
        (order(take_profit="70"), False),
        (order(stop_loss=StopLoss(stop_price="40")), False),
        (order(extended_hours=True), False),
        (order(quantity="many"), False),
    ],
)
def test_contents_are_compared_by_what_they_ask_for(other: OrderEvent, same: bool) -> None:
    assert (content_of(order()) == content_of(other)) is same


def test_replacements_are_compared_too_and_a_new_life_remembers() -> None:
    first = ReplaceEvent(id="order_2", order_id="order_1", symbol="AAPL", quantity="5")
    contents = OrderContents()
    assert contents.note(first) == ""
    again = OrderContents()
    assert again.restore_log(contents.take_log()) == []
    assert again.note(first) == ""
    other = ReplaceEvent(id="order_2", order_id="order_1", symbol="AAPL", quantity="6")
    assert again.note(other) == "OrderId order_1, Quantity 5, Symbol AAPL"
