"""What an account can pay for is filled, and what frees cash comes before what needs it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from support.exchanging import DAY, START, D, bar, opened, order

from ingenium import App, Portfolio, Strategy, backtest
from ingenium.brokers import PaperExecutor
from ingenium.components import Ingestor
from ingenium.errors import ConfigError
from ingenium.events import ExecutionEvent, OrderType, Side, TimeInForce, TradeUpdate
from ingenium.exchange import (
    ExecutionReport,
    FeePerOrder,
    FeePerShare,
    FillCounters,
    PaperExchange,
    SlippageBasisPoints,
)
from ingenium.trading import Bar, Order

BUY, SELL = Side.BUY, Side.SELL


def send(exchange: PaperExchange, made: Order, day: int = 1) -> ExecutionReport:
    return exchange.submit(made, START + day * DAY)[0]


def flat(day: int, price: str, **options: Any) -> Bar:
    return bar(day, f"{price} {price} {price} {price}", **options)


def shown(reports: list[ExecutionReport]) -> list[tuple[str, Decimal]]:
    return [(report.update.value, report.quantity) for report in reports]


# What the cash pays.


def test_all_in_over_a_gap_of_a_cent_buys_what_the_cash_pays() -> None:
    exchange = opened(cash=10_000)
    assert send(exchange, order(BUY, "100")).update is TradeUpdate.NEW
    filled, canceled = exchange.on_bar(flat(1, "100.01"))
    assert (filled.update, filled.quantity, filled.leaves) == (
        TradeUpdate.PARTIAL_FILL,
        D(99),
        D(1),
    )
    assert (canceled.update, canceled.leaves) == (TradeUpdate.CANCELED, D(0))
    assert canceled.reason == (
        "reduced to 99: not enough cash: 100 AAPL at 100.01 with fees take 10001.00, "
        "and 10000.00 is free"
    )
    assert exchange.notes.reduced_orders == 1
    assert exchange.working == []


def test_all_in_pays_its_fees_and_slippage_from_the_cash() -> None:
    # 99 shares at 100.10 are 9,909.90, and 5 dollars of fee; a hundredth share costs 10,010 alone.
    exchange = opened(cash=10_000, fees=FeePerOrder(D(5)), slippage=SlippageBasisPoints(D(10)))
    assert send(exchange, order(BUY, "100")).update is TradeUpdate.NEW
    filled = exchange.on_bar(flat(1, "100"))[0]
    assert (filled.quantity, filled.price, filled.commission) == (D(99), D("100.1"), D(5))


@pytest.mark.parametrize("cash", [100, 1_000, 9_999, 12_345])
@pytest.mark.parametrize("price", ["99.99", "100.01", "103.37"])
def test_reduced_order_is_the_largest_that_the_cash_pays(cash: int, price: str) -> None:
    exchange = opened("99", cash=cash, fees=FeePerShare(D("0.05"), minimum=D(1)))
    asked = cash // 99
    assert send(exchange, order(BUY, str(asked))).update is TradeUpdate.NEW
    reports = exchange.on_bar(flat(1, price))
    paid = [n for n in range(asked + 1) if n * D(price) + max(n * D("0.05"), D(1)) <= cash]
    largest = max(paid, default=0)
    assert sum(report.quantity for report in reports) == largest
    if not largest:
        assert [r.update for r in reports] == [TradeUpdate.REJECTED]
        assert exchange.notes.rejected_orders == 1


def test_order_of_fractions_is_reduced_to_its_own_step() -> None:
    exchange = opened(cash=1)
    assert send(exchange, order(BUY, "0.010")).update is TradeUpdate.NEW
    exchange = opened(cash=1)
    assert send(exchange, order(BUY, "0.0099")).update is TradeUpdate.NEW
    # 0.0099 at 102 would be 1.0098; 0.0098 is 0.9996.
    assert exchange.on_bar(flat(1, "102"))[0].quantity == D("0.0098")


def test_fok_is_filled_in_full_or_not_at_all() -> None:
    exchange = opened(cash=1_000)
    send(exchange, order(BUY, "10", time_in_force=TimeInForce.FOK))
    assert shown(exchange.on_bar(flat(1, "101"))) == [("rejected", D(0))]


def test_part_of_a_capped_order_that_the_cash_pays_ends_it() -> None:
    exchange = opened(cash=1_000)
    send(exchange, order(BUY, "10"))
    assert shown(exchange.on_bar(flat(1, "100", volume="50"))) == [("partial_fill", D(5))]
    reports = exchange.on_bar(flat(2, "120", volume="50"))
    assert shown(reports) == [("partial_fill", D(4)), ("canceled", D(0))]


def test_reduced_entry_is_protected() -> None:
    exchange = opened(cash=1_000)
    send(exchange, order(BUY, "10", stop_loss="90"))
    exchange.on_bar(flat(1, "101"))
    assert shown(exchange.on_bar(flat(2, "89"))) == [("filled", D(9))]


def test_sale_through_zero_closes_what_is_held_where_shorts_are_forbidden() -> None:
    exchange = opened(allow_short=False)
    send(exchange, order(BUY, "10"))
    exchange.on_bar(flat(1, "100"))
    assert send(exchange, order(SELL, "20", id="exit"), 2).update is TradeUpdate.NEW
    filled, canceled = exchange.on_bar(flat(2, "100"))
    assert (filled.quantity, canceled.update) == (D(10), TradeUpdate.CANCELED)
    assert "10 are held" in canceled.reason
    assert send(exchange, order(SELL, "1", id="short"), 3).update is TradeUpdate.REJECTED


def test_cover_through_zero_closes_the_short_and_buys_what_the_cash_pays() -> None:
    exchange = opened(cash=1_000)
    send(exchange, order(SELL, "10"))
    exchange.on_bar(flat(1, "100"))
    assert send(exchange, order(BUY, "30", id="turn"), 2).update is TradeUpdate.NEW
    # 1,000 of the start and 200 of the short: 15 at 80.
    assert exchange.on_bar(flat(2, "80"))[0].quantity == 10 + 15


def test_word_for_what_happens_without_cash_is_checked() -> None:
    with pytest.raises(ConfigError, match="use 'reduce' or 'reject'"):
        PaperExecutor(cash=1, on_insufficient_cash="ignore")  # type: ignore[arg-type]


# Sales before what they pay for.


Orders = dict[int, list[tuple[str, Side, int, dict[str, Any]]]]


class Days(Ingestor):
    """Bars of several symbols that end together."""

    def __init__(self, prices: dict[str, list[str]], name: str = "days") -> None:
        super().__init__(name)
        self.prices = prices

    def read_bars(self) -> Any:
        for day in range(max(len(rows) for rows in self.prices.values())):
            for symbol, rows in sorted(self.prices.items()):
                if day < len(rows) and rows[day]:
                    open_, high, low, close = rows[day].split()
                    yield Bar.make(
                        symbol, START + day * DAY, open=open_, high=high, low=low, close=close,
                        period=DAY,
                    )  # fmt: skip


class Plan(Portfolio):
    """Sends orders at the end of numbered days, in the order in which they stand."""

    def __init__(self, plan: Orders) -> None:
        super().__init__(10_000)
        self.plan = plan
        self.reports: list[tuple[str, str, str]] = []
        self.notes = FillCounters()

    def on_bar(self, bar: Bar) -> None:
        if bar.symbol != max(self.account.marks):
            return
        for symbol, side, quantity, fields in self.plan.pop((bar.end - START) // DAY, []):
            wanted: dict[str, Any] = {"time_in_force": "gtc", **fields}
            self.send_order(symbol, side, quantity, **wanted)

    def on_execution(self, event: ExecutionEvent) -> None:
        self.reports.append((event.symbol, str(event.update), event.quantity))


def play(
    prices: dict[str, list[str]],
    plan: Orders,
    **options: Any,
) -> tuple[Plan, dict[str, Decimal], Decimal]:
    portfolio = Plan(plan)
    app = App(
        ingestors=[Days(prices)],
        strategies=[Strategy(name="idle")],
        portfolio=portfolio,
        executor=PaperExecutor(cash=10_000, **options),
    )
    result = backtest.run(app)
    portfolio.notes = result.notes
    return portfolio, dict(result.account.quantities), result.account.cash


ALL = "100 101 99 100"


@pytest.mark.parametrize("is_sale_first", [True, False])
@pytest.mark.parametrize("names", [("AAA", "ZZZ"), ("ZZZ", "AAA")])
@pytest.mark.parametrize("mode", ["reduce", "reject"])
def test_sale_pays_for_a_purchase_at_the_same_open(
    names: tuple[str, str], is_sale_first: bool, mode: str
) -> None:
    bought, sold = names
    switch = [(sold, SELL, 100, {}), (bought, BUY, 100, {})]
    plan = {1: [(sold, BUY, 100, {})], 3: switch if is_sale_first else switch[::-1]}
    portfolio, quantities, cash = play(
        {name: [ALL] * 6 for name in names}, plan, allow_short=False, on_insufficient_cash=mode
    )
    assert (quantities, cash) == ({bought: D(100)}, D(0))
    # The bars have no volume; each fill is counted once.
    assert portfolio.notes.uncapped_fills == portfolio.notes.fills == 3


def test_several_sales_pay_for_a_purchase_and_the_first_purchase_is_paid_first() -> None:
    names = ["AAA", "BBB", "MMM", "ZZZ"]
    plan = {
        1: [("MMM", BUY, 50, {}), ("ZZZ", BUY, 50, {})],
        2: [
            ("BBB", BUY, 40, {}),
            ("AAA", BUY, 60, {}),
            ("MMM", SELL, 50, {}),
            ("ZZZ", SELL, 50, {}),
        ],
    }
    prices = {name: [ALL] * 4 for name in names} | {"BBB": [ALL, ALL, "101 101 99 100", ALL]}
    portfolio, quantities, cash = play(prices, plan)
    # By time and symbol: AAA in full, and what is left for BBB at 101.
    assert (quantities, cash) == ({"AAA": D(60), "BBB": D(39)}, D(4_000 - 39 * 101))
    assert ("BBB", "canceled", "0") in portfolio.reports


def test_small_purchase_does_not_come_before_a_larger_one_that_is_not_paid_in_full() -> None:
    names = ["AAA", "BBB", "ZZZ"]
    plan: Orders = {
        1: [("ZZZ", BUY, 100, {})],
        2: [("AAA", BUY, 70, {}), ("BBB", BUY, 30, {}), ("ZZZ", SELL, 100, {})],
    }
    prices = {name: [ALL] * 4 for name in names} | {"ZZZ": [ALL, ALL, "60 61 59 60", ALL]}
    _, quantities, cash = play(prices, plan)
    # ZZZ brings 6,000 instead of 10,000: that is 60 of AAA, and nothing of BBB.
    assert (quantities, cash) == ({"AAA": D(60)}, D(0))


def test_short_that_has_lost_does_not_take_from_what_is_free() -> None:
    exchange = opened(cash=10_000)
    send(exchange, order(SELL, "10"))
    exchange.on_bar(flat(1, "100"))
    exchange.is_waiting("AAPL", "250")
    exchange.is_waiting("MSFT", "100")
    # 11,000 less the 2,000 that the short blocks.
    made = Order(id="m", symbol="MSFT", side=BUY, quantity=D(90))
    assert exchange.submit(made, START + 2 * DAY)[0].update is TradeUpdate.NEW


def test_purchase_that_no_sale_pays_is_rejected_by_its_own_bar() -> None:
    plan = {1: [("ZZZ", BUY, 100, {})], 2: [("AAA", BUY, 10, {})]}
    portfolio, quantities, _ = play({"AAA": [ALL] * 4, "ZZZ": [ALL] * 4}, plan)
    assert quantities == {"ZZZ": D(100)}
    assert portfolio.reports[-1] == ("AAA", "rejected", "0")


def test_cover_pays_for_a_new_short() -> None:
    plan = {
        1: [("ZZZ", SELL, 100, {})],
        2: [("AAA", SELL, 100, {}), ("ZZZ", BUY, 100, {})],
    }
    _, quantities, cash = play({"AAA": [ALL] * 4, "ZZZ": [ALL] * 4}, plan)
    assert (quantities, cash) == ({"AAA": D(-100)}, D(20_000))


@pytest.mark.parametrize("target", ["105", "99"])
def test_sale_within_the_bar_does_not_pay_for_a_purchase_at_its_open(target: str) -> None:
    """A target of 105 is reached some time in the day; one of 99 is gone at the open of 100."""
    days = [ALL, ALL, "100 106 99 100", ALL]
    sale = {"type": "limit", "limit_price": target}
    plan: Orders = {
        1: [("ZZZ", BUY, 100, {})],
        2: [("AAA", BUY, 100, {}), ("ZZZ", SELL, 100, sale)],
    }
    _, quantities, _ = play({"AAA": [ALL] * 4, "ZZZ": days}, plan)
    assert quantities == ({} if target == "105" else {"AAA": D(100)})


def test_purchase_that_a_sale_pays_is_protected_on_its_own_bar() -> None:
    plan: Orders = {
        1: [("ZZZ", BUY, 100, {})],
        2: [("AAA", BUY, 100, {"stop_loss": 95}), ("ZZZ", SELL, 100, {})],
    }
    days = [ALL, ALL, "100 101 94 96", ALL]
    _, quantities, cash = play({"AAA": days, "ZZZ": [ALL] * 4}, plan)
    assert (quantities, cash) == ({}, D(9_500))


def test_live_purchase_waits_for_the_bar_of_a_sale_at_the_market() -> None:
    """No end of an instant is known live: the bar of ZZZ, which pays, comes a moment later."""

    def made(symbol: str, day: int) -> Bar:
        return Bar.make(
            symbol, START + day * DAY, open="100", high="101", low="99", close="100", period=DAY
        )

    def sent(id: str, symbol: str, side: Side) -> Order:
        return Order(
            id=id, symbol=symbol, side=side, quantity=D(100), time_in_force=TimeInForce.GTC
        )

    def bought(after: timedelta = timedelta(0)) -> PaperExchange:
        exchange = PaperExchange(cash=10_000)
        for symbol in ("AAA", "ZZZ"):
            exchange.on_bar(made(symbol, 0))
        exchange.submit(sent("first", "ZZZ", BUY), START + DAY)
        exchange.on_bar(made("ZZZ", 1))
        exchange.submit(sent("purchase", "AAA", BUY), START + 2 * DAY)
        exchange.submit(sent("sale", "ZZZ", SELL), START + 2 * DAY + after)
        return exchange

    exchange = bought()
    assert exchange.on_bar(made("AAA", 2)) == []
    assert [(r.order.id, r.update.value) for r in exchange.on_bar(made("ZZZ", 2))] == [
        ("sale", "filled"),
        ("purchase", "filled"),
    ]
    exchange = bought()
    assert exchange.on_bar(made("AAA", 2)) == []
    # ZZZ has no bar that day, so the purchase is not paid, which the next day says.
    assert [(r.order.id, r.update.value) for r in exchange.on_bar(made("AAA", 3))] == [
        ("purchase", "rejected")
    ]
    # The sale came when the day had begun, so that it is not for this day's bar.
    exchange = bought(timedelta(hours=1))
    assert [r.update.value for r in exchange.on_bar(made("AAA", 2))] == ["rejected"]


def test_live_purchase_does_not_wait_for_a_limit_that_may_never_be_reached() -> None:
    exchange = opened(cash=1_000)
    send(exchange, order(BUY, "10"))
    exchange.on_bar(flat(1, "100"))
    far = order(SELL, "10", id="far", type=OrderType.LIMIT, limit_price="200")
    assert send(exchange, far, 2).update is TradeUpdate.NEW
    exchange.is_waiting("MSFT", "10")
    made = Order(id="m", symbol="MSFT", side=BUY, quantity=D(1), time_in_force=TimeInForce.GTC)
    assert exchange.submit(made, START + 2 * DAY)[0].update is TradeUpdate.NEW
    week = Bar.make(
        "MSFT",
        START + 2 * DAY,
        open="10",
        high="10",
        low="10",
        close="10",
        period=timedelta(days=1),
    )
    assert shown(exchange.on_bar(week)) == [("rejected", D(0))]
