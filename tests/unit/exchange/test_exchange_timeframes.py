"""Bars of several lengths of one symbol, bars without volume, and caps below one share."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from support.exchanging import DAY, START, D, bar, opened, order, prices, submit

from ingenium import App, Portfolio, Strategy, backtest
from ingenium.brokers import PaperExecutor
from ingenium.components import Ingestor
from ingenium.errors import ConfigError
from ingenium.events import ExecutionEvent, OrderType, Side, TimeInForce, TradeUpdate
from ingenium.exchange import FillPolicy, PaperExchange
from ingenium.trading import Bar

HOUR = timedelta(hours=1)


def made(start: Any, period: timedelta, shape: str = "100 101 99 100", volume: str = "") -> Bar:
    open_, high, low, close = shape.split()
    return Bar.make(
        "AAPL",
        start,
        open=open_,
        high=high,
        low=low,
        close=close,
        volume=volume,
        period=period,
    )


class Bars(Ingestor):
    def __init__(self, name: str, bars: Iterable[Bar]) -> None:
        super().__init__(name)
        self.bars = list(bars)

    def read_bars(self) -> Any:
        return iter(self.bars)


class Once(Portfolio):
    """Sends one order at a time, with the first bar that is known then."""

    def __init__(self, at: Any, **fields: Any) -> None:
        super().__init__(1_000_000)
        self.at, self.fields = at, fields
        self.fills: list[tuple[Any, Decimal, Decimal]] = []

    def on_bar(self, bar: Bar) -> None:
        if self.fields and bar.end >= self.at:
            fields, self.fields = self.fields, {}
            self.send_order("AAPL", time_in_force="gtc", **fields)

    def on_execution(self, event: ExecutionEvent) -> None:
        if D(event.quantity):
            at = event.execution_timestamp
            self.fills.append((at, D(event.quantity), D(event.price or 0)))


def hours() -> list[Bar]:
    """Two days of hours: the price is 100 plus the hour, the volume 50."""
    found = []
    for hour in range(48):
        price = 100 + hour % 24
        shape = f"{price} {price} {price} {price}"
        found.append(made(START + hour * HOUR, HOUR, shape, "50"))
    return found


def days() -> list[Bar]:
    return [made(START + day * DAY, DAY, "100 123 100 123", "1200") for day in range(2)]


def run(at: Any, *, days_first: bool, has_hours: bool = True, **fields: Any) -> Once:
    portfolio = Once(at, **fields)
    feeds: list[Ingestor] = [Bars("days", days())]
    if has_hours:
        feeds.insert(1 if days_first else 0, Bars("hours", hours()))
    app = App(
        ingestors=feeds,
        strategies=[Strategy(name="idle")],
        portfolio=portfolio,
        executor=PaperExecutor(),
    )
    backtest.run(app)
    return portfolio


@pytest.mark.parametrize("days_first", [False, True])
@pytest.mark.parametrize("hour", [1, 10, 23, 24, 25])
def test_longer_bar_fills_nothing_that_shorter_ones_can(hour: int, days_first: bool) -> None:
    at = START + hour * HOUR
    portfolio = run(at, days_first=days_first, side="buy", quantity=1_000)
    # A tenth of 50 an hour, at its open, and never a tenth of a day, or its open from before.
    expected = [(at + i * HOUR, D(5), D(100 + (hour + i) % 24)) for i in range(48 - hour)]
    assert portfolio.fills == expected


@pytest.mark.parametrize("days_first", [False, True])
def test_low_of_a_day_from_before_the_order_does_not_fill_it(days_first: bool) -> None:
    at = START + 5 * HOUR
    limit: dict[str, Any] = {"type": "limit", "limit_price": 102}
    portfolio = run(at, days_first=days_first, side="buy", quantity=5, **limit)
    # The first day was below it before 2:00, the second one is again.
    assert portfolio.fills == [(START + DAY, D(5), D(100))]


@pytest.mark.parametrize("is_day_first", [False, True])
def test_order_for_the_close_is_filled_by_the_last_of_the_shorter_bars(is_day_first: bool) -> None:
    exchange = opened()
    submit(exchange, order(Side.BUY, "100", time_in_force=TimeInForce.CLS))
    bars = [made(START + DAY + hour * HOUR, HOUR, volume="50") for hour in range(24)]
    bars.insert(23 if is_day_first else 24, made(START + DAY, DAY, volume="1200"))
    filled = [r for each in bars for r in exchange.on_bar(each) if r.quantity]
    # A tenth of the last hour, not of the day.
    assert [(r.quantity, r.price) for r in filled] == [(D(5), D(100))]


def test_longer_bars_fill_where_there_are_no_shorter_ones() -> None:
    portfolio = run(START + DAY, days_first=True, has_hours=False, side="buy", quantity=5)
    assert portfolio.fills == [(START + DAY, D(5), D(100))]


def test_protective_orders_live_off_the_shorter_bars() -> None:
    bracket: dict[str, Any] = {"take_profit": 130, "stop_loss": 99}
    portfolio = run(START + 5 * HOUR, days_first=True, side="buy", quantity=5, **bracket)
    # The low of neither day comes after the entry at 105 and below the stop.
    assert portfolio.fills == [(START + 5 * HOUR, D(5), D(105))]


def test_bars_of_which_one_covers_the_other_are_counted() -> None:
    exchange = opened()
    submit(exchange, order(Side.BUY, "100"))
    assert len(exchange.on_bar(made(START + DAY, HOUR, volume="100"))) == 1
    assert exchange.on_bar(made(START + DAY, DAY, volume="10000")) == []
    assert exchange.on_bar(made(START + DAY, HOUR, volume="100")) == []  # sent again
    assert exchange.notes.overlapping_bars == 2
    assert len(exchange.on_bar(made(START + DAY + HOUR, HOUR, volume="100"))) == 1
    assert len(exchange.on_bar(made(START + 2 * DAY, DAY, volume="100"))) == 1


# Volume.


@pytest.mark.parametrize("volume", ["", "0"])
@pytest.mark.parametrize("kind", ["market", "limit", "stop", "trailing_stop"])
def test_bar_without_volume_fills_or_lets_wait(kind: str, volume: str) -> None:
    prices_of: dict[str, dict[str, Any]] = {
        "market": {},
        "limit": {"limit_price": "100.50"},
        "stop": {"stop_price": "100.50"},
        "trailing_stop": {"trail_price": "1"},
    }
    for word, count in (("fill", 1), ("wait", 0)):
        exchange = opened(policy=FillPolicy(no_volume=word))  # type: ignore[arg-type]
        submit(exchange, order(Side.BUY, type=OrderType(kind), **prices_of[kind]))
        reports = exchange.on_bar(bar(1, "100 102 99 100", volume=volume))
        assert len(prices(reports)) == count
        assert exchange.notes.bars_without_volume == (word == "wait")
        assert exchange.notes.uncapped_fills == count
        # Nothing was traded there, so nothing was triggered either.
        later = exchange.on_bar(bar(2, "100 102 99 100", volume="1000"))
        assert len(prices(later)) == 1 - count


def test_protective_orders_wait_for_volume_too() -> None:
    exchange = opened(policy=FillPolicy(no_volume="wait"))
    submit(exchange, order(Side.BUY, stop_loss="95", take_profit="108"))
    exchange.on_bar(bar(1, "100 101 99 100", volume="1000"))
    assert exchange.on_bar(bar(2, "94 110 93 100")) == []
    assert prices(exchange.on_bar(bar(3, "100 101 94 96", volume="1000"))) == [D(95)]


@pytest.mark.parametrize(
    ("time_in_force", "update"),
    [
        (TimeInForce.IOC, TradeUpdate.CANCELED),
        (TimeInForce.FOK, TradeUpdate.CANCELED),
        (TimeInForce.DAY, TradeUpdate.EXPIRED),
    ],
)
def test_order_for_one_bar_ends_with_one_without_volume(
    time_in_force: TimeInForce, update: TradeUpdate
) -> None:
    exchange = opened(policy=FillPolicy(no_volume="wait"))
    submit(exchange, order(Side.BUY, time_in_force=time_in_force))
    assert [r.update for r in exchange.on_bar(bar(1, "100 101 99 100"))] == [update]


def test_word_for_bars_without_volume_is_checked_and_named() -> None:
    with pytest.raises(ConfigError, match="use 'fill' or 'wait'"):
        FillPolicy(no_volume="skip")  # type: ignore[arg-type]
    assert FillPolicy(no_volume="wait").name == "conservative-v1 with no_volume=wait"
    assert FillPolicy().name == "conservative-v1"


@pytest.mark.parametrize(("quantity", "filled"), [("10", 0), ("10.5", "0.5"), ("0.4", "0.4")])
def test_cap_below_one_share_fills_whole_steps_only(quantity: str, filled: Any) -> None:
    exchange: PaperExchange = opened()
    submit(exchange, order(Side.BUY, quantity))
    reports = exchange.on_bar(bar(1, "100 101 99 100", volume="5"))
    assert sum(report.quantity for report in reports) == D(filled)
    assert exchange.notes.skipped_fills == (not filled)
