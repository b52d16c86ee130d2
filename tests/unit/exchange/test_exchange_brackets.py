"""Brackets on the paper exchange, and what holds for orders of all types."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from support.exchanging import DAY, START, D, bar, mirrored, opened, order, prices, submit, told

from ingenium.events import OrderType, Side, TimeInForce, TradeUpdate
from ingenium.exchange import FillPolicy, PaperExchange
from ingenium.trading import Order


def bracket(side: Side = Side.BUY, quantity: str = "10", **fields: Any) -> Order:
    low, high = ("95", "108") if side is Side.BUY else ("105", "92")
    return order(side, quantity, **({"stop_loss": low, "take_profit": high} | fields))


def test_bracket_legs_are_held_until_the_entry_is_filled() -> None:
    exchange = opened()
    reports = exchange.submit(bracket(), START + DAY)
    assert told(reports) == [("buy", "new", ""), ("sell", "held", ""), ("sell", "held", "")]
    assert [r.order.type for r in reports[1:]] == [OrderType.LIMIT, OrderType.STOP]
    assert len({r.order.id for r in reports}) == 3
    assert told(exchange.on_bar(bar(1, "100 101 99 100"))) == [
        ("buy", "filled", "100"),
        ("sell", "new", ""),
        ("sell", "new", ""),
    ]
    assert len(exchange.working) == 2


@pytest.mark.parametrize("side", Side)
def test_case_a_both_legs_in_one_bar_lose_and_are_flagged(side: Side) -> None:
    exchange = opened()
    submit(exchange, bracket(side))
    shape = "100 110 90 105"
    reports = exchange.on_bar(bar(1, shape if side is Side.BUY else mirrored(shape)))
    exit_price = "95" if side is Side.BUY else "105"
    assert told(reports) == [
        (side.value, "filled", "100"),
        (side.opposite.value, "new", ""),
        (side.opposite.value, "new", ""),
        (side.opposite.value, "filled", exit_price),
        (side.opposite.value, "canceled", ""),
    ]
    assert [r.is_ambiguous for r in reports] == [False, False, False, True, False]
    assert exchange.notes.ambiguous_fills == 1
    assert exchange.working == []
    assert not exchange.is_waiting("AAPL")


def test_bracket_profit_cancels_the_loss_at_once() -> None:
    exchange = opened()
    submit(exchange, bracket())
    exchange.on_bar(bar(1, "100 101 99 100"))
    reports = exchange.on_bar(bar(2, "101 109 100 107"))
    assert told(reports) == [("sell", "filled", "108"), ("sell", "canceled", "")]
    assert exchange.on_bar(bar(3, "94 94 90 91")) == []


def test_bracket_on_the_bar_of_a_limit_entry_takes_what_every_way_reaches() -> None:
    exchange = opened()
    submit(exchange, bracket(type=OrderType.LIMIT, limit_price="98"))
    # Through the limit, and up to the profit: which came first is not known.
    assert told(exchange.on_bar(bar(1, "100 110 97 105"))) == [
        ("buy", "filled", "98"),
        ("sell", "new", ""),
        ("sell", "new", ""),
    ]
    assert exchange.notes.untaken_targets == 1
    exchange = opened()
    submit(exchange, bracket(type=OrderType.LIMIT, limit_price="98"))
    reports = exchange.on_bar(bar(1, "100 101 94 99"))
    assert told(reports)[3:] == [("sell", "filled", "95"), ("sell", "canceled", "")]
    # From 100 down to 94 the price comes by 98 first, whatever else it does.
    assert not reports[3].is_ambiguous
    exchange = opened()
    submit(exchange, bracket(type=OrderType.LIMIT, limit_price="98"))
    reports = exchange.on_bar(bar(1, "100 109 94 99"))
    assert told(reports)[3:] == [("sell", "filled", "95"), ("sell", "canceled", "")]
    assert reports[3].is_ambiguous


def test_bracket_partial_entry_protects_what_is_filled() -> None:
    exchange = opened()
    submit(exchange, bracket(quantity="100"))
    exchange.on_bar(bar(1, "100 101 99 100", volume="300"))
    reports = exchange.on_bar(bar(2, "99 100 94 96", volume="300"))
    # 30 more come in at the open, and the loss is taken on 30 of the 60.
    fills = [(r.order.side.value, r.quantity, r.price) for r in reports if r.price is not None]
    assert fills == [("buy", D(30), D(99)), ("sell", D(30), D(95))]
    assert reports[-1].update is TradeUpdate.PARTIAL_FILL


def test_bracket_entry_that_expires_takes_its_legs_with_it() -> None:
    exchange = opened()
    entry = bracket(type=OrderType.LIMIT, limit_price="90", time_in_force=TimeInForce.DAY)
    submit(exchange, entry)
    reports = exchange.on_bar(bar(1, "100 101 99 100"))
    assert [r.update.value for r in reports] == ["expired", "canceled", "canceled"]
    assert "entry was not filled" in reports[1].reason
    assert not exchange.is_waiting("AAPL")


def test_bracket_whose_position_was_closed_otherwise_never_opens_another() -> None:
    exchange = opened()
    submit(exchange, bracket())
    exchange.on_bar(bar(1, "100 101 99 100"))
    exchange.submit(order(Side.SELL, id="order_2"), START + 2 * DAY)
    reports = exchange.on_bar(bar(2, "100 101 90 100"))
    assert told(reports) == [
        ("sell", "filled", "100"),
        ("sell", "canceled", ""),
        ("sell", "canceled", ""),
    ]
    assert "position is closed" in reports[1].reason


def test_bracket_one_leg_only_works_alone() -> None:
    exchange = opened()
    submit(exchange, order(Side.BUY, stop_loss="95", stop_loss_limit="94"))
    exchange.on_bar(bar(1, "100 101 99 100"))
    assert told(exchange.on_bar(bar(2, "96 97 93 95"))) == [("sell", "filled", "95")]


def test_cancel_of_a_leg_leaves_the_other() -> None:
    exchange = opened()
    submit(exchange, bracket())
    exchange.on_bar(bar(1, "100 101 99 100"))
    profit, loss = exchange.working
    [report] = exchange.cancel(profit.id, START + 2 * DAY)
    assert report.update is TradeUpdate.CANCELED
    assert exchange.working == [loss]
    assert told(exchange.on_bar(bar(2, "101 120 100 110"))) == []
    assert told(exchange.on_bar(bar(3, "96 97 93 95"))) == [("sell", "filled", "95")]


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize(
    ("quantity", "other", "closed", "expected"),
    [
        ("0.5", "0.3", None, "0.5"),  # another position beside it does not let it grow
        ("0.5", "10", None, "0.5"),
        ("0.5", None, "0.2", "0.3"),  # what has been closed is not protected any more
        ("0.5", "0.3", "0.2", "0.5"),  # the other position is closed first
        ("0.5", "0.3", "0.6", "0.2"),
        ("1.25", None, "1.24", "0.01"),
        ("2", None, "1", "1"),
    ],
)
def test_protective_orders_are_for_what_is_left_of_fractions(
    side: Side, quantity: str, other: str | None, closed: str | None, expected: str
) -> None:
    exchange = opened()
    submit(exchange, bracket(side, quantity))
    if other is not None:
        submit(exchange, order(side, other, id="beside"))
    exchange.on_bar(bar(1, "100 100 100 100"))
    if closed is not None:
        exchange.submit(order(side.opposite, closed, id="closing"), START + 2 * DAY)
    exchange.on_bar(bar(2, "100 100 100 100"))
    assert len(exchange.working) == 2
    shape = "94 94 94 94"
    reports = exchange.on_bar(bar(3, shape if side is Side.BUY else mirrored(shape)))
    assert [r.quantity for r in reports if r.price is not None] == [D(expected)]


def test_two_brackets_of_fractions_share_a_position_that_is_closed_in_part() -> None:
    exchange = opened()
    submit(exchange, bracket(quantity="0.5"), bracket(quantity="0.75", id="order_2"))
    exchange.on_bar(bar(1, "100 100 100 100"))
    exchange.submit(order(Side.SELL, "0.6", id="closing"), START + 2 * DAY)
    exchange.on_bar(bar(2, "100 100 100 100"))
    reports = exchange.on_bar(bar(3, "94 94 94 94"))
    # 0.65 are left: the first bracket keeps its part, and the second has the rest.
    assert [r.quantity for r in reports if r.price is not None] == [D("0.5"), D("0.15")]


@pytest.mark.parametrize("side", Side)
def test_cap_rounds_a_protective_order_of_fractions_down_to_its_step(side: Side) -> None:
    exchange = opened()
    submit(exchange, bracket(side, "0.55"))
    exchange.on_bar(bar(1, "100 100 100 100"))
    shape = "94 94 94 94" if side is Side.BUY else "106 106 106 106"
    reports = exchange.on_bar(bar(2, shape, volume="1.299"))
    assert [(r.quantity, r.leaves) for r in reports if r.price is not None] == [
        (D("0.12"), D("0.43"))
    ]


def test_open_beyond_the_target_that_the_cap_fills_in_part_leaves_the_stop_behind_it() -> None:
    exchange = opened()
    submit(exchange, bracket(quantity="100"))
    exchange.on_bar(bar(1, "100 100 100 100"))
    reports = exchange.on_bar(bar(2, "112 113 90 95", volume="300"))
    # Each of the two gets a tenth of the volume: the price came to the stop after the open.
    assert [(r.quantity, r.price) for r in reports] == [(D(30), D(112)), (D(30), D(95))]
    reports = exchange.on_bar(bar(3, "96 97 95 96", volume="10000"))
    assert [(r.quantity, r.price) for r in reports if r.price is not None] == [(D(40), D(96))]


def test_target_at_the_open_does_not_trigger_the_stop_of_shares_that_come_later() -> None:
    exchange = opened()
    submit(exchange, bracket(quantity="60"))
    exchange.on_bar(bar(1, "100 100 100 100", volume="300"))
    # The target takes all 30 shares at the open, and the entry brings 30 more there.
    assert prices(exchange.on_bar(bar(2, "112 113 111 112", volume="300"))) == [D(112), D(112)]
    exchange = opened()
    submit(exchange, bracket(quantity="60", type=OrderType.LIMIT, limit_price="101"))
    exchange.on_bar(bar(1, "100 100 100 100", volume="300"))
    # 30 are sold at the open; the rest of the entry comes on the way down and is stopped there.
    assert prices(exchange.on_bar(bar(2, "112 113 90 97", volume="300"))) == [D(112), D(101), D(95)]


@pytest.mark.parametrize("side", Side)
def test_stop_is_not_filled_beyond_the_open_where_prices_do_not_improve(side: Side) -> None:
    """The entry has its limit of 105, but the market was at 100 when the stop of 103 went live."""
    exchange = opened(
        "106" if side is Side.BUY else "94", policy=FillPolicy(price_improvement=False)
    )
    levels = ("105", "120", "103") if side is Side.BUY else ("95", "80", "97")
    limit, target, loss = levels
    submit(
        exchange,
        order(side, type=OrderType.LIMIT, limit_price=limit, take_profit=target, stop_loss=loss),
    )
    shape = "100 101 99 100"
    found = prices(exchange.on_bar(bar(1, shape)))
    assert found == [D(limit), D(100)]


def entered_in_part(policy: FillPolicy, quantity: str = "60") -> PaperExchange:
    """Return an exchange where a bracket has 30 of its shares, by the cap of the first bar."""
    exchange = opened(policy=FillPolicy(volume_cap=D("0.10")))
    submit(exchange, bracket(quantity=quantity, type=OrderType.LIMIT, limit_price="101"))
    assert exchange.on_bar(bar(1, "100 100 100 100", volume="300"))[0].quantity == 30
    exchange.policy = policy
    return exchange


def test_stop_takes_the_shares_that_the_limit_brought_on_the_way_to_it() -> None:
    exchange = entered_in_part(FillPolicy(volume_cap=None))
    reports = exchange.on_bar(bar(2, "104 105 94 96", volume="300"))
    fills = [(r.order.side.value, r.quantity, r.price) for r in reports if r.price is not None]
    assert fills == [("buy", D(30), D(101)), ("sell", D(60), D(95))]
    assert exchange.notes.ambiguous_fills == 0


@pytest.mark.parametrize(
    ("policy", "sold"),
    [
        # Sold at the open, bought again at 101, and the close is beyond the target.
        (FillPolicy(volume_cap=None), [(D(30), D(112)), (D(30), D(108))]),
        # One order gets a tenth of the bar, which the open has taken.
        (FillPolicy(volume_cap=D("0.10")), [(D(30), D(112))]),
    ],
)
def test_target_at_the_open_and_again_for_shares_that_come_later(
    policy: FillPolicy, sold: list[tuple[Decimal, Decimal]]
) -> None:
    exchange = entered_in_part(policy)
    reports = exchange.on_bar(bar(2, "112 113 99 110", volume="300"))
    exits = [r for r in reports if r.price is not None and r.order.side is Side.SELL]
    assert [(r.quantity, r.price) for r in exits] == sold
    assert exchange.notes.ambiguous_fills == 0


def test_what_the_open_fills_comes_before_what_fills_within_the_bar() -> None:
    """Two orders without a bracket: the stop came first, but the open is beyond the target."""
    exchange = opened(allow_short=False)
    submit(exchange, order(Side.BUY, id="entry"))
    exchange.on_bar(bar(1, "100 100 100 100"))
    trail = order(Side.SELL, "4", id="trail", type=OrderType.TRAILING_STOP, trail_price="5")
    target = order(Side.SELL, "6", id="target", type=OrderType.LIMIT, limit_price="108")
    for made in (trail, target):
        exchange.submit(made, START + 2 * DAY)
    reports = exchange.on_bar(bar(2, "112 113 90 95"))
    assert [(r.order.id, r.price) for r in reports] == [("target", D(112)), ("trail", D(107))]


@pytest.mark.parametrize("side", Side)
def test_replaced_leg_may_not_cross_the_other(side: Side) -> None:
    exchange = opened()
    submit(exchange, bracket(side))
    exchange.on_bar(bar(1, "100 101 99 100"))
    profit, loss = exchange.working
    beyond = "94" if side is Side.BUY else "106"
    crossed = replace(profit, id="new", limit_price=D(beyond))
    [report] = exchange.replace(profit.id, crossed, START + 2 * DAY)
    assert report.update is TradeUpdate.REJECTED
    assert "both could be filled at once" in report.reason
    near = replace(loss, id="newer", stop_price=D("99" if side is Side.BUY else "101"))
    assert [r.update for r in exchange.replace(loss.id, near, START + 2 * DAY)] == [
        TradeUpdate.REPLACED,
        TradeUpdate.NEW,
    ]


cents = st.integers(8_000, 12_000).map(lambda n: D(n) / 100)
random_orders = st.builds(
    lambda side, quantity, kind, near, far, legs: (side, quantity, kind, near, far, legs),
    st.sampled_from(Side),
    st.integers(1, 200),
    st.sampled_from(OrderType),
    cents,
    cents,
    st.booleans(),
)
random_days = st.lists(
    st.tuples(
        st.lists(cents, min_size=4, max_size=4),
        st.sampled_from(["", "300", "100000"]),
        st.lists(random_orders, max_size=3),
    ),
    min_size=1,
    max_size=12,
)


def _random_order(number: int, given: tuple[Any, ...]) -> Order | None:
    side, quantity, kind, near, far, legs = given
    fields: dict[str, Any] = {}
    if kind in {OrderType.LIMIT, OrderType.STOP_LIMIT}:
        fields["limit_price"] = near
    if kind in {OrderType.STOP, OrderType.STOP_LIMIT}:
        fields["stop_price"] = far
    if kind is OrderType.TRAILING_STOP:
        fields["trail_percent"] = near / 10
    if legs and near != far:
        low, high = sorted([near, far])
        fields["stop_loss"], fields["take_profit"] = (
            (low, high) if side is Side.BUY else (high, low)
        )
    return Order(
        id=f"order_{number}",
        symbol="AAPL",
        side=side,
        quantity=D(quantity),
        type=kind,
        time_in_force=TimeInForce.GTC,
        **fields,
    )


@settings(deadline=None, max_examples=150)
@given(random_days, st.booleans())
def test_random_orders_of_all_types_keep_the_rules(
    history: list[tuple[list[Decimal], str, list[Any]]], touch: bool
) -> None:
    exchange = PaperExchange(FillPolicy(touch_fills=touch))
    entered: dict[str, Decimal] = {}
    left: dict[str, Decimal] = {}
    ended: set[str] = set()
    parents: dict[str, str] = {}
    position = D(0)
    number = 0
    for day, (four, volume, orders) in enumerate(history):
        shape = f"{four[0]} {max(four)} {min(four)} {four[3]}"
        reports = exchange.on_bar(bar(day, shape, volume=volume))
        for report in reports:
            made = report.order
            assert made.id not in ended, "an order that has ended is never heard of again"
            if report.price is not None:
                assert min(four) <= report.price <= max(four)
                assert report.quantity > 0
                if made.id in parents:
                    # A leg reduces what its entry has filled, and never turns the position.
                    left[parents[made.id]] -= report.quantity
                    assert left[parents[made.id]] >= 0
                    before = position
                    position += report.quantity * (1 if made.side is Side.BUY else -1)
                    assert abs(position) < abs(before)
                else:
                    position += report.quantity * (1 if made.side is Side.BUY else -1)
                    entered[made.id] = entered.get(made.id, D(0)) + report.quantity
                    left[made.id] = left.get(made.id, D(0)) + report.quantity
                    assert entered[made.id] <= made.quantity
            if report.update in {
                TradeUpdate.FILLED,
                TradeUpdate.CANCELED,
                TradeUpdate.EXPIRED,
                TradeUpdate.REJECTED,
            }:
                ended.add(made.id)
        for given_order in orders:
            number += 1
            made_order = _random_order(number, given_order)
            if made_order is None:
                continue
            for leg in made_order.protective_orders():
                parents[leg.id] = made_order.id
            for report in exchange.submit(made_order, START + (day + 1) * DAY):
                if report.update is TradeUpdate.REJECTED:
                    ended.add(report.order.id)
    for working in exchange.working:
        assert working.id not in ended
