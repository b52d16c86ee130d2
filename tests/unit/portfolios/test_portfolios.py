"""The ready portfolios: from signals to the orders that reach a target."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from ingenium.components import handle_of
from ingenium.errors import ConfigError
from ingenium.events import OrderEvent, Signal
from ingenium.portfolios import FixedFraction, FixedQuantity, TargetPortfolio, TargetWeight
from ingenium.testing import bar, fill, run, signal_event

NOW = datetime(2024, 1, 2, tzinfo=UTC)


class Desk:
    """Runs a portfolio by hand, at one price."""

    def __init__(self, portfolio: TargetPortfolio, price: str = "") -> None:
        self.portfolio = portfolio
        self.executions = 0
        if price:
            self.price(price)

    def price(self, close: str) -> None:
        run(self.portfolio, [bar(close=close)], stop=False)

    def signal(self, signal: str, strength: str | None = None) -> list[str]:
        """Send a signal, fill what it orders at the last price, and return the orders."""
        orders = self.unfilled(signal, strength)
        for order in orders:
            self.executions += 1
            price = self.portfolio.price("AAPL") or 1
            run(self.portfolio, [fill(order, price, id=f"exec_{self.executions}")], stop=False)
        return [f"{order.side} {order.quantity} {order.type}" for order in orders]

    def unfilled(self, signal: str, strength: str | None = None) -> list[OrderEvent]:
        """Send a signal, and return the orders, which stay working."""
        sent = run(self.portfolio, [signal_event(signal=signal, strength=strength)], stop=False)
        return [event for event in sent if isinstance(event, OrderEvent)]


def test_fixed_quantity_goes_long_short_and_flat() -> None:
    desk = Desk(FixedQuantity(10))
    assert desk.signal(Signal.LONG) == ["buy 10 market"]
    assert desk.signal(Signal.LONG) == []
    assert desk.signal(Signal.SHORT) == ["sell 20 market"]
    assert desk.signal(Signal.FLAT) == ["buy 10 market"]
    assert desk.signal(Signal.FLAT) == []


def test_fixed_quantity_without_shorts_closes_the_long() -> None:
    desk = Desk(FixedQuantity("0.5", allow_short=False))
    assert desk.signal(Signal.SHORT) == []
    assert desk.signal(Signal.LONG) == ["buy 0.5 market"]
    assert desk.signal(Signal.SHORT) == ["sell 0.5 market"]


def test_fixed_quantity_counts_working_orders_as_held() -> None:
    desk = Desk(FixedQuantity(10))
    assert [o.quantity for o in desk.unfilled(Signal.LONG)] == ["10"]
    assert desk.unfilled(Signal.LONG) == []
    assert [(o.side, o.quantity) for o in desk.unfilled(Signal.SHORT)] == [("sell", "20")]


def test_unknown_signal_is_reported_and_makes_no_order() -> None:
    desk = Desk(FixedQuantity(10))
    assert desk.signal("ingenium.signal.maybe") == []
    [problem] = desk.portfolio.problems
    assert (
        "is 'ingenium.signal.maybe', which is unknown: use one of ingenium.signal.long" in problem
    )


def test_signal_with_a_symbol_no_subject_can_hold_is_reported() -> None:
    desk = Desk(FixedQuantity(10))
    assert run(desk.portfolio, [signal_event("A\nB")]) == []
    assert "symbol 'A\\nB' holds '\\n'" in desk.portfolio.problems[0]


def test_fixed_fraction_buys_a_part_of_equity_in_whole_shares() -> None:
    desk = Desk(FixedFraction(0.5, cash=10_000), "30")
    assert desk.signal(Signal.LONG) == ["buy 166 market"]


def test_fixed_fraction_leaves_a_position_in_the_direction_as_it_is() -> None:
    desk = Desk(FixedFraction("0.5", cash=10_000), "30")
    desk.signal(Signal.LONG)
    desk.price("60")
    assert desk.signal(Signal.LONG) == []


def test_fixed_fraction_turns_with_the_equity_of_the_moment() -> None:
    desk = Desk(FixedFraction(Decimal("0.5"), cash=10_000), "50")
    assert desk.signal(Signal.LONG) == ["buy 100 market"]
    desk.price("60")
    # Equity is 5,000 + 100 * 60; half of it buys 91 shares.
    assert desk.signal(Signal.SHORT) == ["sell 191 market"]
    assert desk.portfolio.position("AAPL").quantity == -91


def test_fixed_fraction_in_fine_steps_for_a_coin() -> None:
    desk = Desk(FixedFraction(1, cash=1_000, step="0.0001"), "30000")
    assert desk.signal(Signal.LONG) == ["buy 0.0333 market"]


@pytest.mark.parametrize("kind", [FixedFraction, TargetWeight])
def test_cash_buffer_is_never_put_into_positions(kind: type[FixedFraction | TargetWeight]) -> None:
    desk = Desk(kind(1, cash=10_000, cash_buffer="0.02"), "10")
    # 98 % of 10,000, and of that again when it turns.
    assert desk.signal(Signal.LONG) == ["buy 980 market"]
    assert desk.signal(Signal.SHORT) == ["sell 1960 market"]
    assert Desk(kind(1, cash=10_000), "10").signal(Signal.LONG) == ["buy 1000 market"]
    assert Desk(kind(0.5, cash=10_000, cash_buffer=0.1), "10").signal(Signal.LONG) == [
        "buy 450 market"
    ]


def test_tolerance_is_held_against_the_weight_less_the_buffer() -> None:
    desk = Desk(TargetWeight(1, cash=10_000, cash_buffer="0.2", tolerance="0.05"), "10")
    assert desk.signal(Signal.LONG) == ["buy 800 market"]
    assert desk.signal(Signal.LONG) == [], "80 % are held, and 80 % are the target"
    desk.price("14")
    # 800 * 14 of 13,200 is 84.8 %; at 15 it is 12,000 of 14,000, 85.7 %.
    assert desk.signal(Signal.LONG) == []
    desk.price("15")
    assert desk.signal(Signal.LONG) == ["sell 54 market"]


@pytest.mark.parametrize(
    "make", [lambda: FixedFraction(0.5), lambda: TargetWeight(0.5)], ids=["fraction", "weight"]
)
def test_sizing_before_any_price_is_reported(make: Callable[[], TargetPortfolio]) -> None:
    desk = Desk(make())
    assert desk.signal(Signal.LONG) == []
    assert "came before any price of it: no order" in desk.portfolio.problems[0]
    assert desk.signal(Signal.FLAT) == []
    assert len(desk.portfolio.problems) == 1


@pytest.mark.parametrize("price", ["0", "-37.63"])
def test_sizing_at_a_price_that_is_not_positive_is_reported(price: str) -> None:
    desk = Desk(FixedFraction(0.5), price)
    assert desk.signal(Signal.LONG) == []
    assert f"cannot size a position at price {price}" in desk.portfolio.problems[0]


def test_flat_closes_even_when_equity_is_gone() -> None:
    desk = Desk(FixedFraction(1, cash=1_000), "10")
    assert desk.signal(Signal.SHORT) == ["sell 100 market"]
    desk.price("30")
    assert desk.portfolio.account.equity == -1_000
    assert desk.signal(Signal.LONG) == []
    assert desk.signal(Signal.FLAT) == ["buy 100 market"]


def test_target_weight_follows_the_strength_of_the_signal() -> None:
    desk = Desk(TargetWeight(1, cash=10_000), "10")
    assert desk.signal(Signal.LONG, "0.25") == ["buy 250 market"]
    assert desk.signal(Signal.LONG, "0.75") == ["buy 500 market"]
    assert desk.signal(Signal.LONG, "0.1") == ["sell 650 market"]
    assert desk.signal(Signal.SHORT, "0.5") == ["sell 600 market"]
    assert desk.signal(Signal.LONG, "0") == ["buy 500 market"]


def test_target_weight_of_a_signal_without_strength_is_the_default() -> None:
    assert Desk(TargetWeight("0.3", cash=10_000), "10").signal(Signal.LONG) == ["buy 300 market"]


def test_target_weight_rebalances_only_beyond_the_tolerance() -> None:
    desk = Desk(TargetWeight("0.5", tolerance="0.05", cash=10_000), "10")
    desk.signal(Signal.LONG)
    desk.price("11")
    # 500 * 11 of 10,500 is 52.4 %.
    assert desk.signal(Signal.LONG) == []
    desk.price("13")
    # 500 * 13 of 11,500 is 56.5 %; half of it are 442 shares.
    assert desk.signal(Signal.LONG) == ["sell 58 market"]


def test_target_weight_of_zero_is_reached_whatever_the_tolerance() -> None:
    desk = Desk(TargetWeight("0.5", tolerance="0.9", cash=10_000, step=1), "10")
    desk.portfolio.send_order("AAPL", "buy", 3)
    handle_of(desk.portfolio).take()
    assert desk.signal(Signal.FLAT) == ["sell 3 market"]


@pytest.mark.parametrize("strength", ["1.01", "-0.1", "strong"])
def test_target_weight_of_a_strength_that_is_no_part_is_reported(strength: str) -> None:
    desk = Desk(TargetWeight(1), "10")
    assert desk.signal(Signal.LONG, strength) == []
    assert "SignalEvent.Strength: expected a" in desk.portfolio.problems[0]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: FixedQuantity(0), "quantity is 0: use a number above 0"),
        (lambda: FixedQuantity("x"), "quantity is 'x': pass a finite decimal"),
        (lambda: FixedFraction(95), "fraction is 95: use a number above 0 and at most 1"),
        (lambda: FixedFraction(0.5, step=0), "step is 0: use a number above 0"),
        (lambda: TargetWeight(1, cash_buffer=1), "cash_buffer is 1: use a number from 0 to below"),
        (lambda: FixedFraction(1, cash_buffer=-0.1), "cash_buffer is -0.1: use a number from 0"),
        (lambda: FixedFraction(1, cash_buffer="x"), "cash_buffer is 'x': pass a finite decimal"),
        (lambda: TargetWeight(0), "weight is 0: use a number above 0 and at most 1"),
        (lambda: TargetWeight(1, tolerance=1), "tolerance is 1: use a number from 0 to below 1"),
    ],
)
def test_setting_that_makes_no_sense_is_refused(make: Callable[[], Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        make()


def test_names_follow_the_class_unless_given() -> None:
    assert FixedQuantity(1).name == "fixed-quantity"
    assert TargetWeight(1, name="mine").name == "mine"
