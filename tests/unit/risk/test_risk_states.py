"""The risk gate: duplicates, rates, trading states and replacements."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace
from support.risk_orders import NOW, D, View, at, gate, limit, long, order, stop

from ingenium.events import ControlEvent, DenialReason, Side, TradingState
from ingenium.risk import RiskGate, RiskLimits
from ingenium.trading import Order


@pytest.mark.parametrize(("seconds", "passes"), [(0, False), (0.999, False), (1, True), (5, True)])
def test_duplicate_within_a_second(seconds: float, passes: bool) -> None:
    found = gate(duplicate_seconds=1)
    assert found.check(order(), View(), NOW) is None
    denial = found.check(order(), View(), at(seconds))
    assert (denial is None) is passes
    assert passes or denial.reason is DenialReason.DUPLICATE


@pytest.mark.parametrize(
    "other",
    [
        order("sell"),
        order(quantity=11),
        order(symbol="MSFT"),
        limit(100),
        limit("100.01"),
        stop(100, "buy"),
    ],
)
def test_order_that_differs_is_no_duplicate(other: Order) -> None:
    found = gate(duplicate_seconds=1)
    assert found.check(order(), View(), NOW) is None
    assert found.check(other, View(), NOW) is None


def test_duplicates_count_by_when_they_were_made_not_when_they_come() -> None:
    found = gate(duplicate_seconds=1)
    assert found.check(order(timestamp=at(-10)), View(), NOW) is None
    assert found.check(order(timestamp=at(-8.9)), View(), NOW) is None
    denial = found.check(order(timestamp=at(-8)), View(), at(20))
    assert denial.reason is DenialReason.DUPLICATE


def test_denied_order_is_not_taken_as_sent() -> None:
    found = gate(duplicate_seconds=1, max_open_orders=1)
    assert found.check(order(), View(open_orders=1), NOW).reason is DenialReason.MAX_OPEN_ORDERS
    assert found.check(order(), View(), NOW) is None


def test_runaway_lets_its_burst_out_and_halts_at_the_third_order_too_many() -> None:
    found, passed, reasons = RiskGate(RiskLimits(), "portfolio"), 0, []
    for number in range(10_000):  # ten thousand signals within a second
        denial = found.check(order(quantity=number + 1), View(), at(number / 10_000))
        if denial is None:
            passed += 1
        else:
            reasons.append(denial.reason)
    assert passed == 22
    assert reasons[:3] == [DenialReason.MAX_ORDERS_PER_SECOND] * 3
    assert set(reasons[3:]) == {DenialReason.HALTED}
    assert found.switch.state is TradingState.HALTED
    [standing] = found.switch.unannounced()
    assert standing.reason == (
        "more than 2 orders in AAPL within 10 s, and more than 20 orders at once, or 5 a second, "
        "of such in all symbols (if these are meant, raise symbol_burst, burst or "
        "max_orders_per_second of RiskLimits), 3 times in 60 s"
    )
    assert found.check(order(), View(), at(10**6)).reason is DenialReason.HALTED, "for good"


def test_rebalance_of_any_number_of_symbols_passes() -> None:
    symbols = [f"S{number}" for number in range(3_000)]
    view = View(prices=dict.fromkeys(symbols, D(100)))
    found = RiskGate(RiskLimits(), "portfolio")
    for symbol in symbols:
        assert found.check(order("sell", symbol=symbol), view, at(0)) is None
        assert found.check(order("buy", symbol=symbol), view, at(0)) is None
    assert found.switch.standing is None
    for number in range(30):
        found.check(order(symbol=symbols[number], quantity=7), view, at(1))
    assert found.switch.state is TradingState.HALTED, "it goes round"


def test_runaway_of_equal_orders_lets_one_out_and_halts_as_well() -> None:
    found = RiskGate(RiskLimits(), "portfolio")
    denials = [found.check(order(), View(), at(number / 10_000)) for number in range(10_000)]
    assert denials.count(None) == 1
    assert found.switch.state is TradingState.HALTED


def test_orders_at_the_rate_go_on_for_ever() -> None:
    found = RiskGate(RiskLimits(), "portfolio")
    for number in range(1, 1000):
        assert found.check(order(quantity=number), View(), at(number / 5)) is None


def test_breaches_far_apart_do_not_halt() -> None:
    found = gate(max_orders_per_second=1, burst=1)
    for minute in range(10):
        assert found.check(order(), View(), at(31 * minute)) is None
        denial = found.check(order(), View(), at(31 * minute))
        assert denial.reason is DenialReason.MAX_ORDERS_PER_SECOND
    assert found.switch.state is TradingState.ACTIVE


def reducing(**limits: Any) -> RiskGate:
    found = gate(**limits)
    found.switch.apply(ControlEvent(state="reducing", sender="ann@trader-1", reason="why"))
    return found


@pytest.mark.parametrize(
    ("side", "quantity", "held", "buys", "sells", "passes"),
    [
        ("sell", 10, 10, 0, 0, True),
        ("sell", 11, 10, 0, 0, False),
        ("sell", 4, 10, 0, 6, True),
        ("sell", 5, 10, 0, 6, False),
        ("sell", 1, 0, 10, 0, False),  # the buys may never fill
        ("sell", 10, 10, 10, 0, True),
        ("sell", 11, 10, 10, 0, False),
        ("sell", 1, 0, 0, 0, False),
        ("sell", 1, -10, 0, 0, False),
        ("buy", 10, -10, 0, 0, True),
        ("buy", 11, -10, 0, 0, False),
        ("buy", 1, -10, 10, 0, False),
        ("buy", 1, 10, 0, 0, False),
    ],
)
def test_reducing_lets_out_only_what_makes_the_position_smaller(
    side: str, quantity: int, held: int, buys: int, sells: int, passes: bool
) -> None:
    view = View(positions=long(held), buys=long(buys), sells=long(sells))
    denial = reducing().check(order(side, quantity), view, NOW)
    assert (denial is None) is passes
    assert passes or denial.reason is DenialReason.REDUCING
    assert passes or "ann@trader-1: why" in denial.detail


def test_reducing_denies_a_bracket_since_its_protection_would_open_again() -> None:
    bracket = order("sell", 5, take_profit=D(90))
    denial = reducing().check(bracket, View(positions=long(10)), NOW)
    assert denial.reason is DenialReason.REDUCING


def test_halted_lets_out_nothing_and_a_restart_changes_nothing() -> None:
    found = gate()
    found.switch.apply(ControlEvent(state="halted", sender="ann@trader-1", reason="why"))
    again = gate()
    again.restore(json.loads(json.dumps(found.state_row())), NOW)
    for each in (found, again):
        for side in Side:
            denial = each.check(order(side.value), View(positions=long(10)), NOW)
            assert denial.reason is DenialReason.HALTED
            assert str(denial) == "halted: trading is halted by ann@trader-1: why"
        moved = each.check_replace(stop(95), stop(96), View(), NOW, protective=True)
        assert moved.reason is DenialReason.HALTED


def test_halted_symbol_is_not_traded_and_others_are() -> None:
    found = gate()
    found.switch.halt_symbol("AAPL", "over-fill", "paper", NOW)
    assert found.check(order(), View(), NOW).reason is DenialReason.SYMBOL_HALTED
    assert found.check(order(symbol="MSFT"), View(), NOW) is None


def test_state_comes_before_all_other_limits_and_size_before_duplicates() -> None:
    everything: dict[str, Any] = {
        "max_order_quantity": 1,
        "max_order_notional": 1,
        "max_symbol_notional": 1,
        "max_gross_notional": 1,
        "max_open_orders": 1,
        "max_daily_loss": 1,
        "price_collar": D("0.01"),
        "allowed_symbols": ["MSFT"],
        "is_open": lambda symbol, time: False,
        "stale_data_seconds": 1,
        "duplicate_seconds": 1,
        "max_orders_per_second": 1,
        "burst": 1,
    }
    order_ = limit(200)
    view = View(open_orders=1)
    found: list[str] = []
    while True:
        each = gate(**everything)
        each.observe(view, at(-1))
        if "max_orders_per_second" in everything:
            each.check(order(symbol="X"), View(), NOW)
        each.check(replace(order_, timestamp=NOW), View(prices={"AAPL": D(200)}), NOW)
        view.equity = D(9_000)
        denial = each.check(order_, view, NOW)
        view.equity = D(10_000)
        if denial is None:
            break
        found.append(denial.reason.value)
        removed = {
            "symbol_not_allowed": "allowed_symbols",
            "market_closed": "is_open",
            "stale_data": "stale_data_seconds",
            "duplicate": "duplicate_seconds",
        }.get(found[-1], found[-1])
        everything[removed] = None
        if removed == "max_orders_per_second":
            del everything["burst"]
    assert found == [
        "max_orders_per_second",
        "symbol_not_allowed",
        "market_closed",
        "stale_data",
        "max_order_quantity",
        "max_order_notional",
        "price_collar",
        "max_symbol_notional",
        "max_gross_notional",
        "max_open_orders",
        "max_daily_loss",
        "duplicate",
    ]


@pytest.mark.parametrize(
    ("quantity", "price", "reason"),
    [
        (10, 101, None),
        (12, 101, None),
        ("12.01", 101, "max_symbol_notional"),
        (5, 101, None),
        (16, 101, "max_order_quantity"),
        (10, 106, "price_collar"),
    ],
)
def test_replacement_counts_what_it_adds(quantity: object, price: int, reason: str | None) -> None:
    found = gate(max_symbol_notional=1200, max_order_quantity=15, price_collar=D("0.05"))
    view = View(buys=long(10), open_orders=1)
    denial = found.check_replace(limit(100), limit(price, quantity=quantity), view, NOW)
    assert (None if denial is None else denial.reason.value) == reason


def test_replacement_that_adds_nothing_is_not_held_for_what_works_already() -> None:
    found = gate(max_symbol_notional=900, max_gross_notional=900)
    view = View(buys=long(10), prices={"AAPL": D(100)})
    assert found.check_replace(limit(80), limit(81), view, NOW) is None
    assert found.check_replace(limit(80), limit(81, quantity=9), view, NOW) is None
    denial = found.check_replace(limit(80), limit(81, quantity="10.01"), view, NOW)
    assert denial.reason is DenialReason.MAX_SYMBOL_NOTIONAL


def test_exit_is_a_look_at_the_account_too() -> None:
    found, view = gate(max_daily_loss=500), View(positions=long(10))
    found.observe(view, NOW)
    view.equity = D(9_400)
    assert found.check(order("sell"), view, at(1)) is None
    assert found.switch.state is TradingState.REDUCING


def test_order_that_repeats_an_exit_and_would_open_is_a_duplicate() -> None:
    found = gate(duplicate_seconds=1)
    assert found.check(order("sell"), View(positions=long(10)), NOW) is None
    denial = found.check(order("sell"), View(positions=long(10), sells=long(10)), at(0.5))
    assert denial.reason is DenialReason.DUPLICATE


def test_replacement_of_an_order_that_opens_waits_until_trading_is_active() -> None:
    old, view = limit(100), View(buys=long(10))
    denial = reducing().check_replace(old, limit(101), view, NOW)
    assert denial.reason is DenialReason.REDUCING
    closing, view = limit(100, "sell"), View(positions=long(10), sells=long(10))
    assert reducing().check_replace(closing, limit(99, "sell"), view, NOW) is None
    denial = reducing().check_replace(closing, limit(99, "sell", 11), view, NOW)
    assert denial.reason is DenialReason.REDUCING


def test_protective_order_may_be_moved_anywhere_while_trading_reduces() -> None:
    view = View(positions=long(10))
    found = reducing(price_collar=D("0.05"))
    assert found.check_replace(stop(95), stop(70), view, NOW, protective=True) is None


def test_replacements_count_for_the_rate() -> None:
    found = gate(max_orders_per_second=1, burst=1)
    assert found.check_replace(limit(100), limit(101), View(), NOW) is None
    denial = found.check_replace(limit(100), limit(101), View(), NOW)
    assert denial.reason is DenialReason.MAX_ORDERS_PER_SECOND


def test_restart_keeps_the_day_and_the_breaches() -> None:
    limits: dict[str, Any] = {"max_daily_loss": 500, "max_orders_per_second": 1, "burst": 1}
    found, view = gate(**limits), View(equity=D("10000.10"))
    found.observe(view, NOW)
    for number in (1, 2, 3):
        found.check(order(quantity=number), view, NOW)
    assert found.switch.state is TradingState.ACTIVE, "two breaches so far"
    again = gate(**limits)
    again.restore(json.loads(json.dumps(found.state_row())), at(1))
    again.check(order(), view, at(1))
    again.check(order(), view, at(1))
    assert again.switch.state is TradingState.HALTED
    third = gate(**limits)
    third.restore(json.loads(json.dumps(found.state_row())), at(1))
    third.observe(View(equity=D("9500.10")), at(2))
    assert third.switch.state is TradingState.REDUCING


@pytest.mark.parametrize(
    "row",
    [
        None,
        {},
        {"switch": {}, "more": 1},
        {"switch": {"said": 1}},
        {"switch": {}, "breaches": ["2024-01-01T00:00:00"]},
        {"switch": {}, "day_began": "NaN?"},
    ],
)
def test_stored_state_that_cannot_be_read_halts(row: object) -> None:
    found = gate()
    found.restore(row, NOW)
    assert found.check(order(), View(), NOW).reason is DenialReason.HALTED


@pytest.mark.parametrize(
    ("limits", "order", "detail"),
    [
        ({"max_order_quantity": 5}, order(), "quantity 10 is above 5"),
        ({"max_order_notional": 500}, order(), "10 at 100 is 1000, above 500"),
        ({"max_symbol_notional": 500}, order(), "up to 10 AAPL at 100 is 1000, above 500"),
        (
            {"price_collar": D("0.05")},
            limit(80),
            "limit price 80 is more than 5.00 % from the last price, 100",
        ),
    ],
)
def test_denial_tells_the_numbers_that_were_compared(
    limits: dict[str, Any], order: Order, detail: str
) -> None:
    assert gate(**limits).check(order, View(), NOW).detail == detail
