"""Orders and reports that a backtest hands over give what their events give, to the byte."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product
from random import Random
from typing import Any

import pytest

from ingenium import App, Bar, Ingestor, Portfolio, Strategy
from ingenium.backtest import replay
from ingenium.brokers import PaperExecutor
from ingenium.components import handle_of
from ingenium.errors import ComponentError, InvalidOrderError
from ingenium.events import DenialReason, ExecutionEvent, OrderEvent, Signal, SignalEvent
from ingenium.exchange import (
    FeeBasisPoints,
    FeeModel,
    SlippageBasisPoints,
)
from ingenium.risk import Denial
from ingenium.runtime.replay import ReplayResult
from ingenium.trading import Order

START = datetime(2024, 1, 1, tzinfo=UTC)
BARS = 150
QUANTITIES: tuple[Any, ...] = (1, Decimal("20.0"), "0.50", Decimal("1E+1"), 3)


class Walk(Ingestor):
    """Bars of a random walk, with zeros at the end of some prices."""

    def __init__(self, seed: int) -> None:
        super().__init__(name="walk")
        self.random = Random(seed)

    def read_bars(self) -> Iterator[Bar]:
        close = Decimal("100.00")
        for number in range(BARS):
            first, close = close, close + Decimal(self.random.randint(-150, 150)) / 100
            yield Bar.make(
                "AB"[number % 2],
                START + timedelta(minutes=number),
                open=str(first), high=f"{max(first, close) + 1:.2f}",
                low=f"{min(first, close) - 1:.2f}", close=str(close),
                volume=str(self.random.randint(1, 60)), period=timedelta(minutes=1),
            )  # fmt: skip


class Each(Strategy):
    def on_bar(self, bar: Bar) -> None:
        self.send_signal(bar.symbol, Signal.LONG)


class Trader(Portfolio):
    """Orders of all kinds by chance; some are canceled or replaced."""

    def __init__(self, seed: int) -> None:
        super().__init__(name="trader")
        self.random = Random(seed)

    def on_signal(self, event: SignalEvent) -> None:
        random, symbol = self.random, event.symbol
        if random.random() < 0.6:
            return
        last = self.price(symbol)
        assert last is not None
        fields: dict[str, Any] = random.choice(
            [
                {},
                {},
                {"type": "limit", "limit_price": last - Decimal("0.50")},
                {"type": "stop", "stop_price": str(last + 1)},
                {"type": "trailing_stop", "trail_percent": Decimal("0.250")},
                {"take_profit": last + 2, "stop_loss": last - 2},
                {"time_in_force": "ioc"},
            ]
        )
        side = random.choice(["buy", "sell"])
        if side == "sell" and "take_profit" in fields:
            fields = {"take_profit": last - 2, "stop_loss": last + 2}
        order = self.send_order(symbol, side, random.choice(QUANTITIES), **fields)
        for order_id in random.sample(sorted(self.orders), min(1, len(self.orders))):
            if random.random() < 0.2:
                self.cancel_order(order_id)
            elif random.random() < 0.2 and order_id != order.id:
                try:
                    self.replace_order(order_id, quantity=random.choice(QUANTITIES))
                except InvalidOrderError:
                    continue


class SeeingTrader(Trader):
    """Wants each execution as an event."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.seen: list[str] = []

    def on_execution(self, event: ExecutionEvent) -> None:
        assert event.timestamp == self.now
        self.seen.append(event.id)


class OrderSeeing(PaperExecutor):
    def on_order(self, event: OrderEvent) -> None:
        assert event.id
        assert event.timestamp == self.now
        super().on_order(event)


class ReportSeeing(PaperExecutor):
    def send_execution(self, event: ExecutionEvent) -> ExecutionEvent:
        assert not event.id
        return super().send_execution(event)


