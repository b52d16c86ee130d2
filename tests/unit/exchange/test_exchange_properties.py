"""What holds on the paper exchange whatever orders and bars come."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from ingenium.events import (
    ExecutionEvent,
    OrderType,
    Side,
    TimeInForce,
    TradeUpdate,
    decode,
    encode,
)
from ingenium.exchange import ExecutionReport, FeeBasisPoints, FillPolicy, PaperExchange
from ingenium.trading import Account, Bar, Fill, Order

D = Decimal
START = datetime(2024, 1, 2, tzinfo=UTC)
DAY = timedelta(days=1)
TIMES = [TimeInForce.DAY, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK]
ENDED = {
    TradeUpdate.FILLED,
    TradeUpdate.CANCELED,
    TradeUpdate.EXPIRED,
    TradeUpdate.REJECTED,
}

cents = st.integers(5_000, 15_000).map(lambda n: D(n) / 100)


@dataclass
class Day:
    """One bar, and the orders that come before it."""

    prices: list[Decimal]
    volume: int
    orders: list[tuple[Side, int, Decimal | None, TimeInForce]]
    cancels: list[int]


days = st.lists(
    st.builds(
        Day,
        prices=st.lists(cents, min_size=4, max_size=4),
        volume=st.sampled_from([0, 9, 300, 5_000, 1_000_000]),
        orders=st.lists(
            st.tuples(
                st.sampled_from(Side),
                st.integers(1, 500),
                st.none() | cents,
                st.sampled_from(TIMES),
            ),
            max_size=4,
        ),
        cancels=st.lists(st.integers(0, 20), max_size=1),
    ),
    max_size=12,
)
policies = st.builds(
    FillPolicy,
    touch_fills=st.booleans(),
    price_improvement=st.booleans(),
    volume_cap=st.sampled_from([None, D("0.10"), D(1)]),
)


def bar_of(number: int, day: Day) -> Bar:
    first, high, low, last = day.prices
    high, low = max(day.prices), min(day.prices)
    return Bar.make(
        "AAPL",
        START + number * DAY,
        open=str(first),
        high=str(high),
        low=str(low),
        close=str(last),
        volume=str(day.volume),
        period=DAY,
    )


@settings(deadline=None)
@given(days, policies)
def test_exchange_random_orders_conserve_cash_and_shares(
    history: list[Day], policy: FillPolicy
) -> None:
    exchange = PaperExchange(policy, fees=FeeBasisPoints(D("1.5")))
    exchange.is_waiting("AAPL")
    account = Account(D(100_000))
    orders: dict[str, Order] = {}
    filled: dict[str, Decimal] = defaultdict(Decimal)
    ended: dict[str, TradeUpdate] = {}
    cash, shares = Fraction(100_000), Fraction(0)

    def check(report: ExecutionReport, bar: Bar | None) -> None:
        nonlocal cash, shares
        order = report.order
        assert order.id not in ended, "an order that has ended is never heard of again"
        if report.price is not None:
            assert bar is not None
            # Without price improvement, a bar that opens beyond the limit fills at the limit.
            if policy.price_improvement or report.price != order.limit_price:
                assert bar.exact("low") <= report.price <= bar.exact("high")
            assert bar.start <= report.time <= bar.end
            if order.limit_price is not None:
                better = order.limit_price - report.price
                assert better >= 0 if order.side is Side.BUY else better <= 0
            if policy.volume_cap is not None and bar.volume:
                assert report.quantity <= policy.volume_cap * bar.exact("volume")
            filled[order.id] += report.quantity
            assert filled[order.id] + report.leaves == order.quantity
            sign = 1 if order.side is Side.BUY else -1
            shares += sign * Fraction(report.quantity)
            value = sign * Fraction(report.quantity) * Fraction(report.price)
            cash -= value + Fraction(report.commission)
        if report.update is TradeUpdate.FILLED:
            assert filled[order.id] == order.quantity
        if report.update in ENDED:
            ended[order.id] = report.update
            assert report.leaves == 0
        # What the account is told, it is told over the wire.
        event = report.to_event()
        event.id = f"exec_{len(filled)}_{len(ended)}_{report.update}_{order.id}_{report.leaves}"
        fill = Fill.from_event(decode(ExecutionEvent, encode(event)), order)
        if fill is not None:
            assert account.book(fill)

    for number, day in enumerate(history):
        now = START + number * DAY
        for side, quantity, limit, time_in_force in day.orders:
            order = Order(
                id=f"order_{len(orders)}",
                symbol="AAPL",
                side=side,
                quantity=D(quantity),
                type=OrderType.MARKET if limit is None else OrderType.LIMIT,
                limit_price=limit,
                time_in_force=time_in_force,
            )
            orders[order.id] = order
            for report in exchange.submit(order, now):
                assert report.update is TradeUpdate.NEW
                check(report, None)
        for which in day.cancels:
            for report in exchange.cancel(f"order_{which}", now):
                check(report, None)
        bar = bar_of(number, day)
        for report in exchange.on_bar(bar):
            check(report, bar)
        account.mark("AAPL", bar.exact("close"))
        assert Fraction(account.cash) == cash
        assert Fraction(account.position("AAPL").quantity) == shares
        assert Fraction(account.equity) == cash + shares * Fraction(bar.exact("close"))

    working = {order.id for order in exchange.working}
    assert working | set(ended) == set(orders), "every order has ended or still works"
    assert not working & set(ended)
    assert all(orders[id].time_in_force is TimeInForce.GTC for id in working if history)


@settings(deadline=None)
@given(days)
def test_exchange_same_orders_and_bars_give_the_same_reports(history: list[Day]) -> None:
    def run() -> list[bytes]:
        exchange = PaperExchange()
        exchange.is_waiting("AAPL")
        written = []
        for number, day in enumerate(history):
            reports: list[ExecutionReport] = []
            for place, (side, quantity, limit, time_in_force) in enumerate(day.orders):
                order = Order(
                    id=f"order_{number}_{place}",
                    symbol="AAPL",
                    side=side,
                    quantity=D(quantity),
                    type=OrderType.MARKET if limit is None else OrderType.LIMIT,
                    limit_price=limit,
                    time_in_force=time_in_force,
                )
                reports += exchange.submit(order, START + number * DAY)
            reports += exchange.on_bar(bar_of(number, day))
            written += [encode(report.to_event()) for report in reports]
        return written

    assert run() == run()
