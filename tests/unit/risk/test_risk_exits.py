"""What only makes a position smaller gets out, through the gates of portfolio and executor.

The property test fills working orders in every order, and knows nothing of how a gate adds up.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingenium.brokers import PaperExecutor
from ingenium.bus import Incident, IncidentKind, MemoryBus
from ingenium.components import Executor, Portfolio, arm, handle_of
from ingenium.events import (
    ControlEvent,
    DataEvent,
    DenialEvent,
    ExecutionEvent,
    Ohlc,
    OrderEvent,
    ReplaceEvent,
    Side,
    Signal,
    SignalEvent,
    TradingState,
)
from ingenium.risk import RiskGate, RiskLimits
from ingenium.runtime.live import LiveRunner
from ingenium.trading import Order

NOW = datetime(2024, 1, 2, 15, tzinfo=UTC)
OFF = RiskLimits(price_collar=None, max_orders_per_second=None, duplicate_seconds=None)
# Each of these denies every order that may open something.
TIGHT: dict[str, Any] = {
    "max_order_quantity": "0.001",
    "max_order_notional": "0.001",
    "max_symbol_notional": "0.001",
    "max_gross_notional": "0.001",
    "max_open_orders": 1,
    "price_collar": "0.0001",
    "allowed_symbols": ["OTHER"],
    "stale_data_seconds": 0.001,
    "is_open": lambda symbol, time: False,
    "max_daily_loss": "0.001",
    "max_orders_per_second": 0.001,
    "burst": 1,
    "symbol_burst": 0,
    "duplicate_seconds": 1000,
}


def prices_of(kind: str, price: int) -> dict[str, Any]:
    return {
        "market": {},
        "limit": {"limit_price": price * 2},
        "stop": {"stop_price": price // 2 + 1},
        "stop_limit": {"stop_price": price // 2 + 1, "limit_price": price // 3 + 1},
        "trailing_stop": {"trail_percent": 10},
    }[kind]


class Trader:
    """A portfolio behind limits, with a position and prices."""

    def __init__(self, position: int = 0, price: int = 100, **limits: Any) -> None:
        self.portfolio = Portfolio(1_000_000)
        arm(self.portfolio, OFF)
        self.now = NOW
        self.count = 0
        self.price(price)
        if position:
            order = self.send("buy" if position > 0 else "sell", abs(position))
            self.fill(order, abs(position), price)
        if limits:
            arm(self.portfolio, RiskLimits(**limits))

    @property
    def gate(self) -> RiskGate:
        gate = handle_of(self.portfolio).risk.gate
        assert gate is not None
        return gate

    def begin(self) -> None:
        self.count += 1
        handle_of(self.portfolio).begin(f"cause {self.count}", self.now)

    def price(self, price: int) -> None:
        self.begin()
        text = str(price)
        ohlc = Ohlc(open=text, high=text, low=text, close=text)
        handle_of(self.portfolio).handle_data(
            DataEvent(symbol="A", timestamp=self.now.isoformat(), ohlc=ohlc)
        )
        handle_of(self.portfolio).take()

    def send(self, side: str, quantity: int, kind: str = "market", price: int = 100) -> Order:
        order, event = self.ask(side, quantity, kind, price)
        assert isinstance(event, OrderEvent), getattr(event, "detail", event)
        return order

    def ask(
        self, side: str, quantity: int, kind: str = "market", price: int = 100, **more: Any
    ) -> tuple[Order, OrderEvent | DenialEvent]:
        self.begin()
        arguments: dict[str, Any] = {"type": kind, **prices_of(kind, price), **more}
        order = self.portfolio.send_order("A", side, quantity, **arguments)
        [event] = [
            e for e in handle_of(self.portfolio).take() if isinstance(e, OrderEvent | DenialEvent)
        ]
        return order, event

    def denied(self, side: str, quantity: int, kind: str = "market", **more: Any) -> DenialEvent:
        _, event = self.ask(side, quantity, kind, **more)
        assert isinstance(event, DenialEvent)
        return event

    def fill(self, order: Order, quantity: int, price: int = 100) -> None:
        self.report(order, quantity=str(quantity), price=str(price), update="partial_fill")

    def report(self, order: Order, **fields: Any) -> None:
        self.begin()
        handle_of(self.portfolio).handle_execution(
            ExecutionEvent(id=f"e{self.count}", order_id=order.id, timestamp=self.now, **fields)
        )
        handle_of(self.portfolio).take()

    def control(self, state: str) -> None:
        self.begin()
        handle_of(self.portfolio).handle_control(
            ControlEvent(id=f"c{self.count}", state=state, sender="ann@trader-1", reason="why")
        )
        handle_of(self.portfolio).take()


# Every order of fills.

Working = tuple[str, int]
books = st.tuples(
    st.integers(-6, 6),
    st.lists(st.tuples(st.sampled_from(["buy", "sell"]), st.integers(1, 4)), max_size=3),
    st.tuples(st.sampled_from(["buy", "sell"]), st.integers(1, 8)),
)
kinds = st.sampled_from(["market", "limit", "stop", "stop_limit", "trailing_stop"])


def paths(held: int, working: Sequence[Working]) -> list[list[int]]:
    """The positions that one goes through, for each order in which some of the orders fill."""
    found = []
    for order in permutations(working):
        position, path = held, [held]
        for side, quantity in order:
            position += quantity if side == "buy" else -quantity
            path.append(position)
        found.append(path)
    return found


def only_reduces(held: int, working: Sequence[Working], new: Working) -> bool:
    """Whether the new order, filled at any point, neither crosses zero nor makes more of it.

    Orders of the other side are left out: what they make larger, they do by themselves.
    """
    if not held:
        return False
    if (new[0] == "buy") is (held > 0):
        return False
    same = [each for each in working if each[0] == new[0]]
    return all(
        position * held >= 0 and abs(position) <= abs(held)
        for path in paths(held, [*same, new])
        for position in path
    )


def worst(held: int, working: Sequence[Working]) -> int:
    return max(abs(position) for path in paths(held, working) for position in path)


@settings(max_examples=300, deadline=None)
@given(book=books, kind=kinds, price=st.integers(20, 300), work=st.lists(kinds, min_size=3))
def test_gates_let_out_what_only_reduces_and_hold_what_goes_beyond_a_limit(
    book: tuple[int, list[Working], Working], kind: str, price: int, work: list[str]
) -> None:
    held, working, new = book
    trader = Trader(held)
    executor = Executor("executor")
    arm(executor, OFF)
    handle_of(executor).begin("start", NOW)
    if held:
        handle_of(executor).risk.account.adopt("A", Decimal(held), Decimal(100))
    for (side, quantity), kind_ in zip(working, work, strict=False):
        order = trader.send(side, quantity, kind_)
        assert handle_of(executor).risk.admit(order) is None
    trader.price(price)
    handle_of(executor).risk.account.account.mark("A", str(price))
    if only_reduces(held, working, new):
        arm(trader.portfolio, RiskLimits(**TIGHT))
        arm(executor, RiskLimits(**TIGHT))
        order, event = trader.ask(*new, kind, price)
        assert isinstance(event, OrderEvent), event
        assert handle_of(executor).risk.admit(order) is None
        return
    # Beyond a limit when all the worst comes together, and it is this order that makes it worse.
    after, before = worst(held, [*working, new]), worst(held, working)
    limit = before * price or 1
    if after > before:
        only: dict[str, Any] = {"price_collar": None, "max_symbol_notional": limit}
        arm(trader.portfolio, RiskLimits(**only))
        arm(executor, RiskLimits(**only))
        order, event = trader.ask(*new, kind, price)
        assert isinstance(event, DenialEvent)
        assert event.reason == "max_symbol_notional"
        assert "EXIT" not in event.detail
        denial = (
            handle_of(executor).risk.admit(order.__class__.from_event(event.order))
            if event.order
            else None
        )
        assert denial is None or not denial.is_exit


# One limit at a time, both ways.


@pytest.mark.parametrize("held", [10, -10])
@pytest.mark.parametrize("kind", ["market", "limit", "stop", "stop_limit", "trailing_stop"])
@pytest.mark.parametrize("name", sorted(TIGHT))
def test_no_limit_holds_an_exit(held: int, kind: str, name: str) -> None:
    trader = Trader(held, **(TIGHT | {"max_daily_loss": 1} if name == "max_daily_loss" else {}))
    more: dict[str, Any] = {"burst": 1} if name == "max_orders_per_second" else {}
    more |= {"max_orders_per_second": 1} if name == "burst" else {}
    value = 2 if name == "symbol_burst" else TIGHT[name]
    only: dict[str, Any] = {name: value}
    arm(trader.portfolio, RiskLimits(**only, **more))
    side = "sell" if held > 0 else "buy"
    trader.price(70 if held > 0 else 130)
    trader.send(side, 5, kind)
    trader.send(side, 5, kind)
    assert trader.gate.denied_exits == {}


def test_ten_orders_of_one_close_ten_at_once_and_an_eleventh_is_no_exit() -> None:
    trader = Trader(10, max_order_notional=50, burst=2, symbol_burst=0)
    for _ in range(10):
        trader.send("sell", 1)
    assert trader.denied("sell", 1).reason == "max_orders_per_second"


@pytest.mark.parametrize(
    ("works", "kind", "passes"),
    [
        (["limit"], "stop", True),
        (["stop"], "limit", True),
        (["stop_limit"], "limit", True),
        (["limit"], "trailing_stop", True),
        (["stop"], "market", True),
        (["market"], "market", False),
        (["limit"], "limit", False),
        (["stop"], "stop", False),
        (["stop"], "trailing_stop", False),
        (["stop"], "stop_limit", False),
        (["stop", "limit"], "market", False),  # all three would leave a position of 20
    ],
)
@pytest.mark.parametrize("held", [10, -10])
@pytest.mark.parametrize("state", ["active", "reducing"])
def test_stop_target_and_market_order_are_ways_out_of_the_same_position(
    works: list[str], kind: str, passes: bool, held: int, state: str
) -> None:
    trader = Trader(held)
    side = "sell" if held > 0 else "buy"
    for each in works:
        trader.send(side, 10, each)
    arm(trader.portfolio, RiskLimits(max_symbol_notional=500, price_collar=None))
    trader.control(state)
    _, event = trader.ask(side, 10, kind)
    assert isinstance(event, OrderEvent if passes else DenialEvent)
    if not passes:
        assert isinstance(event, DenialEvent)
        assert event.reason == ("reducing" if state == "reducing" else "max_symbol_notional")


@pytest.mark.parametrize("parts", [(6, 4), (5, 5), (1, 9)])
def test_two_targets_and_two_stops_share_the_position(parts: tuple[int, int]) -> None:
    trader = Trader(10, max_order_notional=1)
    for kind in ("limit", "stop"):
        for quantity in parts:
            trader.send("sell", quantity, kind)
    for kind in ("limit", "stop"):
        assert trader.denied("sell", 1, kind).reason == "max_order_notional"


def test_order_that_crosses_zero_and_one_that_adds_are_held_to_the_limits() -> None:
    trader = Trader(10, max_order_notional=900, duplicate_seconds=None)
    trader.send("sell", 10)
    trader = Trader(10, max_order_notional=900)
    assert trader.denied("sell", 11).reason == "max_order_notional"
    assert trader.denied("buy", 10).reason == "max_order_notional"
    assert trader.denied("sell", 10, take_profit=80).reason == "max_order_notional"


def test_working_order_of_the_other_side_makes_no_room() -> None:
    trader = Trader(10)
    trader.send("buy", 10)
    arm(trader.portfolio, RiskLimits(max_order_notional=1))
    assert trader.denied("sell", 11).reason == "max_order_notional"
    trader.send("sell", 10)


def test_stop_is_moved_and_made_smaller_above_every_limit() -> None:
    trader = Trader(10)
    stop = trader.send("sell", 10, "stop")
    arm(trader.portfolio, RiskLimits(**TIGHT))
    trader.begin()
    moved = trader.portfolio.replace_order(stop.id, stop_price=70)
    [event] = handle_of(trader.portfolio).take()
    assert isinstance(event, ReplaceEvent)
    trader.report(stop, update="replaced")
    for quantity in (10, 4):
        trader.begin()
        moved = trader.portfolio.replace_order(moved.id, stop_price=80, quantity=quantity)
        [event] = handle_of(trader.portfolio).take()
        assert isinstance(event, ReplaceEvent)
        trader.report(
            Order(id=event.order_id, symbol="A", side=Side.SELL, quantity=Decimal(1)),
            update="replaced",
        )
    trader.begin()
    trader.portfolio.replace_order(moved.id, quantity=11)
    events = handle_of(trader.portfolio).take()
    assert [type(event) for event in events if not isinstance(event, ControlEvent)] == [DenialEvent]


def test_half_filled_target_leaves_room_for_what_is_left() -> None:
    trader = Trader(10)
    target = trader.send("sell", 10, "limit")
    trader.fill(target, 4)
    arm(trader.portfolio, RiskLimits(max_order_notional=1, price_collar=None))
    trader.send("sell", 6, "stop")
    assert trader.denied("sell", 1, "stop").reason == "max_order_notional"


def test_protection_of_a_bracket_is_moved_above_every_limit() -> None:
    trader = Trader()
    order, _ = trader.ask("buy", 10, stop_loss=90)
    trader.fill(order, 10)
    [stop] = order.protective_orders()
    arm(trader.portfolio, RiskLimits(**TIGHT))
    trader.begin()
    trader.portfolio.replace_order(stop.id, stop_price=50)
    [event] = handle_of(trader.portfolio).take()
    assert isinstance(event, ReplaceEvent)


@pytest.mark.parametrize("state", ["active", "reducing"])
def test_protection_is_moved_before_there_is_a_position(state: str) -> None:
    trader = Trader()
    order, _ = trader.ask("buy", 10, stop_loss=90)
    [stop] = order.protective_orders()
    executor = Executor("executor")
    arm(executor, OFF)
    handle_of(executor).begin("x", NOW)
    assert handle_of(executor).risk.admit(order) is None
    arm(trader.portfolio, RiskLimits(**TIGHT))
    arm(executor, RiskLimits(**TIGHT))
    trader.control(state)
    handle_of(executor).handle_control(ControlEvent(id="c", state=state, sender="ann@trader-1"))
    trader.begin()
    moved = trader.portfolio.replace_order(stop.id, stop_price=50)
    [event] = handle_of(trader.portfolio).take()
    assert isinstance(event, ReplaceEvent)
    assert handle_of(executor).risk.admit(moved, replaces=stop) is None


# The rate.


def test_entries_do_not_use_up_the_rate_of_exits_and_a_loop_of_exits_is_slowed() -> None:
    trader = Trader(200, burst=2, symbol_burst=0, max_orders_per_second=1, exit_burst=50)
    for _ in range(3):
        trader.ask("buy", 1)
    passed = 0
    for _ in range(150):
        order, event = trader.ask("sell", 200)
        if isinstance(event, OrderEvent):
            passed += 1
            trader.report(order, update="rejected")
        else:
            assert event.reason == "max_orders_per_second"
            assert "raise exit_burst" in event.detail
    assert passed == 50 + 2  # those, and as many as all may have at once
    assert trader.gate.switch.state is TradingState.ACTIVE, "others may still get out"
    trader.now += timedelta(seconds=10)
    trader.send("sell", 200)


def test_rate_that_is_off_holds_no_exits() -> None:
    trader = Trader(5, max_orders_per_second=None, exit_burst=1)
    for _ in range(5):
        trader.send("sell", 1)


# Alarms.


def halted(held: int = 10) -> Trader:
    trader = Trader(held, max_order_notional=10_000)
    trader.control("halted")
    return trader


def test_denied_exit_says_that_it_is_one_and_is_an_error_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    trader = halted()
    with caplog.at_level(logging.WARNING):
        event = trader.denied("sell", 10)
        assert trader.denied("buy", 1).detail == "trading is halted by ann@trader-1: why"
    text = (
        "EXIT DENIED, sell 10 A market only reduces the position of 10: trading is halted by "
        "ann@trader-1: why"
    )
    assert event.detail == text
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == [
        f"portfolio: {text}"
    ]
    assert any(text in problem for problem in trader.portfolio.problems)
    assert trader.gate.denied_exits["A"].detail == text
    assert trader.gate.denied_exits["A"].reason == "halted"


def test_denied_exit_is_kept_over_a_restart_and_until_somebody_has_looked() -> None:
    trader = halted()
    trader.denied("sell", 10)
    row = json.loads(json.dumps(trader.gate.state_row()))
    again = RiskGate(RiskLimits(), "portfolio")
    again.restore(row, NOW)
    assert again.denied_exits == trader.gate.denied_exits
    trader.control("reducing")
    assert "A" in trader.gate.denied_exits
    trader.control("active")
    assert trader.gate.denied_exits == {}
    assert "denied_exits" not in trader.gate.state_row()


def test_denied_exit_is_over_when_the_next_one_passes_or_the_position_is_closed() -> None:
    trader = Trader(10)
    stop = trader.send("sell", 10, "stop")
    arm(trader.portfolio, RiskLimits())
    for end in ("passes", "closed"):
        trader.gate.switch.halt_symbol("A", "over-filled", "portfolio", NOW)
        assert "symbol_halted" in trader.denied("sell", 10).reason
        assert set(trader.gate.denied_exits) == {"A"}
        if end == "passes":
            trader.gate.restore({"switch": {}}, NOW)
            trader.gate.note_denied_exit("A", "halted", "before", NOW)
            trader.report(trader.send("sell", 10), update="canceled")
        else:
            trader.fill(stop, 10)
            trader.price(100)
        assert trader.gate.denied_exits == {}


def test_loop_of_denied_exits_does_not_fill_the_log_nor_hides_another_symbol(
    caplog: pytest.LogCaptureFixture,
) -> None:
    trader = halted()
    executor = Executor("executor")
    arm(executor, RiskLimits())
    handle_of(executor).begin("x", NOW)
    for symbol in ("A", "B"):
        handle_of(executor).risk.account.adopt(symbol, Decimal(10), Decimal(100))
    handle_of(executor).risk.halt("a test")
    caplog.clear()
    with caplog.at_level(logging.ERROR):
        for number in range(100):
            trader.denied("sell", 10)
            handle_of(executor).risk.admit(
                Order(id=f"o{number}", symbol="A", side=Side.SELL, quantity=Decimal(1))
            )
        handle_of(executor).risk.admit(
            Order(id="other", symbol="B", side=Side.SELL, quantity=Decimal(1))
        )
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 5 + 5 + 1
    assert "sell 1 B market" in lines[-1]


async def test_denied_exit_is_an_incident_of_the_bus() -> None:
    bus = MemoryBus()
    incidents: list[Incident] = []
    bus.on_incident(incidents.append)
    executor = PaperExecutor()
    arm(executor, RiskLimits())
    member = LiveRunner(bus, executor)
    await member.start()
    handle_of(executor).risk.account.adopt("A", Decimal(10), Decimal(100))
    handle_of(executor).risk.halt("a test")
    handle_of(executor).begin("x", NOW)
    executor.on_order(
        Order(id="o", symbol="A", side=Side.SELL, quantity=Decimal(10), timestamp=NOW).to_event()
    )
    [incident] = [each for each in incidents if each.kind is IncidentKind.EXIT_DENIED]
    assert incident.detail.startswith("executor 'paper': EXIT DENIED, sell 10 A market")
    [rejected] = [e for e in handle_of(executor).take() if isinstance(e, ExecutionEvent)]
    assert rejected.update == "rejected"
    assert rejected.reason is not None
    assert rejected.reason.startswith("halted: EXIT DENIED, sell 10 A market")
    await bus.close()


def test_exit_that_comes_too_late_is_an_alarm(caplog: pytest.LogCaptureFixture) -> None:
    executor = Executor("executor")
    arm(executor, RiskLimits())
    handle_of(executor).begin("x", NOW)
    handle_of(executor).risk.account.adopt("A", Decimal(10), Decimal(100))
    for side in ("buy", "sell"):
        event = OrderEvent(id=side, symbol="A", side=side, quantity="10", type="market")
        with caplog.at_level(logging.ERROR):
            handle_of(executor).handle_late(event, 45.0)
    [record] = caplog.records
    assert "EXIT DENIED, sell 10 A" in record.getMessage()
    assert "it is 45.0 s old" in record.getMessage()


@pytest.mark.parametrize(
    ("held", "signal", "is_exit"),
    [
        (10, Signal.FLAT, True),
        (10, Signal.SHORT, True),
        (10, Signal.LONG, False),
        (-10, Signal.FLAT, True),
        (-10, Signal.LONG, True),
        (-10, Signal.SHORT, False),
        (0, Signal.FLAT, False),
        (0, Signal.LONG, False),
    ],
)
def test_signal_against_a_position_that_comes_too_late_is_an_alarm(
    held: int, signal: Signal, is_exit: bool, caplog: pytest.LogCaptureFixture
) -> None:
    trader = Trader(held)
    trader.begin()
    with caplog.at_level(logging.ERROR):
        handle_of(trader.portfolio).handle_late(
            SignalEvent(id="s1", symbol="A", signal=signal), 40.0
        )
    [event] = handle_of(trader.portfolio).take()
    assert isinstance(event, DenialEvent)
    assert event.reason == "late"
    assert event.detail.endswith("signal 's1' of A is 40 s old")
    assert event.detail.startswith("EXIT DENIED, signal ") is is_exit
    assert len(caplog.records) == is_exit
    assert (set(trader.gate.denied_exits) == {"A"}) is is_exit