class Refusing(PaperExecutor):
    """Says no to some orders, by an event beside the reports of the others."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        admit = self.risk.admit

        def refuse(order: Order, replaces: Order | None = None) -> Denial | None:
            if order.quantity == 3:
                return Denial(DenialReason.MAX_ORDER_QUANTITY, "three is too many")
            return admit(order, replaces)

        self.risk.admit = refuse  # type: ignore[method-assign]


class RefusingOrderSeeing(Refusing, OrderSeeing):
    pass


def run(
    seed: int,
    trader: type[Trader],
    executor: type[PaperExecutor],
    *,
    digest: bool = True,
    fees: FeeModel | None = None,
) -> tuple[ReplayResult, Trader]:
    portfolio = trader(seed)
    app = App(
        ingestors=[Walk(seed)],
        strategies=[Each(name="each")],
        portfolio=portfolio,
        executor=executor(
            fees=fees or FeeBasisPoints(Decimal("1.5")),
            slippage=SlippageBasisPoints(Decimal("0.7")),
            cash=20_000,
        ),
    )
    return replay(app, digest=digest), portfolio


def said(result: ReplayResult, portfolio: Trader) -> list[str]:
    """All that the run leaves, as text, so that zeros at the end of numbers count."""
    return [
        str(result.events_digest),
        repr((result.signals, result.orders, result.executions, result.problems)),
        *(
            repr((account.cash, account.commissions, account.positions, list(account.trades)))
            for account in (result.account, portfolio.account)
        ),
        repr(handle_of(portfolio).state_rows()),
        repr(list(portfolio.problems)),
    ]


@pytest.mark.parametrize("seed", range(8))
def test_backtest_is_the_same_with_events_and_without(seed: int) -> None:
    direct = said(*run(seed, Trader, PaperExecutor))
    for trader, executor in product(
        (Trader, SeeingTrader), (PaperExecutor, OrderSeeing, ReportSeeing)
    ):
        assert said(*run(seed, trader, executor)) == direct
    result, _ = run(seed, Trader, PaperExecutor)
    assert result.executions > result.orders > 20
    assert result.trades


def test_executor_that_refuses_orders_is_asked_for_each() -> None:
    result, portfolio = run(2, Trader, Refusing)
    assert said(result, portfolio) == said(*run(2, SeeingTrader, RefusingOrderSeeing))
    assert result.events_digest != run(2, Trader, PaperExecutor)[0].events_digest


@pytest.mark.parametrize("seed", range(4))
def test_backtest_without_digest_books_the_same(seed: int) -> None:
    with_digest, without = (
        said(*run(seed, Trader, PaperExecutor, digest=digest)) for digest in (True, False)
    )
    assert with_digest[0]
    assert not without[0]
    assert with_digest[1:] == without[1:]


def test_portfolio_that_looks_sees_each_execution_once() -> None:
    result, portfolio = run(1, SeeingTrader, PaperExecutor)
    assert isinstance(portfolio, SeeingTrader)
    assert len(portfolio.seen) == len(set(portfolio.seen)) == result.executions


class _Odd(FeeModel):
    """A fee that no event can hold."""

    def fee(self, quantity: Decimal, price: Decimal, *, is_first: bool) -> Decimal:
        return Decimal("0.12345678901234567890123456789")


def test_report_that_no_event_can_hold_is_a_problem_as_on_a_bus() -> None:
    result, portfolio = run(1, Trader, PaperExecutor, fees=_Odd())
    assert "0.12345678901234567890123456789" in result.problems[0]
    assert "Commission" in portfolio.problems[0]
    assert said(result, portfolio) == said(*run(1, SeeingTrader, ReportSeeing, fees=_Odd()))


class _Failing(Trader):
    def on_signal(self, event: SignalEvent) -> None:
        order = self.send_order(event.symbol, "buy", 1)
        raise RuntimeError(order.id)


def test_order_of_a_handler_that_raises_is_withdrawn() -> None:
    portfolio = _Failing(1)
    app = App(
        ingestors=[Walk(1)],
        strategies=[Each(name="each")],
        portfolio=portfolio,
        executor=PaperExecutor(),
    )
    with pytest.raises(ComponentError, match="order_"):
        replay(app)
    assert not portfolio.orders


def test_order_has_the_numbers_of_its_event() -> None:
    portfolio = Trader(1)
    handle_of(portfolio).begin("cause", START)
    order = portfolio.send_order(
        "A", "buy", Decimal("20.00"), type="limit", limit_price=Decimal("1.10")
    )
    assert (str(order.quantity), str(order.limit_price)) == ("20", "1.1")
