"""Stops that a bar has triggered and not, or only in part, filled: what the next bars do."""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace
from support.exchanging import DAY, START, D, bar, mirrored, opened, order, prices, submit, told

from ingenium.events import OrderType, Side, TradeUpdate
from ingenium.exchange import FillPolicy
from ingenium.exchange.bracket_exits import Rest, find_exit
from ingenium.exchange.exact_bar import ExactBar
from ingenium.exchange.matching import trail
from ingenium.exchange.resting_order import RestingOrder

POLICY = FillPolicy()


@pytest.mark.parametrize("side", Side)
def test_trailing_stop_that_the_cap_fills_in_part_goes_on_at_the_market(side: Side) -> None:
    exchange = opened()
    trailing = order(side, "100", type=OrderType.TRAILING_STOP, trail_price="5")
    submit(exchange, trailing)
    shape = (lambda text: text) if side is Side.SELL else mirrored
    # Up to 110, so the stop is at 105, and the close is beyond it: a tenth of 300 at the worst.
    reports = exchange.on_bar(bar(1, shape("100 110 100 104"), volume="300"))
    assert [(r.quantity, r.leaves, r.price) for r in reports] == [(D(30), D(70), D(100))]
    assert reports[0].is_ambiguous
    # Far above any stop: what is left is sold at the open all the same.
    reports = exchange.on_bar(bar(2, shape("120 121 119 120"), volume="1000"))
    at_open = D(120) if side is Side.SELL else D(80)
    assert [(r.quantity, r.leaves, r.price) for r in reports] == [(D(70), D(0), at_open)]


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("has_target", [True, False])
def test_stop_limit_of_a_bracket_waits_for_its_limit_and_fills_where_the_market_is(
    side: Side, has_target: bool
) -> None:
    exchange = opened()
    shape = (lambda text: text) if side is Side.BUY else mirrored
    stop, limit, target = ("95", "94", "110") if side is Side.BUY else ("105", "106", "90")
    fields = {"take_profit": target} if has_target else {}
    submit(exchange, order(side, stop_loss=stop, stop_loss_limit=limit, **fields))
    exchange.on_bar(bar(1, shape("100 101 99 100")))
    # Opens beyond stop and limit, and stays there.
    assert exchange.on_bar(bar(2, shape("90 91 89 90"))) == []
    # Opens above both: sold there, and the target is canceled.
    reports = exchange.on_bar(bar(3, shape("97 98 96.5 97")))
    at_open = "97" if side is Side.BUY else "103"
    opposite = side.opposite.value
    canceled = [(opposite, "canceled", "")] if has_target else []
    assert told(reports) == [(opposite, "filled", at_open), *canceled]


def legs(side: Side, *, limit: str | None) -> tuple[RestingOrder, RestingOrder]:
    """A target at 110 and a stop-loss at 95 that is triggered, of something sold."""
    sign = 1 if side is Side.SELL else -1

    def at(text: str) -> Decimal:
        return 100 + sign * (D(text) - 100)

    profit = order(side, id="profit", type=OrderType.LIMIT, limit_price=at("110"))
    kind = OrderType.STOP if limit is None else OrderType.STOP_LIMIT
    worst = None if limit is None else at(limit)
    stopped = order(side, id="loss", type=kind, stop_price=at("95"), limit_price=worst)
    loss = RestingOrder(stopped, START)
    loss.is_triggered = True
    return RestingOrder(profit, START), loss


# The bar, the limit of the stop-loss, which leg it fills at what price, and whether the target is
# left out though some paths reach it. After an entry at 96 in the middle of the bar, neither
# extreme is certainly ahead.
TRIGGERED = [
    ("96 112 93 96", None, True, "loss", "96", False),
    ("93 94.5 92 93", "94", True, "loss", "94", False),
    ("96 97 95.5 96", "94", True, "loss", "96", False),
    ("93 93.5 92 93", "94", True, "", "", False),
    ("93 93.5 92 93", "94", False, "", "", False),
    ("99 112 98 99", "105", True, "loss", "105", False),
    ("99 112 98 99", "105", False, "", "", True),
    ("99 112 98 106", "105", False, "loss", "105", False),
    ("99 104 98 99", "105", False, "", "", False),
    ("99 112 98 111", "115", False, "profit", "110", False),
    ("99 112 98 99", "115", False, "", "", True),
    ("99 112 98 99", "115", True, "profit", "110", False),
]


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(("shape", "limit", "ahead", "leg", "price", "untaken"), TRIGGERED)
def test_leg_that_a_bar_fills_when_the_stop_was_triggered_before(
    shape: str, limit: str | None, ahead: bool, leg: str, price: str, untaken: bool, side: Side
) -> None:
    profit, loss = legs(side, limit=limit)
    is_sell = side is Side.SELL
    exact = ExactBar(bar(1, shape if is_sell else mirrored(shape)))
    rest = Rest(exact.open, at_open=ahead, high_ahead=ahead, low_ahead=ahead, is_entry=not ahead)
    found, is_untaken = find_exit(profit, loss, exact, rest, POLICY)
    assert is_untaken is untaken
    assert ("" if found is None else found.leg.order.id) == leg
    if found is not None:
        assert found.match.price == (D(price) if is_sell else 200 - D(price))
        assert not found.match.is_ambiguous
        assert found.instead is None


