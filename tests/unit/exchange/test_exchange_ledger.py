"""What an account forbids: spending more than its cash, and selling what it does not hold."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.exchanging import DAY, START, D, bar, opened, order

from ingenium.brokers import PaperExecutor
from ingenium.errors import ConfigError
from ingenium.events import OrderType, Side, TimeInForce, TradeUpdate
from ingenium.exchange import ExecutionReport, FeePerOrder, PaperExchange, SlippageTicks
from ingenium.trading import Account, Fill

BUY, SELL = Side.BUY, Side.SELL
LIMIT = OrderType.LIMIT
REJECT: dict[str, Any] = {"on_insufficient_cash": "reject"}


class Desk:
    """An exchange, and a bar at any price whenever one is wanted."""

    def __init__(self, **options: Any) -> None:
        self.exchange: PaperExchange = opened(**options)
        self.day = 1
        self.count = 0

    def send(self, side: Side, quantity: str, **fields: Any) -> ExecutionReport:
        self.count += 1
        made = order(side, quantity, id=f"order_{self.count}", **fields)
        return self.exchange.submit(made, START + self.day * DAY)[0]

    def trade(self, price: str = "100", **options: Any) -> list[ExecutionReport]:
        reports = self.exchange.on_bar(bar(self.day, f"{price} {price} {price} {price}", **options))
        self.day += 1
        return reports

    def hold(self, side: Side, quantity: str) -> None:
        assert self.send(side, quantity).update is TradeUpdate.NEW
        assert self.trade()[0].update is TradeUpdate.FILLED


def test_account_without_limits_takes_everything() -> None:
    desk = Desk()
    assert desk.send(BUY, "1000000000").update is TradeUpdate.NEW
    assert desk.send(SELL, "1000000000").update is TradeUpdate.NEW


# Cash.


def test_buy_for_more_than_the_cash_is_rejected() -> None:
    desk = Desk(cash=1000)
    assert desk.send(BUY, "10").update is TradeUpdate.NEW
    desk = Desk(cash=1000)
    report = desk.send(BUY, "11")
    assert report.update is TradeUpdate.REJECTED
    assert report.reason == (
        "not enough cash: 11 AAPL at 100 with fees take 1100, and 1000 is free"
    )


def test_buy_counts_its_fee() -> None:
    report = Desk(cash=1000, fees=FeePerOrder(D(1)), **REJECT).send(BUY, "10")
    assert "with fees take 1001, and 1000 is free" in report.reason


@pytest.mark.parametrize(
    "fields",
    [
        {"type": LIMIT, "limit_price": "200"},
        {"type": OrderType.STOP, "stop_price": "200"},
        {"type": OrderType.STOP_LIMIT, "stop_price": "150", "limit_price": "200"},
    ],
)
def test_buy_is_expected_to_cost_what_it_may(fields: dict[str, Any]) -> None:
    assert "6 AAPL at 200 with fees take 1200" in Desk(cash=1000).send(BUY, "6", **fields).reason


def test_cash_that_working_orders_will_take_is_not_free() -> None:
    desk = Desk(cash=1000)
    assert desk.send(BUY, "6", type=LIMIT, limit_price="90").update is TradeUpdate.NEW
    assert "and 460 is free" in desk.send(BUY, "5").reason
    desk.exchange.cancel("order_1", START + DAY)
    assert desk.send(BUY, "5").update is TradeUpdate.NEW


def test_cash_that_runs_out_between_order_and_fill_rejects_the_order() -> None:
    desk = Desk(cash=1000, **REJECT)
    desk.send(BUY, "10", stop_loss="90")
    reports = desk.trade("101")
    assert [r.update.value for r in reports] == ["rejected", "canceled"]
    assert "10 AAPL at 101 with fees take 1010, and 1000 is free" in reports[0].reason
    assert desk.exchange.working == []


def test_cash_that_slippage_takes_counts() -> None:
    desk = Desk(cash=1000, slippage=SlippageTicks(1), **REJECT)
    desk.send(BUY, "10")
    assert "10 AAPL at 100.01" in desk.trade()[0].reason


def test_cash_that_runs_out_after_a_part_cancels_the_rest() -> None:
    desk = Desk(cash=1000, **REJECT)
    desk.send(BUY, "10")
    assert desk.trade(volume="50")[0].quantity == 5
    [report] = desk.trade("120", volume="50")
    assert (report.update, report.quantity) == (TradeUpdate.CANCELED, D(0))
    assert "not enough cash" in report.reason


def test_sale_of_what_is_held_needs_no_cash_and_frees_some() -> None:
    desk = Desk(cash=1000)
    desk.hold(BUY, "10")
    assert "and 0 is free" in desk.send(BUY, "1").reason
    desk.hold(SELL, "10")
    assert desk.send(BUY, "10").update is TradeUpdate.NEW


def test_short_sale_blocks_its_proceeds_and_as_much_again() -> None:
    desk = Desk(cash=1000)
    assert "11 AAPL at 100" in desk.send(SELL, "11").reason
    desk.hold(SELL, "10")
    assert "and 0 is free" in desk.send(SELL, "1").reason
    # Buying back is always allowed, at any price.
    assert desk.send(BUY, "10").update is TradeUpdate.NEW
    assert desk.trade("500")[0].update is TradeUpdate.FILLED


@pytest.mark.parametrize(("price", "allowed"), [("150", 3), ("200", 0), ("300", 0)])
def test_buy_through_zero_pays_for_the_short_side_first(price: str, allowed: int) -> None:
    def bought(more: int) -> TradeUpdate:
        desk = Desk(cash=1000, **REJECT)
        desk.hold(SELL, "10")  # 2,000 in cash, all of it blocked
        desk.exchange.is_waiting("AAPL", "1")  # so cheap that the order itself is taken
        assert desk.send(BUY, str(10 + more)).update is TradeUpdate.NEW
        return desk.trade(price)[0].update

    assert bought(allowed) is TradeUpdate.FILLED
    assert bought(allowed + 1) is TradeUpdate.REJECTED


def test_protective_orders_are_always_allowed() -> None:
    desk = Desk(cash=1000, allow_short=False)
    desk.send(BUY, "10", stop_loss="95", take_profit="108")
    desk.trade()
    assert desk.trade("94")[0].update is TradeUpdate.FILLED


# Shares.


def test_sale_of_more_than_is_held_is_rejected_where_shorts_are_forbidden() -> None:
    desk = Desk(allow_short=False, **REJECT)
    report = desk.send(SELL, "1")
    assert report.update is TradeUpdate.REJECTED
    assert report.reason == (
        "not enough shares: 1 AAPL to sell, 0 are held and free, and the account may not sell short"
    )
    desk.hold(BUY, "10")
    assert "11 AAPL to sell, 10 are held and free" in desk.send(SELL, "11").reason
    assert desk.send(SELL, "10").update is TradeUpdate.NEW


def test_shares_that_another_order_sells_are_not_free() -> None:
    desk = Desk(allow_short=False, **REJECT)
    desk.hold(BUY, "10")
    assert desk.send(SELL, "6", type=LIMIT, limit_price="120").update is TradeUpdate.NEW
    assert "5 AAPL to sell, 4 are held and free" in desk.send(SELL, "5").reason
    assert desk.send(SELL, "4").update is TradeUpdate.NEW


def test_shares_that_a_stop_loss_sold_are_not_sold_again() -> None:
    desk = Desk(allow_short=False)
    desk.send(BUY, "10", stop_loss="95")
    desk.trade()
    # The limit order comes first within a bar, so let the stop act on an earlier one.
    assert desk.send(SELL, "10", type=LIMIT, limit_price="120").update is TradeUpdate.NEW
    assert desk.trade("94")[0].update is TradeUpdate.FILLED
    [report] = desk.trade("121")
    assert report.update is TradeUpdate.REJECTED
    assert "not enough shares" in report.reason


def test_replace_is_held_to_the_account_without_the_order_that_it_ends() -> None:
    desk = Desk(cash=1000)
    desk.send(BUY, "10", type=LIMIT, limit_price="90")
    more = order(BUY, "11", id="more", type=LIMIT, limit_price="90")
    assert len(desk.exchange.replace("order_1", more, START + DAY)) == 2
    most = order(BUY, "12", id="most", type=LIMIT, limit_price="90")
    [report] = desk.exchange.replace("more", most, START + DAY)
    assert "12 AAPL at 90 with fees take 1080, and 1000 is free" in report.reason


@pytest.mark.parametrize("cash", [-1, "much", float("nan")])
def test_cash_that_is_no_amount_is_refused(cash: Any) -> None:
    with pytest.raises(ConfigError, match="cash is"):
        PaperExecutor(cash=cash)


steps = st.lists(
    st.tuples(
        st.lists(
            st.tuples(
                st.sampled_from(Side),
                st.integers(1, 40),
                st.sampled_from([None, "80", "100", "120"]),
                st.booleans(),
            ),
            max_size=3,
        ),
        st.integers(50, 150),
        st.sampled_from(["", "100"]),
    ),
    max_size=15,
)


@settings(deadline=timedelta(seconds=2))
@given(steps)
def test_random_orders_never_take_cash_below_zero_or_shares_that_are_not_there(
    history: list[tuple[list[tuple[Side, int, str | None, bool]], int, str]],
) -> None:
    desk = Desk(cash=1000, allow_short=False, fees=FeePerOrder(D(1)))
    account = Account(1000)
    for orders, price, volume in history:
        for side, quantity, limit, is_bracket in orders:
            fields: dict[str, Any] = {"time_in_force": TimeInForce.GTC}
            if limit is not None:
                fields |= {"type": LIMIT, "limit_price": limit}
            if is_bracket:
                low, high = ("60", "130") if side is BUY else ("130", "60")
                fields |= {"stop_loss": low, "take_profit": high}
            desk.send(side, str(quantity), **fields)
        for report in desk.trade(str(price), volume=volume):
            if report.price is not None:
                account.book(
                    Fill(
                        symbol="AAPL",
                        side=report.order.side,
                        quantity=report.quantity,
                        price=report.price,
                        commission=report.commission,
                    )
                )
                assert account.cash >= 0
                assert account.position("AAPL").quantity >= 0
