"""The rules of the paper exchange, case by case (docs/exchange.md)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from ingenium.errors import ConfigError
from ingenium.events import OrderType, Side, TimeInForce, TradeUpdate
from ingenium.exchange import ExecutionReport, FillPolicy, PaperExchange
from ingenium.trading import Bar, Order

START = datetime(2024, 1, 2, tzinfo=UTC)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
D = Decimal


def bar(day: int, prices: str, *, volume: str = "", symbol: str = "AAPL") -> Bar:
    open_, high, low, close = prices.split()
    return Bar.make(
        symbol,
        START + day * DAY,
        open=open_,
        high=high,
        low=low,
        close=close,
        volume=volume,
        period=DAY,
    )


def minute_bar(time: datetime, prices: str = "100 101 99 100", *, volume: str = "") -> Bar:
    open_, high, low, close = prices.split()
    return Bar.make(
        "AAPL", time, open=open_, high=high, low=low, close=close, volume=volume, period=MINUTE
    )


def order(side: Side = Side.BUY, quantity: str = "10", **fields: Any) -> Order:
    limit = fields.get("limit_price")
    kind = OrderType.MARKET if limit is None else OrderType.LIMIT
    values: dict[str, Any] = {
        "id": "order_1",
        "symbol": "AAPL",
        "type": kind,
        "time_in_force": TimeInForce.GTC,
    }
    return Order(side=side, quantity=D(quantity), **(values | fields))


def opened(policy: FillPolicy | None = None) -> PaperExchange:
    """Make an exchange that has seen the bar of day 0."""
    exchange = PaperExchange(policy)
    exchange.on_bar(bar(0, "100 101 99 100"))
    return exchange


def submit(exchange: PaperExchange, *orders: Order) -> None:
    for each in orders:
        [report] = exchange.submit(each, START + DAY)
        assert report.update is TradeUpdate.NEW, report.reason


def fills(reports: list[ExecutionReport]) -> list[tuple[Decimal, Decimal]]:
    return [(r.quantity, r.price) for r in reports if r.price is not None]


# Worked cases.


def test_case_c_buy_limit_gap_below_fills_at_the_open() -> None:
    exchange = opened()
    submit(exchange, order(limit_price=D(100)))
    [report] = exchange.on_bar(bar(1, "95 99 94 98"))
    assert report.price == 95
    assert report.time == START + DAY, "a fill at the open happens at the start of the bar"


def test_case_c_buy_limit_without_price_improvement_fills_at_the_limit() -> None:
    exchange = opened(FillPolicy(price_improvement=False))
    submit(exchange, order(limit_price=D(100)))
    assert fills(exchange.on_bar(bar(1, "95 99 94 98"))) == [(D(10), D(100))]


def test_case_c_sell_limit_gap_above_fills_at_the_open() -> None:
    exchange = opened()
    submit(exchange, order(Side.SELL, limit_price=D(100)))
    assert fills(exchange.on_bar(bar(1, "105 106 101 102"))) == [(D(10), D(105))]


def test_case_d_buy_limit_touched_does_not_fill() -> None:
    exchange = opened()
    submit(exchange, order(limit_price=D(94)))
    assert exchange.on_bar(bar(1, "95 99 94 98")) == []
    assert len(exchange.working) == 1


def test_case_d_buy_limit_touched_fills_with_touch_fills() -> None:
    exchange = opened(FillPolicy(touch_fills=True))
    submit(exchange, order(limit_price=D(94)))
    [report] = exchange.on_bar(bar(1, "95 99 94 98"))
    assert report.price == 94
    assert report.time == START + 2 * DAY, "when within the bar is not known, so at its end"


@pytest.mark.parametrize(("touch", "expected"), [(False, 0), (True, 1)])
def test_case_d_sell_limit_touched_mirrors_the_buy(touch: bool, expected: int) -> None:
    exchange = opened(FillPolicy(touch_fills=touch))
    submit(exchange, order(Side.SELL, limit_price=D(99)))
    assert len(exchange.on_bar(bar(1, "95 99 94 98"))) == expected


def test_case_g_market_order_over_the_volume_cap_fills_in_parts() -> None:
    exchange = opened()
    submit(exchange, order(quantity="100"))
    [first] = exchange.on_bar(bar(1, "100 101 99 100", volume="300"))
    assert first.update is TradeUpdate.PARTIAL_FILL
    assert (first.quantity, first.leaves, first.price) == (D(30), D(70), D(100))
    [second] = exchange.on_bar(bar(2, "102 103 101 102", volume="10000"))
    assert second.update is TradeUpdate.FILLED
    assert (second.quantity, second.leaves, second.price) == (D(70), D(0), D(102))
    assert (exchange.notes.fills, exchange.notes.capped_fills) == (2, 1)


# Market and limit orders.


@pytest.mark.parametrize("side", Side)
def test_market_order_fills_at_the_open_of_the_next_bar(side: Side) -> None:
    exchange = opened()
    submit(exchange, order(side))
    [report] = exchange.on_bar(bar(1, "97.5 101 95 100"))
    assert report.update is TradeUpdate.FILLED
    assert report.price == D("97.5")
    assert report.time == START + DAY
    assert exchange.working == []


def test_limit_order_within_the_bar_fills_at_the_limit() -> None:
    exchange = opened()
    submit(exchange, order(limit_price=D(97)))
    assert fills(exchange.on_bar(bar(1, "100 101 95 100"))) == [(D(10), D(97))]


def test_limit_order_never_slips() -> None:
    from ingenium.exchange import SlippageTicks

    exchange = PaperExchange(slippage=SlippageTicks(5))
    exchange.is_waiting("AAPL")
    submit(exchange, order(limit_price=D(97)))
    assert fills(exchange.on_bar(bar(1, "100 101 95 100"))) == [(D(10), D(97))]


def test_order_is_not_filled_by_a_bar_that_started_before_it_came() -> None:
    exchange = opened()
    exchange.submit(order(), START + DAY + MINUTE)
    assert exchange.on_bar(bar(1, "100 101 99 100")) == []
    assert len(exchange.on_bar(bar(2, "100 101 99 100"))) == 1


def test_order_is_filled_by_bars_of_its_own_symbol_only() -> None:
    exchange = opened()
    submit(exchange, order())
    assert exchange.on_bar(bar(1, "5 5 5 5", symbol="MSFT")) == []


def test_orders_of_one_bar_are_reported_in_the_order_in_which_they_came() -> None:
    exchange = opened()
    submit(exchange, order(id="b"), order(id="a", side=Side.SELL), order(id="c"))
    reports = exchange.on_bar(bar(1, "100 101 99 100"))
    assert [report.order.id for report in reports] == ["b", "a", "c"]


def test_bar_whose_open_is_outside_of_high_and_low_is_widened_and_counted() -> None:
    exchange = opened()
    submit(exchange, order())
    assert fills(exchange.on_bar(bar(1, "102 101 99 100"))) == [(D(10), D(102))]
    assert exchange.notes.inconsistent_bars == 1


# Volume.


@pytest.mark.parametrize("volume", ["", "0"])
def test_unknown_volume_is_not_capped_and_is_counted(volume: str) -> None:
    exchange = opened()
    submit(exchange, order(quantity="1000000"))
    [report] = exchange.on_bar(bar(1, "100 101 99 100", volume=volume))
    assert report.update is TradeUpdate.FILLED
    assert exchange.notes.uncapped_fills == 1


def test_volume_cap_none_fills_all() -> None:
    exchange = opened(FillPolicy(volume_cap=None))
    submit(exchange, order(quantity="100"))
    [report] = exchange.on_bar(bar(1, "100 101 99 100", volume="1"))
    assert report.update is TradeUpdate.FILLED


def test_volume_cap_fills_whole_shares_of_an_order_of_whole_shares() -> None:
    exchange = opened()
    submit(exchange, order(quantity="100.00"), order(id="fine", quantity="100.5"))
    reports = exchange.on_bar(bar(1, "100 101 99 100", volume="309"))
    assert [report.quantity for report in reports] == [D(30), D("30.9")]


def test_volume_cap_below_one_step_fills_nothing_and_is_counted() -> None:
    exchange = opened()
    submit(exchange, order(quantity="100"))
    assert exchange.on_bar(bar(1, "100 101 99 100", volume="9")) == []
    assert exchange.notes.skipped_fills == 1
    assert len(exchange.working) == 1


# Time in force.


def test_day_order_on_daily_bars_expires_with_the_first_bar_that_could_fill_it() -> None:
    exchange = opened()
    submit(exchange, order(limit_price=D(50), time_in_force=TimeInForce.DAY))
    [report] = exchange.on_bar(bar(1, "100 101 99 100"))
    assert report.update is TradeUpdate.EXPIRED
    assert report.reason == "day: the session is over"
    assert report.time == START + 2 * DAY
    assert exchange.working == []


def test_day_order_partly_filled_expires_with_the_rest() -> None:
    exchange = opened()
    submit(exchange, order(quantity="100", time_in_force=TimeInForce.DAY))
    reports = exchange.on_bar(bar(1, "100 101 99 100", volume="300"))
    assert [r.update for r in reports] == [TradeUpdate.PARTIAL_FILL, TradeUpdate.EXPIRED]
    assert exchange.on_bar(bar(2, "100 101 99 100")) == []


def test_day_order_on_minute_bars_works_to_the_end_of_the_day_in_utc() -> None:
    exchange = PaperExchange()
    exchange.on_bar(minute_bar(START))
    day_order = order(limit_price=D(50), time_in_force=TimeInForce.DAY)
    exchange.submit(day_order, START + MINUTE)
    assert exchange.on_bar(minute_bar(START + MINUTE)) == []
    assert exchange.on_bar(minute_bar(START + DAY - 2 * MINUTE)) == []
    [report] = exchange.on_bar(minute_bar(START + DAY - MINUTE))
    assert report.update is TradeUpdate.EXPIRED
    assert report.time == START + DAY


def test_day_order_on_bars_with_a_gap_expires_at_midnight_all_the_same() -> None:
    exchange = PaperExchange()
    exchange.on_bar(minute_bar(START))
    exchange.submit(order(limit_price=D(50), time_in_force=TimeInForce.DAY), START + MINUTE)
    assert exchange.on_bar(minute_bar(START + MINUTE)) == []
    [report] = exchange.on_bar(minute_bar(START + DAY + MINUTE, "40 41 39 40"))
    assert report.update is TradeUpdate.EXPIRED
    assert report.time == START + DAY


def test_day_order_after_the_last_bar_works_through_the_next_day() -> None:
    exchange = PaperExchange()
    exchange.on_bar(minute_bar(START + DAY - MINUTE))
    day_order = order(limit_price=D(50), time_in_force=TimeInForce.DAY)
    exchange.submit(day_order, START + DAY)
    assert exchange.on_bar(minute_bar(START + DAY)) == []
    [report] = exchange.on_bar(minute_bar(START + DAY + MINUTE, "40 41 39 40"))
    assert report.update is TradeUpdate.FILLED


def test_gtc_order_works_for_ever() -> None:
    exchange = opened()
    submit(exchange, order(limit_price=D(50)))
    for day in range(1, 400):
        assert exchange.on_bar(bar(day, "100 101 99 100")) == []
    assert fills(exchange.on_bar(bar(400, "49 51 48 50"))) == [(D(10), D(49))]


def test_ioc_order_fills_what_the_next_bar_allows_and_cancels_the_rest() -> None:
    exchange = opened()
    submit(exchange, order(quantity="100", time_in_force=TimeInForce.IOC))
    filled, canceled = exchange.on_bar(bar(1, "100 101 99 100", volume="300"))
    assert filled.quantity == 30
    assert canceled.update is TradeUpdate.CANCELED
    assert canceled.reason.startswith("ioc")
    assert exchange.working == []


@pytest.mark.parametrize(
    ("volume", "updates"),
    [("300", [TradeUpdate.CANCELED]), ("1000", [TradeUpdate.FILLED])],
)
def test_fok_order_fills_all_or_nothing(volume: str, updates: list[TradeUpdate]) -> None:
    exchange = opened()
    submit(exchange, order(quantity="100", time_in_force=TimeInForce.FOK))
    reports = exchange.on_bar(bar(1, "100 101 99 100", volume=volume))
    assert [report.update for report in reports] == updates
    assert exchange.working == []


# Taking, refusing, canceling.


@pytest.mark.parametrize(
    ("refused", "reason"),
    [
        (order(id=""), "order Id is missing"),
        (order(symbol="NONE"), "order Symbol 'NONE' has had no data"),
        (order(type=OrderType.STOP, stop_price=D(90)), "StopPrice 90 is not above the last"),
        (
            order(Side.SELL, type=OrderType.STOP, stop_price=D(100)),
            "StopPrice 100 is not below the last price 100",
        ),
        (
            order(type=OrderType.STOP, stop_price=D(110), time_in_force=TimeInForce.IOC),
            "'ioc' does not go with Type 'stop'",
        ),
        (
            order(type=OrderType.STOP, stop_price=D(110), time_in_force=TimeInForce.OPG),
            "'opg' does not go with Type 'stop'",
        ),
    ],
)
def test_submit_of_what_is_not_worked_is_rejected_with_the_reason(
    refused: Order, reason: str
) -> None:
    exchange = opened()
    [report] = exchange.submit(refused, START + DAY)
    assert report.update is TradeUpdate.REJECTED
    assert reason in report.reason
    assert report.leaves == 0
    assert exchange.working == []


def test_submit_of_a_known_id_is_passed_over_and_counted() -> None:
    exchange = opened()
    submit(exchange, order())
    assert exchange.submit(order(), START + DAY) == []
    assert len(exchange.on_bar(bar(1, "100 101 99 100"))) == 1
    assert exchange.submit(order(), START + 2 * DAY) == [], "not even after it was filled"
    assert exchange.notes.repeated_orders == 2


def test_cancel_ends_a_working_order_once() -> None:
    exchange = opened()
    submit(exchange, order(quantity="100"))
    exchange.on_bar(bar(1, "100 101 99 100", volume="300"))
    [report] = exchange.cancel("order_1", START + 2 * DAY)
    assert report.update is TradeUpdate.CANCELED
    assert report.reason == "canceled on request"
    assert exchange.cancel("order_1", START + 2 * DAY) == []
    assert exchange.on_bar(bar(2, "100 101 99 100")) == []


def test_cancel_of_an_unknown_order_says_nothing() -> None:
    assert opened().cancel("order_9", START) == []


# The policy.


def test_policy_is_named_after_what_differs_from_the_standard() -> None:
    assert FillPolicy().name == "conservative-v1"
    changed = FillPolicy(touch_fills=True, volume_cap=None)
    assert changed.name == "conservative-v1 with touch_fills=True, volume_cap=None"
    assert FillPolicy(touch_fills=True, name="mine").name == "mine"


@pytest.mark.parametrize("cap", [D(0), D("1.1"), D(-1), 0.1, D("NaN")])
def test_policy_volume_cap_that_is_no_part_is_refused(cap: Any) -> None:
    with pytest.raises(ConfigError, match="volume_cap is"):
        FillPolicy(volume_cap=cap)
