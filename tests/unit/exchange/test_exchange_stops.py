"""Stops, trailing stops and brackets on the paper exchange (docs/exchange.md)."""

from __future__ import annotations

from typing import Any

import pytest
from support.exchanging import DAY, START, D, bar, mirrored, opened, order, prices, submit

from ingenium.events import OrderType, Side
from ingenium.exchange import SlippageTicks

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
