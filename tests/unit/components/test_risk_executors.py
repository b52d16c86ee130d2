"""Risk gates of executors, and the kill switch on a bus."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from support.risk_components import ANN, NOW, control, data, gate_of, kinds

from ingenium.brokers import PaperExecutor
from ingenium.bus import MemoryBus
from ingenium.bus.base import Message
from ingenium.clock import ManualClock
from ingenium.components import Portfolio, Strategy, arm, handle_of
from ingenium.events import (
    CancelEvent,
    ControlEvent,
    Event,
    ExecutionEvent,
    OrderEvent,
    ReplaceEvent,
    Signal,
    SignalEvent,
    decode,
    encode,
)
from ingenium.portfolios import FixedQuantity
from ingenium.risk import RiskLimits
from ingenium.runtime.dispatch import Dispatcher, handled_types
from ingenium.runtime.live import LiveRunner
from ingenium.runtime.subscriptions import subscriptions_of
from ingenium.subjects.names import ALL_EVENTS, TRADING, event_type_of, subject_of
from ingenium.testing import wait_until


def test_only_portfolios_and_executors_have_gates_and_those_listen_to_control() -> None:
    assert arm(Strategy()) is None
    for component in (Portfolio(), PaperExecutor()):
        assert ControlEvent not in handled_types(component)
        assert TRADING not in dict(subscriptions_of(component))
        gate = arm(component)
        assert gate_of(component) is gate is not None
        assert ControlEvent in handled_types(component)
        assert (TRADING, ControlEvent) in subscriptions_of(component)
    assert arm(Portfolio()).limits == RiskLimits()
    assert arm(PaperExecutor()).limits == RiskLimits().for_executor()


class Paper:
    """A paper executor behind a gate."""

    def __init__(self, **limits: Any) -> None:
        self.executor = PaperExecutor()
        arm(self.executor, RiskLimits(**({"duplicate_seconds": None} | limits)))
        self.count = 0

    def send(self, event: Event, seconds: float = 0) -> list[ExecutionEvent]:
        self.count += 1
        now = NOW + timedelta(seconds=seconds)
        handling = Dispatcher(self.executor).handle(event, now, f"cause {self.count}")
        with pytest.raises(StopIteration) as end:
            handling.send(None)  # it waits for nothing
        return [each for each in end.value.value if isinstance(each, ExecutionEvent)]

    def order(self, id: str, quantity: str = "10", **fields: Any) -> list[ExecutionEvent]:
        values = {"symbol": "AAPL", "side": "buy", "type": "market", "time_in_force": "gtc"}
        return self.send(OrderEvent(id=id, quantity=quantity, **(values | fields)))


def test_executor_rejects_what_its_gate_denies_with_reason_and_numbers() -> None:
    paper = Paper(max_order_quantity=5)
    paper.send(data())
    [report] = paper.order("order_1")
    assert (report.update, report.order_id) == ("rejected", "order_1")
    assert report.reason == "max_order_quantity: quantity 10 is above 5"
    [report] = paper.order("order_2", "5")
    assert report.update == "new"


def test_executor_counts_its_own_fills_and_working_orders() -> None:
    paper = Paper(max_symbol_notional=2000)
    paper.send(data())
    assert [e.update for e in paper.order("order_1")] == ["new"]
    [filled] = paper.send(data(seconds=60))
    assert filled.update == "filled"
    assert handle_of(paper.executor).risk.account.position("AAPL") == 10
    assert [e.update for e in paper.order("order_2")] == ["new"]
    [report] = paper.order("order_3", "1")
    assert report.reason == "max_symbol_notional: up to 21 AAPL at 100 is 2100, above 2000"
    paper.send(CancelEvent(id="c", order_id="order_2", symbol="AAPL"))
    assert [e.update for e in paper.order("order_4")] == ["new"]
    assert [e.update for e in paper.order("order_5", side="sell")] == ["new"]


def test_executor_gets_back_the_report_that_it_has_sent() -> None:
    for arms in (False, True):
        executor = PaperExecutor()
        if arms:
            arm(executor)
        handle_of(executor).begin("a test", NOW)
        event = ExecutionEvent(order_id="o", symbol="AAPL", update="new")
        assert executor.send_execution(event) is event
        assert event.id.startswith("exec_")
        assert handle_of(executor).take() == [event]


def test_executor_holds_replacements_against_its_gate() -> None:
    paper = Paper(max_order_quantity=15)
    paper.send(data())
    paper.order("order_1", type="limit", limit_price="99")
    replace = ReplaceEvent(id="order_2", order_id="order_1", symbol="AAPL", quantity="16")
    [report] = paper.send(replace)
    assert report.reason == "max_order_quantity: quantity 16 is above 15"
    replace = ReplaceEvent(id="order_3", order_id="order_1", symbol="AAPL", quantity="15")
    assert [e.update for e in paper.send(replace)] == ["replaced", "new"]
    assert list(handle_of(paper.executor).risk.account.orders.working) == ["order_3"]


def test_executor_passes_over_an_order_that_is_sent_again() -> None:
    paper = Paper(duplicate_seconds=1.0, max_open_orders=1)
    paper.send(data())
    assert [e.update for e in paper.order("order_1")] == ["new"]
    assert paper.order("order_1") == [], "a rejection would end the order that works"
    [report] = paper.order("order_2")
    assert str(report.reason).startswith("max_open_orders: 1 orders are working")
    [filled] = paper.send(data(seconds=60))
    assert filled.update == "filled"
    assert paper.order("order_1") == []


def test_executor_adopts_what_the_broker_holds() -> None:
    book = handle_of(Paper().executor).risk.account
    book.adopt("AAPL", Decimal(-7), Decimal(100))
    assert book.position("AAPL") == -7
    assert book.equity == 0
    book.adopt("AAPL", Decimal(3), Decimal(110))
    assert book.position("AAPL") == 3
    assert book.price("AAPL") == 110
    assert book.equity == -70, "the short has lost ten a share"
    book.adopt("AAPL", Decimal(3), Decimal(110))
    assert book.position("AAPL") == 3


def test_executor_halts_all_trading_by_its_own_decision() -> None:
    paper = Paper()
    paper.send(data())
    handle_of(paper.executor).begin("check", NOW)
    handle_of(paper.executor).risk.halt("3 orders were sent to the broker, 2 were received")
    handle_of(paper.executor).risk.halt("again")
    [event] = handle_of(paper.executor).take()
    assert isinstance(event, ControlEvent)
    assert (event.state, event.sender) == ("halted", "paper")
    [report] = paper.order("order_1")
    assert report.update == "rejected"
    assert str(report.reason).startswith("halted: trading is halted by paper: 3 orders")


def test_without_a_gate_nothing_is_held_back_or_kept() -> None:
    portfolio = Portfolio()
    handle_of(portfolio).begin("a test", NOW)
    for number in range(100):
        portfolio.send_order("AAPL", "buy", number + 1)
    handle_of(portfolio).handle_control(control("halted"))
    handle_of(portfolio).risk.halt("no gate, no halt")
    handle_of(portfolio).risk.hold("HALT", "no gate, no halt")
    assert kinds(handle_of(portfolio).take()) == [OrderEvent] * 100
    executor = PaperExecutor()
    handle_of(executor).begin("a test", NOW)
    executor.on_data(data())
    executor.on_order(
        OrderEvent(id="order_1", symbol="AAPL", side="buy", quantity="1", type="market")
    )
    assert kinds(handle_of(executor).take()) == [ExecutionEvent]
    assert not handle_of(executor).risk.account.orders.working


async def test_kill_switch_on_a_bus_stops_portfolio_and_executor_until_released() -> None:
    bus, clock, log = MemoryBus(), ManualClock(NOW), Log()
    portfolio, executor = FixedQuantity(10), PaperExecutor()
    gates = [gate for each in (portfolio, executor) if (gate := arm(each)) is not None]
    members = [LiveRunner(bus, each, clock) for each in (portfolio, executor)]
    await bus.subscribe(ALL_EVENTS, log.keep)
    for member in members:
        await member.start()

    async def publish(event: Event, *expected: str) -> None:
        log.lines.clear()
        clock.advance(timedelta(seconds=10))
        await bus.publish(subject_of(event), encode(event))
        await wait_until(lambda: len(log.lines) > len(expected))
        assert log.lines[1:] == list(expected)

    async def switch(event: ControlEvent, *expected: str) -> None:
        await publish(event, *expected)
        await wait_until(lambda: all(gate.switch.state == event.state for gate in gates))

    def signal(id: str) -> SignalEvent:
        return SignalEvent(id=id, symbol="AAPL", signal=Signal.LONG)

    await publish(data())
    await wait_until(lambda: handle_of(executor).risk.account.price("AAPL") is not None)
    await publish(signal("s1"), "OrderEvent", "ExecutionEvent")
    await switch(control("halted"), "CancelEvent", "ExecutionEvent canceled on request")
    await publish(signal("s2"), "DenialEvent halted")
    foreign = OrderEvent(id="order_go", symbol="AAPL", side="buy", quantity="1", type="market")
    rejected = f"ExecutionEvent halted: trading is halted by {ANN}: because"
    await publish(foreign, rejected)
    await publish(control("active", "paper"))
    await wait_until(lambda: "person@machine" in portfolio.problems[-1])
    await publish(signal("s3"), "DenialEvent halted")
    await switch(control("active"))
    await publish(signal("s4"), "OrderEvent", "ExecutionEvent")
    for member in members:
        await member.stop()
    await bus.close()


class Log:
    """What went over a bus."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def keep(self, message: Message) -> None:
        event_type = event_type_of(message.subject)
        assert event_type is not None
        event = decode(event_type, message.payload)
        self.lines.append(f"{event_type.__name__} {getattr(event, 'reason', None) or ''}".strip())
