"""Stops, trailing stops and brackets on the paper exchange (docs/exchange.md)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingenium.events import OrderType, Side, TimeInForce, TradeUpdate
from ingenium.exchange import FillPolicy, PaperExchange, Report, SlippageTicks
from ingenium.trading import Bar, Order

START = datetime(2024, 1, 2, tzinfo=UTC)
DAY = timedelta(days=1)
D = Decimal


def bar(day: int, prices: str, *, volume: str = "") -> Bar:
    open_, high, low, close = prices.split()
    return Bar.make(
        "AAPL",
        START + day * DAY,
        open=open_,
        high=high,
        low=low,
        close=close,
        volume=volume,
        period=DAY,
    )


def order(side: Side, quantity: str = "10", *, id: str = "order_1", **fields: Any) -> Order:
    # Tokens are texts too.
    prices = {name: D(v) if type(v) is str else v for name, v in fields.items()}
    values: dict[str, Any] = {"type": OrderType.MARKET, "time_in_force": TimeInForce.GTC}
    return Order(id=id, symbol="AAPL", side=side, quantity=D(quantity), **(values | prices))


def mirrored(prices: str) -> str:
    """Turn a bar around 100 upside down: what rises falls by as much."""
    open_, high, low, close = (200 - D(price) for price in prices.split())
    return f"{open_} {low} {high} {close}"


def opened(close: str = "100", **options: Any) -> PaperExchange:
    exchange = PaperExchange(**options)
    exchange.on_bar(bar(0, f"{close} {close} {close} {close}"))
    return exchange


def submit(exchange: PaperExchange, *orders: Order) -> None:
    for each in orders:
        first, *held = exchange.submit(each, START + DAY)
        assert first.update is TradeUpdate.NEW, first.reason
        assert {report.update for report in held} <= {TradeUpdate.HELD}


def told(reports: list[Report]) -> list[tuple[str, str, str]]:
    """Return side, update and price of each report."""
    return [
        (r.order.side.value, r.update.value, "" if r.price is None else f"{r.price:f}")
        for r in reports
    ]


def prices(reports: list[Report]) -> list[Decimal]:
    return [r.price for r in reports if r.price is not None]


# Worked cases, each with its mirror image.


@pytest.mark.parametrize("is_mirror", [False, True])
@pytest.mark.parametrize(
    ("fields", "shape", "expected"),
    [
        # B: a sell stop that the bar gaps through fills at the open.
        ({"type": OrderType.STOP, "stop_price": "95"}, "90 101 88 99", "90"),
        # The stop itself, where the bar opens above it.
        ({"type": OrderType.STOP, "stop_price": "95"}, "98 101 88 99", "95"),
        # Touching triggers.
        ({"type": OrderType.STOP, "stop_price": "95"}, "98 101 95 99", "95"),
        ({"type": OrderType.STOP, "stop_price": "95"}, "98 101 96 99", None),
        # E, turned around: triggers, and the close is through the limit.
        (
            {"type": OrderType.STOP_LIMIT, "stop_price": "95", "limit_price": "96"},
            "100 101 94 97",
            "96",
        ),
        # The close is not through the limit: the rest of the bar is not known.
        (
            {"type": OrderType.STOP_LIMIT, "stop_price": "95", "limit_price": "96"},
            "100 101 94 95",
            None,
        ),
        # A limit beyond the stop is at the market when triggered: at the stop, not the limit.
        (
            {"type": OrderType.STOP_LIMIT, "stop_price": "95", "limit_price": "90"},
            "100 101 94 97",
            "95",
        ),
    ],
)
def test_stop_orders_on_the_bar_that_may_trigger_them(
    fields: dict[str, Any], shape: str, expected: str | None, is_mirror: bool
) -> None:
    side = Side.SELL
    if is_mirror:
        side, shape = Side.BUY, mirrored(shape)
        fields = {
            name: value if name == "type" else str(200 - D(value)) for name, value in fields.items()
        }
        expected = None if expected is None else str(200 - D(expected))
    exchange = opened()
    submit(exchange, order(side, **fields))
    assert prices(exchange.on_bar(bar(1, shape))) == ([] if expected is None else [D(expected)])


def test_case_h_buy_stop_gapped_over_fills_at_the_open() -> None:
    exchange = opened()
    submit(exchange, order(Side.BUY, type=OrderType.STOP, stop_price="105"))
    [report] = exchange.on_bar(bar(1, "107 109 106 108"))
    assert report.price == 107
    assert report.time == START + DAY


def test_case_e_buy_stop_limit_triggered_is_a_limit_order_on_later_bars() -> None:
    exchange = opened()
    submit(
        exchange, order(Side.BUY, type=OrderType.STOP_LIMIT, stop_price="105", limit_price="104")
    )
    assert exchange.on_bar(bar(1, "100 106 99 105")) == []
    assert prices(exchange.on_bar(bar(2, "105 107 104 106"))) == []
    assert prices(exchange.on_bar(bar(3, "105 107 103 106"))) == [D(104)]


def test_case_f_trailing_stop_is_tested_before_the_bar_moves_it() -> None:
    exchange = opened()
    submit(exchange, order(Side.SELL, type=OrderType.TRAILING_STOP, trail_price="5"))
    assert exchange.on_bar(bar(1, "100 110 104 106")) == []
    assert prices(exchange.on_bar(bar(2, "106 107 105 106"))) == [D(105)]


def test_trailing_stop_never_moves_back() -> None:
    exchange = opened()
    submit(exchange, order(Side.SELL, type=OrderType.TRAILING_STOP, trail_price="5"))
    exchange.on_bar(bar(1, "100 110 104 106"))
    exchange.on_bar(bar(2, "107 108 106 107"))
    assert prices(exchange.on_bar(bar(3, "107 107 104 105"))) == [D(105)]


@pytest.mark.parametrize(
    ("side", "first", "second", "expected"),
    [
        (Side.SELL, "100 120 95 118", "118 118 100 101", "108"),
        (Side.BUY, "100 105 80 82", "82 95 82 94", "88"),
    ],
)
def test_trailing_stop_by_percent_follows_the_best_price(
    side: Side, first: str, second: str, expected: str
) -> None:
    exchange = opened()
    submit(exchange, order(side, type=OrderType.TRAILING_STOP, trail_percent="10"))
    assert exchange.on_bar(bar(1, first)) == []
    assert prices(exchange.on_bar(bar(2, second))) == [D(expected)]


def test_stop_over_the_volume_cap_goes_on_at_the_market() -> None:
    exchange = opened()
    submit(exchange, order(Side.SELL, "100", type=OrderType.STOP, stop_price="95"))
    [first] = exchange.on_bar(bar(1, "98 99 94 97", volume="300"))
    assert (first.quantity, first.price, first.leaves) == (D(30), D(95), D(70))
    [second] = exchange.on_bar(bar(2, "97 99 96 98", volume="10000"))
    assert (second.quantity, second.price) == (D(70), D(97))


def test_stop_slips_against_its_owner() -> None:
    exchange = opened(slippage=SlippageTicks(3, D("0.01")))
    submit(exchange, order(Side.SELL, type=OrderType.STOP, stop_price="95"))
    assert prices(exchange.on_bar(bar(1, "98 99 94 97"))) == [D("94.97")]


# Brackets.


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


def test_bracket_on_the_bar_of_a_limit_entry_only_the_loss_may_act() -> None:
    exchange = opened()
    submit(exchange, bracket(type=OrderType.LIMIT, limit_price="98"))
    # Through the limit, and up to the profit: which came first is not known.
    assert told(exchange.on_bar(bar(1, "100 110 97 105"))) == [
        ("buy", "filled", "98"),
        ("sell", "new", ""),
        ("sell", "new", ""),
    ]
    exchange = opened()
    submit(exchange, bracket(type=OrderType.LIMIT, limit_price="98"))
    reports = exchange.on_bar(bar(1, "100 101 94 99"))
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
