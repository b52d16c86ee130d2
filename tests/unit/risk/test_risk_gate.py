"""The risk gate: each limit at its value, just below and just above it."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from ingenium.events import ControlEvent, DenialReason, OrderType, Side, TradingState
from ingenium.risk import RiskGate, RiskLimits
from ingenium.trading import Order

NOW = datetime(2024, 1, 2, 15, tzinfo=UTC)
D = Decimal
TEN_THOUSAND = D(10_000)
OFF: dict[str, Any] = {
    "price_collar": None,
    "max_orders_per_second": None,
    "symbol_burst": 0,
    "duplicate_seconds": None,
}


@dataclass
class View:
    """An account made up for a test."""

    positions: dict[str, Decimal] = field(default_factory=dict)
    buys: dict[str, Decimal] = field(default_factory=dict)
    sells: dict[str, Decimal] = field(default_factory=dict)
    prices: dict[str, Decimal] = field(default_factory=lambda: {"AAPL": D(100)})
    equity: Decimal = TEN_THOUSAND
    open_orders: int = 0

    def symbols(self) -> set[str]:
        return {*self.positions, *self.buys, *self.sells}

    def position(self, symbol: str) -> Decimal:
        return self.positions.get(symbol, D(0))

    def leaves(
        self, symbol: str, side: Side, types: Collection[OrderType] | None = None
    ) -> Decimal:
        return (self.buys if side is Side.BUY else self.sells).get(symbol, D(0))

    def price(self, symbol: str) -> Decimal | None:
        return self.prices.get(symbol)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def gate(**limits: Any) -> RiskGate:
    """A gate with these limits alone."""
    return RiskGate(RiskLimits(**(OFF | limits)), "portfolio")


def order(side: str = "buy", quantity: object = 10, **fields: Any) -> Order:
    values: dict[str, Any] = {"symbol": "AAPL"} | fields
    return Order(side=Side(side), quantity=D(str(quantity)), **values)


def limit(price: object, side: str = "buy", quantity: object = 10) -> Order:
    return order(side, quantity, type=OrderType.LIMIT, limit_price=D(str(price)))


def stop(price: object, side: str = "sell") -> Order:
    return order(side, type=OrderType.STOP, stop_price=D(str(price)))


def reason(
    limits: dict[str, Any], order: Order, view: View | None = None, **more: Any
) -> str | None:
    denial = gate(**limits).check(order, view or View(**more), NOW)
    return None if denial is None else denial.reason.value


def long(quantity: object) -> dict[str, Decimal]:
    return {"AAPL": D(str(quantity))}


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
