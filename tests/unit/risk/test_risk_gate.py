"""The risk gate: each limit at its value, just below and just above it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from support.risk_orders import NOW, D, View, at, gate, limit, long, order, reason, stop

from ingenium.events import ControlEvent, DenialReason, OrderType, TradingState
from ingenium.risk import RiskGate
from ingenium.trading import Order


@pytest.mark.parametrize(
    ("quantity", "passes"), [("99.999", True), ("100", True), ("100.001", False), ("1e14", False)]
)
def test_order_quantity(quantity: str, passes: bool) -> None:
    found = reason({"max_order_quantity": 100}, order(quantity=format(D(quantity), "f")))
    assert found == (None if passes else "max_order_quantity")


@pytest.mark.parametrize(
    ("order", "passes"),
    [
        (order(quantity=100), True),
        (order(quantity="100.01"), False),
        (limit(90, quantity=111), True),  # a buy's limit is the most that it pays
        (limit(90, quantity=112), False),
        (limit(125, quantity=80), True),
        (limit("125.01", quantity=80), False),
        (limit(90, "sell", quantity=100), True),  # sells at the market, which is higher
        (limit(90, "sell", quantity=101), False),
        (limit(125, "sell", quantity=81), False),
        (stop(125, "buy"), True),
        (replace(stop(125, "buy"), quantity=D(81)), False),
    ],
)
def test_order_notional_at_the_worst_price(order: Order, passes: bool) -> None:
    found = reason({"max_order_notional": 10_000}, order)
    assert found == (None if passes else "max_order_notional")


@pytest.mark.parametrize(
    ("side", "quantity", "held", "buys", "sells", "passes"),
    [
        ("buy", 10, 0, 0, 0, True),
        ("buy", "10.01", 0, 0, 0, False),
        ("buy", 5, 5, 0, 0, True),
        ("buy", "5.01", 5, 0, 0, False),
        ("buy", 5, 0, 5, 0, True),
        ("buy", 6, 0, 5, 0, False),
        ("buy", 6, 0, 5, 100, False),  # the sells may never fill
        ("buy", 20, -10, 0, 0, True),
        ("buy", 21, -10, 0, 0, False),
        ("sell", 10, 0, 0, 0, True),
        ("sell", 11, 0, 0, 0, False),
        ("sell", 20, 10, 0, 0, True),
        ("sell", 21, 10, 0, 0, False),
        ("sell", 5, 1000, 0, 0, True),  # far above the limit, and this makes it smaller
        ("buy", 1, 1000, 0, 0, False),
    ],
)
def test_symbol_notional_of_all_that_may_fill(
    side: str, quantity: object, held: int, buys: int, sells: int, passes: bool
) -> None:
    view = View(positions=long(held), buys=long(buys), sells=long(sells))
    found = reason({"max_symbol_notional": 1000}, order(side, quantity), view)
    assert found == (None if passes else "max_symbol_notional")


@pytest.mark.parametrize(
    ("side", "quantity", "passes"),
    [("buy", 8, True), ("buy", "8.01", False), ("sell", 12, True), ("sell", "12.01", False)],
)
def test_gross_notional_adds_up_long_short_and_working(
    side: str, quantity: object, passes: bool
) -> None:
    view = View(
        positions={"AAPL": D(2), "MSFT": D(-3)},
        buys={"IBM": D(10)},
        prices={"AAPL": D(100), "MSFT": D(200), "IBM": D(40)},
    )
    found = reason({"max_gross_notional": 2000}, order(side, quantity), view)
    assert found == (None if passes else "max_gross_notional")


def test_gross_notional_lets_out_what_makes_nothing_larger() -> None:
    view = View(positions={"AAPL": D(100), "MSFT": D(100)}, prices={"AAPL": D(1), "MSFT": D(1)})
    limits = {"max_gross_notional": 150}
    assert reason(limits, order("sell", 100), view) is None
    assert reason(limits, order("sell", 200), view) is None, "as large as before, the other way"
    assert reason(limits, order("sell", 201), view) == "max_gross_notional"
    assert reason(limits, order("buy", 1), view) == "max_gross_notional"


@pytest.mark.parametrize(
    ("order", "passes"),
    [
        (limit(105), True),
        (limit("105.01"), False),
        (limit(95), True),
        (limit("94.99"), False),
        (limit(80, "sell"), False),
        (limit(120, "sell"), False),
        (stop(95), True),
        (stop("94.9"), False),
        (
            order(type=OrderType.STOP_LIMIT, stop_price=D(104), limit_price=D("105.5")),
            False,
        ),
        (order(take_profit=D(150), stop_loss=D(50)), True),
        (order(type=OrderType.TRAILING_STOP, trail_percent=D(20)), True),
    ],
)
def test_price_collar(order: Order, passes: bool) -> None:
    found = reason({"price_collar": D("0.05")}, order)
    assert found == (None if passes else "price_collar")


@pytest.mark.parametrize(
    "limits",
    [
        {"price_collar": D("0.05")},
        {"max_order_notional": 1},
        {"max_symbol_notional": 1},
        {"max_gross_notional": 1},
    ],
)
def test_order_that_needs_a_price_is_denied_before_the_first_one(limits: dict[str, Any]) -> None:
    assert reason(limits, limit(1), prices={}) == "no_price"


def test_market_order_needs_no_price_for_the_collar() -> None:
    assert reason({"price_collar": D("0.05")}, order(), prices={}) is None


@pytest.mark.parametrize("price", ["0", "-0.01", "NaN", "Infinity", "-Infinity", "sNaN"])
def test_price_that_is_none_denies_whatever_the_limits(price: str) -> None:
    assert reason({}, order(), prices={"AAPL": D(price)}) == "no_price"


@pytest.mark.parametrize("price", [None, "0", "-37.63", "NaN", "Infinity"])
@pytest.mark.parametrize("held", [10, -10])
def test_exit_leaves_without_a_price_that_could_be_compared(price: str | None, held: int) -> None:
    limits: dict[str, Any] = {
        "max_order_notional": 1,
        "max_symbol_notional": 1,
        "max_gross_notional": 1,
        "price_collar": D("0.01"),
        "stale_data_seconds": 1,
    }
    prices = {} if price is None else {"AAPL": D(price)}
    side = "sell" if held > 0 else "buy"
    for closes in (order(side), limit(90, side), stop(90, side)):
        assert reason(limits, closes, positions=long(held), prices=prices) is None
    assert reason(limits, order(side, 11), positions=long(held), prices=prices) is not None


def test_gross_notional_needs_the_price_of_every_position() -> None:
    view = View(positions={"MSFT": D(1)})
    denial = gate(max_gross_notional=10**9).check(order(), view, NOW)
    assert denial.reason is DenialReason.NO_PRICE
    assert "MSFT" in denial.detail


@pytest.mark.parametrize(
    ("age", "passes"), [(0, True), (29.999, True), (30, True), (30.001, False)]
)
def test_stale_data(age: float, passes: bool) -> None:
    found = gate(stale_data_seconds=30)
    found.saw_price("AAPL", at(-age))
    denial = found.check(order(), View(), NOW)
    assert (denial is None) is passes
    assert passes or denial.reason is DenialReason.STALE_DATA


def test_data_of_unknown_age_is_stale() -> None:
    assert reason({"stale_data_seconds": 30}, order()) == "stale_data"


@pytest.mark.parametrize(("symbol", "passes"), [("AAPL", True), ("aapl", False), ("MSFT", False)])
def test_allowed_symbols(symbol: str, passes: bool) -> None:
    found = reason({"allowed_symbols": ["AAPL"]}, order(symbol=symbol))
    assert found == (None if passes else "symbol_not_allowed")


def test_trading_hours_are_asked_for_symbol_and_time() -> None:
    asked: list[tuple[str, datetime]] = []

    def is_open(symbol: str, time: datetime) -> bool:
        asked.append((symbol, time))
        return symbol == "BTC/USD"

    assert reason({"is_open": is_open}, order()) == "market_closed"
    assert reason({"is_open": is_open}, order(symbol="BTC/USD")) is None
    assert asked == [("AAPL", NOW), ("BTC/USD", NOW)]


@pytest.mark.parametrize(("working", "passes"), [(0, True), (4, True), (5, False), (6, False)])
def test_open_orders(working: int, passes: bool) -> None:
    found = reason({"max_open_orders": 5}, order(), open_orders=working)
    assert found == (None if passes else "max_open_orders")


@pytest.mark.parametrize(
    ("equity", "passes"), [("9500.01", True), ("9500", False), ("9000", False)]
)
def test_daily_loss_reduces_from_then_on(equity: str, passes: bool) -> None:
    found, view = gate(max_daily_loss=500), View(positions=long(10))
    assert found.check(order(), view, NOW) is None
    view.equity = D(equity)
    denial = found.check(order(), view, at(1))
    assert (denial is None) is passes
    if not passes:
        assert denial.reason is DenialReason.MAX_DAILY_LOSS
        assert found.switch.state is TradingState.REDUCING
        assert found.check(order("sell"), view, at(2)) is None
        assert found.check(order(), view, at(3)).reason is DenialReason.REDUCING
        view.equity = D(10_000)
        assert found.check(order(), view, at(4)).reason is DenialReason.REDUCING, "sticky"


def test_daily_loss_begins_anew_with_the_day_but_the_state_stays() -> None:
    found, view = gate(max_daily_loss=500), View()
    found.observe(view, NOW)
    view.equity = D(9_400)
    found.observe(view, at(60))
    assert found.switch.state is TradingState.REDUCING
    tomorrow = at(24 * 3600)
    assert found.check(order(), view, tomorrow).reason is DenialReason.REDUCING
    release(found)
    assert found.check(order(), view, tomorrow) is None


def test_loss_of_a_session_goes_on_over_utc_midnight_and_over_a_restart() -> None:
    session: dict[str, Any] = {
        "max_daily_loss": 500,
        "day_zone": "America/New_York",
        "session_start": "17:00",
    }
    evening = datetime(2024, 1, 2, 23, tzinfo=UTC)  # an hour after the session has begun
    found, view = gate(**session), View()
    found.observe(view, evening)
    row = json.loads(json.dumps(found.state_row()))
    again = gate(**session)
    again.restore(row, evening)
    view.equity = D(9_501)
    again.observe(view, evening + timedelta(hours=2))
    assert again.switch.standing is None
    view.equity = D(9_500)
    again.observe(view, evening + timedelta(hours=22, minutes=59))
    assert again.switch.state is TradingState.REDUCING
    [standing] = again.switch.unannounced()
    assert standing.reason == (
        "the loss of the day since 17:00 America/New_York is 500, which reaches 500"
    )
    tomorrow = gate(**session)
    tomorrow.restore(row, evening)
    tomorrow.observe(view, evening + timedelta(hours=23))
    assert tomorrow.switch.state is TradingState.REDUCING, "fell between the sessions"
    last = gate(**session)
    last.restore(row, evening)
    last.observe(View(equity=D(9_600)), evening + timedelta(hours=22))
    last.observe(view, evening + timedelta(hours=23))
    assert last.switch.state is TradingState.ACTIVE, "a new session, with 100 of loss"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"day_zone": "America/New_York", "session_start": "17:00"}),
        ({"day_zone": "America/New_York", "session_start": "17:00"}, {}),
        ({"day_zone": "Asia/Tokyo"}, {"day_zone": "Asia/Tokyo", "session_start": "09:00"}),
    ],
)
def test_loss_so_far_counts_for_the_present_day_when_days_begin_at_another_time(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    found = gate(max_daily_loss=500, **before)
    found.observe(View(), NOW)
    again = gate(max_daily_loss=500, **after)
    again.restore(json.loads(json.dumps(found.state_row())), NOW)
    again.observe(View(equity=D(9_600)), at(60))
    assert again.switch.standing is None
    again.observe(View(equity=D(9_400)), at(86_400 + 60))
    assert again.switch.standing is None, "200 since the next day began"
    again.observe(View(equity=D(9_100)), at(86_400 + 120))
    assert again.switch.state is TradingState.REDUCING


def release(gate: RiskGate) -> None:
    for standing in gate.switch.unannounced():
        gate.switch.announced(standing, "own")
        gate.switch.apply(
            ControlEvent(id="own", state=standing.state.value, sender=standing.sender)
        )
    gate.switch.apply(ControlEvent(state="active", sender="ann@trader-1", timestamp=at(10**6)))
    assert gate.switch.state is TradingState.ACTIVE