def test_triggered_stop_without_a_target_leaves_none_out() -> None:
    _, loss = legs(Side.SELL, limit="105")
    exact = ExactBar(bar(1, "99 112 98 99"))
    rest = Rest(exact.open, at_open=False, high_ahead=False, low_ahead=False, is_entry=True)
    assert find_exit(None, loss, exact, rest, POLICY) == (None, False)


# Half of 0.000000000123 and a percent of it more: 62.115e-12 from the price.
@pytest.mark.parametrize(("side", "stop"), [(Side.SELL, "60e-12"), (Side.BUY, "186e-12")])
def test_stop_of_a_percentage_is_rounded_against_its_owner(side: Side, stop: str) -> None:
    resting = RestingOrder(order(side, type=OrderType.TRAILING_STOP, trail_percent="50.5"), START)
    trail(resting, D("123e-12"))
    assert resting.stop == D(stop)
    assert resting.best == D("123e-12")


@pytest.mark.parametrize(
    ("side", "steps"),
    [
        (Side.SELL, [("100", "95"), ("99", "95"), ("101", "96"), ("101", "96"), ("100.5", "96")]),
        (Side.BUY, [("100", "105"), ("101", "105"), ("99", "104"), ("99", "104"), ("99.5", "104")]),
    ],
)
def test_trailing_stop_moves_one_way(side: Side, steps: list[tuple[str, str]]) -> None:
    resting = RestingOrder(order(side, type=OrderType.TRAILING_STOP, trail_price="5"), START)
    for price, stop in steps:
        trail(resting, D(price))
        assert resting.stop == D(stop)


def test_order_is_postponed_as_long_as_it_works_and_never_to_an_earlier_time() -> None:
    exchange = opened()
    submit(exchange, order(Side.BUY))
    assert exchange.postpone("order_1", START + 3 * DAY)
    assert exchange.postpone("order_1", START + 2 * DAY)
    assert not exchange.postpone("order_2", START + 3 * DAY)
    assert exchange.on_bar(bar(2, "100 101 99 100")) == []
    reports = exchange.on_bar(bar(3, "102 103 101 102"))
    assert prices(reports) == [D(102)]
    assert not exchange.postpone("order_1", START + 4 * DAY)


@pytest.mark.parametrize(("side", "where"), [(Side.BUY, "above"), (Side.SELL, "below")])
def test_leg_that_crosses_the_other_is_told_on_which_side_it_belongs(
    side: Side, where: str
) -> None:
    exchange = opened()
    low, high = ("95", "108") if side is Side.BUY else ("105", "92")
    submit(exchange, order(side, stop_loss=low, take_profit=high))
    exchange.on_bar(bar(1, "100 101 99 100"))
    profit, loss = exchange.working
    crossed = replace(profit, id="new", limit_price=D(low))
    [report] = exchange.replace(profit.id, crossed, START + 2 * DAY)
    assert report.update is TradeUpdate.REJECTED
    assert report.reason == (
        f"order LimitPrice {low} of the take-profit is not {where} StopPrice {low} of the "
        "stop-loss: both could be filled at once"
    )
    assert [each.id for each in exchange.working] == [profit.id, loss.id]


def test_bracket_without_shares_hides_no_other_behind_it() -> None:
    exchange = opened()
    waiting = order(
        Side.BUY, id="waiting", type=OrderType.LIMIT, limit_price="50", take_profit="60"
    )
    submit(exchange, waiting, order(Side.BUY, id="held", stop_loss="95"))
    exchange.on_bar(bar(1, "100 101 99 100"))
    # The open is beyond the stop.
    assert prices(exchange.on_bar(bar(2, "90 91 89 90"))) == [D(90)]
