"""What only makes a position smaller gets out, through the gates of portfolio and executor.

The property test fills working orders in every order, and knows nothing of how a gate adds up.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.exit_trader import NOW, OFF, Trader

from ingenium.components import Executor, arm, handle_of
from ingenium.events import (
    ControlEvent,
    DenialEvent,
    OrderEvent,
    ReplaceEvent,
    Side,
)
from ingenium.risk import RiskLimits
from ingenium.trading import Order

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
