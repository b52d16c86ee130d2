"""Fees and slippage of the paper exchange."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingenium.errors import ConfigError
from ingenium.events import Side, TimeInForce
from ingenium.exchange import (
    FeeBasisPoints,
    FeeModel,
    FeePerOrder,
    FeePerShare,
    NoFees,
    NoSlippage,
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
