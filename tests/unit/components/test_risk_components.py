"""Portfolio and executor behind their gates, alone and on a bus."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from support.risk_components import NOW, control, data, gate_of, kinds

from ingenium.brokers import PaperExecutor
from ingenium.components import Portfolio, arm, handle_of
from ingenium.errors import ComponentError
from ingenium.events import (
    CancelEvent,
    ControlEvent,
    DenialEvent,
    DenialReason,
    Event,
    ExecutionEvent,
    OrderEvent,
    ReplaceEvent,
    Signal,
    SignalEvent,
    TradingState,
    decode,
    encode,
)
from ingenium.log_throttle import LogThrottle
from ingenium.risk import RiskLimits
from ingenium.runtime.dispatch import Dispatcher
from ingenium.subjects.names import TRADING, subject_of
from ingenium.trading import Order


class Watching(Portfolio):
    """Keeps what its hooks are told."""

    def __init__(self) -> None:
        super().__init__(10_000)
        self.told: list[str] = []
        self.asks_again = False

    def on_signal(self, event: SignalEvent) -> None:
        self.told.append("signal")
        self.send_order(event.symbol, "buy", 10)
        self.told.append("done")

    def on_denied(self, event: DenialEvent) -> None:
        self.told.append(event.reason)
        if self.asks_again:
            self.send_order(event.symbol, "buy", 10)

    async def on_trading_state(self, state: TradingState) -> None:
        self.told.append(state.value)


def armed(portfolio: Portfolio | None = None, **limits: Any) -> Portfolio:
    portfolio = portfolio or Portfolio(10_000)
    arm(portfolio, RiskLimits(**limits))
    handle_of(portfolio).begin("a test", NOW)
    return portfolio


def execution(id: str, order_id: str, **fields: Any) -> ExecutionEvent:
    return ExecutionEvent(id=id, order_id=order_id, timestamp=NOW, **fields)


def test_denied_order_becomes_a_denial_and_works_nowhere() -> None:
    portfolio = armed(max_order_quantity=5)
    order = portfolio.send_order("AAPL", "buy", 10)
    [event] = handle_of(portfolio).take()
    assert isinstance(event, DenialEvent)
    event = decode(DenialEvent, encode(event))
    assert event.id.startswith("denial_")
    assert (event.component, event.reason, event.symbol) == (
        "portfolio",
        "max_order_quantity",
        "AAPL",
    )
    assert event.detail == "quantity 10 is above 5"
    assert event.timestamp == NOW
    assert event.order is not None
    assert Order.from_event(event.order) == order
    assert order.id.startswith("order_")
    assert portfolio.orders == {}
    assert portfolio.pending("AAPL") == 0
    assert portfolio.cancel_order(order.id) is None, "it has ended"
    [problem] = portfolio.problems
    assert order.id in problem
    assert "max_order_quantity: quantity 10 is above 5" in problem


def test_same_cause_makes_the_same_ids_of_denials() -> None:
    ids = [
        (order.id, *[event.id for event in handle_of(portfolio).take()])
        for portfolio in (armed(max_order_quantity=5) for _ in range(2))
        for order in [portfolio.send_order("AAPL", "buy", 10)]
    ]
    assert ids[0] == ids[1]
    portfolio = armed(max_order_quantity=5)
    assert len({portfolio.send_order("AAPL", "buy", 10).id for _ in range(3)}) == 3


def test_denied_replacement_leaves_the_old_order_working() -> None:
    portfolio = armed(max_order_quantity=15)
    old = portfolio.send_order("AAPL", "buy", 10)
    new = portfolio.replace_order(old.id, quantity=16)
    events = handle_of(portfolio).take()
    assert kinds(events) == [OrderEvent, DenialEvent]
    assert new.quantity == 16
    assert list(portfolio.orders) == [old.id]
    assert portfolio.replace_order(old.id, quantity=15).id
    assert kinds(handle_of(portfolio).take()) == [ReplaceEvent]


def test_what_is_asked_to_grow_counts_as_grown() -> None:
    portfolio = armed(max_symbol_notional=2000, duplicate_seconds=None)
    handle_of(portfolio).handle_data(data())
    old = portfolio.send_order("AAPL", "buy", 10)
    portfolio.replace_order(old.id, quantity=15)
    portfolio.send_order("AAPL", "buy", 5)
    portfolio.send_order("AAPL", "buy", 1)
    events = handle_of(portfolio).take()
    assert kinds(events) == [OrderEvent, ReplaceEvent, OrderEvent, DenialEvent]


def test_protective_order_is_moved_while_trading_only_reduces() -> None:
    portfolio = armed()
    handle_of(portfolio).handle_data(data())
    order = portfolio.send_order("AAPL", "buy", 10, stop_loss=70)
    [leg] = order.protective_orders()
    handle_of(portfolio).handle_execution(
        execution("e1", order.id, update="filled", quantity="10", price="100")
    )
    handle_of(portfolio).handle_control(control("reducing"))
    handle_of(portfolio).take()
    portfolio.replace_order(leg.id, stop_price=60)
    assert kinds(handle_of(portfolio).take()) == [ReplaceEvent]


async def test_hooks_are_called_when_the_handler_is_done() -> None:
    portfolio = Watching()
    armed(portfolio, max_order_quantity=5)
    signal = SignalEvent(id="s1", symbol="AAPL", signal=Signal.LONG)
    sent = await Dispatcher(portfolio).handle(signal, NOW)
    assert kinds(sent) == [DenialEvent]
    assert portfolio.told == ["signal", "done", "max_order_quantity"]
    assert handle_of(portfolio).risk.news == []


async def test_order_that_is_sent_again_and_again_when_denied_ends() -> None:
    portfolio = Watching()
    portfolio.asks_again = True
    armed(portfolio, max_order_quantity=5)
    signal = SignalEvent(id="s1", symbol="AAPL", signal=Signal.LONG)
    sent = await Dispatcher(portfolio).handle(signal, NOW)
    assert kinds(sent) == [DenialEvent, DenialEvent]
    assert portfolio.told.count("max_order_quantity") == 1


async def test_runaway_strategy_halts_cancels_what_works_and_tells_everybody() -> None:
    portfolio = Watching()
    armed(portfolio, duplicate_seconds=None)
    sent: list[Event] = []
    for number in range(1_000):
        signal = SignalEvent(id=f"s{number}", symbol="AAPL", signal=Signal.LONG)
        now = NOW + timedelta(microseconds=100 * number)
        sent += await Dispatcher(portfolio).handle(signal, now)
    orders = [event.id for event in sent if isinstance(event, OrderEvent)]
    assert len(orders) == 22
    assert [e.order_id for e in sent if isinstance(e, CancelEvent)] == orders
    [said] = [event for event in sent if isinstance(event, ControlEvent)]
    assert (said.state, said.sender) == ("halted", "watching")
    assert said.id.startswith("control_")
    assert subject_of(said) == TRADING
    denials = [event.reason for event in sent if isinstance(event, DenialEvent)]
    assert denials == ["max_orders_per_second"] * 3 + ["halted"] * 975
    assert portfolio.told.count("halted") == 975 + 1, "the hook of the state, once"
    assert not gate_of(portfolio).switch.unannounced()


def test_log_has_the_first_denials_and_then_counts() -> None:
    portfolio, lines = armed(max_order_quantity=1, max_orders_per_second=None), 0

    def deny(seconds: float, times: int) -> list[str]:
        nonlocal lines
        for _ in range(times):
            handle_of(portfolio).begin("a test", NOW + timedelta(seconds=seconds))
            portfolio.send_order("AAPL", "buy", 10)
        assert kinds(handle_of(portfolio).take()) == [DenialEvent] * times
        told = list(portfolio.problems)[lines:]
        lines += len(told)
        return [line.partition(" is denied")[0].partition(", the last: ")[0] for line in told]

    assert len(deny(0, 1000)) == 5
    assert deny(59, 10) == []
    assert deny(60, 1000) == ["1,005 more (max_order_quantity)"]
    # What comes in the next minute is told by the next bar, when nothing more is asked for.
    handle_of(portfolio).begin("a bar", NOW + timedelta(seconds=121))
    handle_of(portfolio).handle_data(data())
    assert deny(121, 0) == ["1,000 more (max_order_quantity)"]
    handle_of(portfolio).begin("a bar", NOW + timedelta(seconds=200))
    handle_of(portfolio).handle_data(data())
    assert len(deny(200, 7)) == 5, "a minute was quiet"
    handle_of(portfolio).handle_control(control("halted"))
    assert deny(200, 0) == ["2 more (max_order_quantity)"]
    portfolio.send_order("AAPL", "buy", 10)
    [last] = list(portfolio.problems)[lines:]
    assert "halted" in last


def test_log_is_not_silent_after_a_clock_that_goes_back() -> None:
    log = LogThrottle()
    told = [log.note("halted", f"order {number}", NOW) for number in range(7)]
    assert told == [[f"order {number}"] for number in range(5)] + [[], []]
    assert log.due(NOW - timedelta(days=1)) == ["2 more (halted), the last: order 6"]


def test_rebalance_of_500_symbols_passes_both_gates_of_the_standard_limits() -> None:
    portfolio, executor = armed(), PaperExecutor()
    arm(executor)
    handle_of(executor).begin("a test", NOW)
    orders = [portfolio.send_order(f"S{number}", "buy", 10) for number in range(500)]
    assert [handle_of(executor).risk.admit(order) for order in orders] == [None] * 500
    assert kinds(handle_of(portfolio).take()) == [OrderEvent] * 500


class Stumbling(Portfolio):
    """Falls over its second order."""

    def on_signal(self, event: SignalEvent) -> None:
        self.send_order(event.symbol, "buy", 1)
        self.send_order(event.symbol, "buy", 2)
        raise RuntimeError("stumbled")


async def test_halt_of_a_handler_that_failed_holds_and_is_said_later_and_can_be_released() -> None:
    portfolio = armed(
        Stumbling(), max_orders_per_second=0.001, burst=1, symbol_burst=0, max_breaches=1
    )
    signal = SignalEvent(id="s1", symbol="AAPL", signal=Signal.LONG)
    with pytest.raises(ComponentError, match="stumbled"):
        await Dispatcher(portfolio).handle(signal, NOW)
    assert handle_of(portfolio).take() == []
    assert handle_of(portfolio).risk.news == []
    assert gate_of(portfolio).switch.state is TradingState.HALTED
    [said] = await Dispatcher(portfolio).handle(data(), NOW)
    assert isinstance(said, ControlEvent)
    assert said.state == "halted"
    # What was never sent could not come back, and would hold for ever.
    handle_of(portfolio).handle_control(said)
    handle_of(portfolio).handle_control(control("active"))
    assert gate_of(portfolio).switch.state is TradingState.ACTIVE


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"update": "filled", "quantity": "11", "price": "100"}, "11 filled of 10 ordered"),
        ({"update": "filled", "quantity": "-10", "price": "100"}, "quantity -10"),
        ({"update": "filled", "quantity": "0", "price": "100"}, "quantity 0"),
        ({"update": "filled", "quantity": "", "price": "100"}, "quantity ''"),
        ({"update": "partial_fill", "quantity": "NaN", "price": "1"}, "quantity 'NaN'"),
        ({"update": "", "quantity": "-1", "price": "100"}, "quantity -1"),
        ({"update": "filled", "quantity": "10", "price": "0"}, "price 0"),
        ({"update": "filled", "quantity": "10", "price": "-1"}, "price -1"),
        ({"update": "filled", "quantity": "10", "price": "x"}, "cannot be booked"),
        ({"update": "filled", "quantity": "10", "side": "sell", "price": "1"}, "cannot be booked"),
    ],
)
def test_execution_that_must_not_be_halts_its_symbol(fields: dict[str, str], text: str) -> None:
    portfolio = armed()
    handle_of(portfolio).handle_data(data())
    order = portfolio.send_order("AAPL", "buy", 10)
    handle_of(portfolio).handle_execution(execution("e1", order.id, **fields))
    assert text in gate_of(portfolio).switch.halted_symbols["AAPL"].reason
    handle_of(portfolio).take()
    portfolio.send_order("AAPL", "sell", 1)
    portfolio.send_order("MSFT", "buy", 1)
    denial, other = handle_of(portfolio).take()
    assert isinstance(denial, DenialEvent)
    assert denial.reason == DenialReason.SYMBOL_HALTED
    assert isinstance(other, OrderEvent)
    handle_of(portfolio).handle_control(control("active"))
    portfolio.send_order("AAPL", "sell", 1)
    assert kinds(handle_of(portfolio).take()) == [OrderEvent]


@pytest.mark.parametrize(
    "fields",
    [
        {"update": "new"},
        {"update": "rejected", "quantity": "0"},
        {"update": "", "quantity": "0"},
        {"update": "", "quantity": "0", "price": "100"},
        {"update": "new", "quantity": "-5"},
        {"update": "canceled", "quantity": "x"},
        {"update": "", "quantity": ""},
        {"update": "partial_fill", "quantity": "4", "price": "100"},
        {"update": "filled", "quantity": "10", "price": "100"},
        {"update": "", "quantity": "10", "price": "100"},
    ],
)
def test_execution_that_is_in_order_halts_nothing(fields: dict[str, str]) -> None:
    portfolio = armed()
    order = portfolio.send_order("AAPL", "buy", 10)
    handle_of(portfolio).handle_execution(execution("e1", order.id, **fields))
    assert not gate_of(portfolio).switch.halted_symbols


def test_data_that_is_old_when_it_comes_is_stale() -> None:
    portfolio = armed(stale_data_seconds=30, duplicate_seconds=None)
    for seconds, kind in ((-31, DenialEvent), (-30, OrderEvent), (3600, OrderEvent)):
        handle_of(portfolio).handle_data(data(seconds=seconds))
        portfolio.send_order("AAPL", "buy", 1)
        assert kinds(handle_of(portfolio).take()) == [kind]
    # A clock of a producer that is an hour ahead does not keep its data fresh for an hour.
    handle_of(portfolio).begin("later", NOW + timedelta(seconds=31))
    portfolio.send_order("AAPL", "buy", 1)
    [event] = handle_of(portfolio).take()
    assert isinstance(event, DenialEvent)
    assert event.reason == DenialReason.STALE_DATA


def test_loss_of_the_day_reduces_when_the_price_comes_and_says_so() -> None:
    portfolio = armed(max_daily_loss=100)
    handle_of(portfolio).handle_data(data("100"))
    order = portfolio.send_order("AAPL", "buy", 10)
    handle_of(portfolio).handle_execution(
        execution("e1", order.id, update="filled", quantity="10", price="100")
    )
    handle_of(portfolio).take()
    handle_of(portfolio).handle_data(data("90"))
    [event] = handle_of(portfolio).take()
    assert isinstance(event, ControlEvent)
    assert (event.state, event.sender) == ("reducing", "portfolio")
    assert event.reason == "the loss of this UTC day is 100, which reaches 100"
    portfolio.send_order("AAPL", "buy", 1)
    portfolio.send_order("AAPL", "sell", 10)
    assert kinds(handle_of(portfolio).take()) == [DenialEvent, OrderEvent]


def test_component_that_says_active_is_a_problem_and_changes_nothing() -> None:
    portfolio = armed()
    handle_of(portfolio).handle_control(control("halted"))
    handle_of(portfolio).handle_control(control("active", "paper"))
    assert gate_of(portfolio).switch.state is TradingState.HALTED
    assert "use a sender such as person@machine" in portfolio.problems[-1]


def test_file_of_a_kill_switch_halts_until_it_is_gone_and_an_operator_says_so() -> None:
    portfolio = armed()
    order = portfolio.send_order("AAPL", "buy", 10)
    handle_of(portfolio).take()
    handle_of(portfolio).risk.hold("HALT", "the file is there")
    said, canceled = handle_of(portfolio).take()
    assert isinstance(said, ControlEvent)
    assert (said.state, said.reason) == ("halted", "HALT: the file is there")
    assert isinstance(canceled, CancelEvent)
    assert canceled.order_id == order.id
    handle_of(portfolio).risk.hold("HALT", "the file is there")
    handle_of(portfolio).handle_control(said)
    assert handle_of(portfolio).take() == []
    handle_of(portfolio).handle_control(control("active"))
    assert gate_of(portfolio).switch.state is TradingState.HALTED
    handle_of(portfolio).risk.hold("HALT", None)
    assert gate_of(portfolio).switch.state is TradingState.HALTED
    handle_of(portfolio).handle_control(control("active"))
    assert gate_of(portfolio).switch.state is TradingState.ACTIVE


def test_halt_cancels_what_works_but_not_what_protects() -> None:
    portfolio = armed()
    handle_of(portfolio).handle_data(data())
    first = portfolio.send_order("AAPL", "buy", 10, stop_loss=90)
    second = portfolio.send_order("AAPL", "buy", 20)
    handle_of(portfolio).handle_execution(
        execution("e1", first.id, update="filled", quantity="10", price="100")
    )
    handle_of(portfolio).take()
    handle_of(portfolio).handle_control(control("halted"))
    [event] = handle_of(portfolio).take()
    assert isinstance(event, CancelEvent)
    assert event.order_id == second.id
    handle_of(portfolio).handle_control(control("halted", id="again"))
    assert handle_of(portfolio).take() == []
