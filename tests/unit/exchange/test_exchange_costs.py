"""Fees and slippage of the paper exchange."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ingenium.backtest.stress import StressedFees
from ingenium.errors import ConfigError
from ingenium.events import OrderType, Side, TimeInForce
from ingenium.exchange import (
    FeeBasisPoints,
    FeeModel,
    FeePerOrder,
    FeePerShare,
    NoFees,
    NoSlippage,
    OrderFill,
    PaperExchange,
    SlippageBasisPoints,
    SlippageModel,
    SlippageTicks,
    SlippageVolumeShare,
)
from ingenium.exchange.slippage import slipped
from ingenium.trading import Bar, Order

D = Decimal
START = datetime(2024, 1, 2, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("fees", "first", "later"),
    [
        (NoFees(), "0", "0"),
        (FeePerShare(D("0.005")), "0.5", "0.5"),
        (FeePerShare(D("0.005"), minimum=D(1)), "1", "1"),
        (FeePerOrder(D("1.25")), "1.25", "0"),
        (FeeBasisPoints(D("1.5")), "2.7846", "2.7846"),
    ],
)
def test_fee_of_100_shares_at_185_64(fees: FeeModel, first: str, later: str) -> None:
    assert fees.fee(D(100), D("185.64"), is_first=True) == D(first)
    assert fees.fee(D(100), D("185.64"), is_first=False) == D(later)


@pytest.mark.parametrize(
    ("slippage", "distance"),
    [
        (NoSlippage(), "0"),
        (SlippageTicks(2), "0.02"),
        (SlippageTicks(3, D("0.25")), "0.75"),
        (SlippageBasisPoints(D(5)), "0.05"),
        (SlippageVolumeShare(), "0.1"),
        (SlippageVolumeShare(impact=D(1)), "1"),
    ],
)
def test_slippage_of_100_of_1000_shares_at_100(slippage: SlippageModel, distance: str) -> None:
    assert slippage.distance(D(100), D(100), D(1000)) == D(distance)


def test_slippage_by_volume_share_of_an_unknown_volume_assumes_a_share() -> None:
    assert SlippageVolumeShare().distance(D(100), D(5), D(0)) == D("0.1")


@pytest.mark.parametrize(
    "make",
    [
        lambda: FeePerShare(D(-1)),
        lambda: FeePerOrder(D("NaN")),
        lambda: FeeBasisPoints(0.5),  # type: ignore[arg-type]  # what is refused
        lambda: SlippageTicks(-1),
        lambda: SlippageBasisPoints(D("-0.1")),
        lambda: SlippageVolumeShare(impact=D(-1)),
    ],
)
def test_cost_that_is_no_amount_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ConfigError, match="use a Decimal of zero or more"):
        make()


def test_slipped_is_against_the_owner() -> None:
    assert slipped(D(100), Side.BUY, D("0.02")) == D("100.02")
    assert slipped(D(100), Side.SELL, D("0.02")) == D("99.98")


def test_slipped_sell_never_goes_below_zero() -> None:
    assert slipped(D("0.01"), Side.SELL, D("0.05")) == 0


positive = st.decimals(min_value=D("1e-8"), max_value=D(1_000_000), places=8)


@given(positive, positive, st.sampled_from(Side), positive, st.integers(0, 10_000))
def test_slipped_price_fits_the_wire_and_never_helps(
    price: Decimal, quantity: Decimal, side: Side, volume: Decimal, points: int
) -> None:
    for model in (SlippageBasisPoints(D(points)), SlippageVolumeShare(), SlippageTicks(points)):
        result = slipped(price, side, model.distance(price, quantity, volume))
        assert result >= price if side is Side.BUY else 0 <= result <= price
        exponent = result.as_tuple().exponent
        assert isinstance(exponent, int)
        assert exponent >= -18


def test_exchange_charges_the_fee_of_an_order_once_and_slips_each_market_fill() -> None:
    exchange = PaperExchange(fees=FeePerOrder(D(1)), slippage=SlippageTicks(1))
    exchange.is_waiting("AAPL")
    order = Order(
        id="order_1",
        symbol="AAPL",
        side=Side.SELL,
        quantity=D(50),
        time_in_force=TimeInForce.GTC,
    )
    exchange.submit(order, START)
    reports = []
    for day in range(2):
        reports += exchange.on_bar(
            Bar.make(
                "AAPL",
                START + day * DAY,
                open="100",
                high="101",
                low="99",
                close="100",
                volume="300",
                period=DAY,
            )
        )
    assert [report.commission for report in reports] == [D(1), D(0)]
    assert [report.price for report in reports] == [D("99.99"), D("99.99")]
    assert [report.quantity for report in reports] == [D(30), D(20)]


# A minimum is that of an order.


def fills_of(fees: FeeModel, parts: list[int], price: str = "100") -> list[Decimal]:
    """Fill one order in parts, each a tenth of its bar; return the commission of each fill."""
    exchange = PaperExchange(fees=fees)
    exchange.is_waiting("AAPL")
    exchange.submit(
        Order(
            id="order_1",
            symbol="AAPL",
            side=Side.BUY,
            quantity=D(sum(parts)),
            time_in_force=TimeInForce.GTC,
        ),
        START,
    )
    found = []
    for day, part in enumerate(parts):
        made = Bar.make(
            "AAPL",
            START + day * DAY,
            open=price,
            high=price,
            low=price,
            close=price,
            volume=str(part * 10),
            period=DAY,
        )
        found += [report.commission for report in exchange.on_bar(made)]
    assert len(found) == len(parts)
    return found


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([10] * 10, ["1"] + ["0"] * 9),
        ([100], ["1"]),
        # 150 are 0.75, 300 are 1.50, 400 are 2.00.
        ([150, 150, 100], ["1", "0.5", "0.5"]),
        ([200, 1], ["1", "0.005"]),
        ([1, 199, 1], ["1", "0", "0.005"]),
    ],
)
def test_least_commission_is_charged_once_for_an_order(
    parts: list[int], expected: list[str]
) -> None:
    fees = FeePerShare(D("0.005"), minimum=D(1))
    assert fills_of(fees, parts) == [D(each) for each in expected]


@given(st.lists(st.integers(1, 400), min_size=1, max_size=8), st.integers(0, 30), st.integers(0, 9))
def test_commission_of_an_order_does_not_depend_on_its_fills(
    parts: list[int], cents: int, minimum: int
) -> None:
    fees = FeePerShare(D(cents) / 1000, minimum=D(minimum))
    charged = fills_of(fees, parts)
    assert sum(charged) == max(D(cents) / 1000 * sum(parts), D(minimum))
    assert min(charged) >= 0


class OneMethod(FeeModel):
    """As users have written them before orders were seen: one method."""

    def fee(self, quantity: Decimal, price: Decimal, *, is_first: bool) -> Decimal:
        return D(7) if is_first else D(2)


class Duck:
    """Not even derived."""

    def fee(self, quantity: Decimal, price: Decimal, *, is_first: bool) -> Decimal:
        return D(7) if is_first else D(2)


class Taxed(FeePerShare):
    """One of ours, changed: its minimum is still that of an order."""

    def fee(self, quantity: Decimal, price: Decimal, *, is_first: bool) -> Decimal:
        return 2 * FeePerShare.fee(self, quantity, price, is_first=is_first)


class SalesTax(NoFees):
    """Looks at the order."""

    def commission(self, fill: OrderFill) -> Decimal:
        before = D(3) if fill.filled else D(0)
        return (D(1) if fill.order.side is Side.SELL else D(5)) + before + fill.value


@pytest.mark.parametrize(
    ("fees", "expected"),
    [
        (OneMethod(), [7, 2, 2]),
        (Duck(), [7, 2, 2]),
        (Taxed(D("0.005"), D(1)), [2, 0, 0]),
        (SalesTax(), [5, 5 + 3 + 1_000, 5 + 3 + 2_000]),
        (FeePerOrder(D(4)), [4, 0, 0]),
    ],
)
def test_fee_models_of_all_kinds_see_the_fills_of_an_order(
    fees: FeeModel, expected: list[int]
) -> None:
    assert fills_of(fees, [10, 10, 10]) == [D(each) for each in expected]


def test_harsher_fees_are_twice_those_of_the_order() -> None:
    fees = StressedFees(FeePerShare(D("0.005"), minimum=D(1)))
    # Twice the minimum of the order once, then 5 basis points of 1,000 each.
    assert fills_of(fees, [10, 10, 10]) == [D(2), D("0.5"), D("0.5")]


def test_successor_of_an_order_is_not_charged_its_minimum_again() -> None:
    exchange = PaperExchange(fees=FeePerShare(D("0.005"), minimum=D(1)))
    exchange.is_waiting("AAPL")
    made = Order(
        id="order_1",
        symbol="AAPL",
        side=Side.BUY,
        quantity=D(100),
        type=OrderType.LIMIT,
        limit_price=D(101),
        time_in_force=TimeInForce.GTC,
    )
    exchange.submit(made, START)
    charged = []
    for day in range(2):
        if day:
            after = replace(made, id="order_2", limit_price=D(102))
            exchange.replace("order_1", after, START + DAY)
        made_bar = Bar.make(
            "AAPL",
            START + day * DAY,
            open="100",
            high="101",
            low="99",
            close="100",
            volume="500",
            period=DAY,
        )
        charged += [r.commission for r in exchange.on_bar(made_bar)]
    assert charged == [D(1), D(0)]
