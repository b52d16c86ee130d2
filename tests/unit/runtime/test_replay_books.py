"""The books of a replay: what an executor of the user's own reports is in the result's account."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from ingenium import App, Executor, Ingestor, Portfolio, backtest
from ingenium.events import (
    CancelEvent,
    ExecutionEvent,
    OrderEvent,
    ReplaceEvent,
    TradeUpdate,
)
from ingenium.trading import Bar

START = datetime(2024, 1, 1, tzinfo=UTC)


class Closes(Ingestor):
    def read_bars(self) -> Iterator[Bar]:
        for day in range(5):
            price = str(100 + day)
            yield Bar.make(
                "X",
                START + timedelta(days=day),
                open=price,
                high=price,
                low=price,
                close=price,
                volume="1000",
                period=timedelta(days=1),
            )


class Plan(Portfolio):
    """Orders at the first bar, and replaces at the second one what was sent, or one of its legs."""

    def __init__(self, order: dict[str, Any], leg: int | None, **changes: Any) -> None:
        super().__init__(Decimal(10_000))
        self.order, self.leg, self.changes, self.count = order, leg, changes, 0

    def on_bar(self, bar: Bar) -> None:
        self.count += 1
        if self.count == 1:
            self.sent = self.send_order(bar.symbol, **self.order)
        elif self.count == 2:
            replaced = self.sent.id
            if self.leg is not None:
                replaced = self.sent.protective_orders()[self.leg].id
            self.replace_order(replaced, **self.changes)


class Own(Executor):
    """Says of each order only what the documented format needs: no symbol, and no side."""

    def __init__(self, *, fills_first: bool) -> None:
        super().__init__()
        self.fills_first = fills_first
        self.last = ""

    def on_bar(self, bar: Bar) -> None:
        if self.last:
            self.fill(self.last, "7", "103")
            self.last = ""

    def fill(self, order_id: str, quantity: str, price: str) -> None:
        self.send_execution(
            ExecutionEvent(
                order_id=order_id,
                update=TradeUpdate.FILLED.value,
                quantity=quantity,
                price=price,
            )
        )

    def on_order(self, event: OrderEvent) -> None:
        if self.fills_first:
            self.fill(event.id or "", event.quantity, "100")

    def on_cancel(self, event: CancelEvent) -> None:
        raise AssertionError

    def on_replace(self, event: ReplaceEvent) -> None:
        self.send_execution(
            ExecutionEvent(order_id=event.order_id, update=TradeUpdate.REPLACED.value)
        )
        self.send_execution(ExecutionEvent(order_id=event.id, update=TradeUpdate.NEW.value))
        self.last = event.id or ""


def run(portfolio: Plan, *, fills_first: bool) -> backtest.BacktestResult:
    return backtest.run(
        App(ingestors=[Closes()], portfolio=portfolio, executor=Own(fills_first=fills_first))
    )


@pytest.mark.parametrize(("side", "held"), [("buy", 7), ("sell", -7)])
def test_fill_of_an_order_that_replaced_another_is_booked(side: str, held: int) -> None:
    order = {"side": side, "quantity": 5, "type": "limit", "limit_price": 90}
    result = run(Plan(order, None, quantity=7), fills_first=False)
    assert result.replay.problems == ()
    assert {p.symbol: p.quantity for p in result.account.positions.values()} == {"X": held}
    assert result.account.cash == 10_000 - held * 103
    assert list(result.equity.equity)[-1] == 10_000 + held * (104 - 103)
    replay = result.replay
    assert (replay.steps, replay.data) == (5, 5)
    assert (replay.first, replay.last) == (START + timedelta(days=1), START + timedelta(days=5))
    assert (replay.signals, replay.orders) == (0, 2)
    # One says that the order is replaced, one that the other works, and one that it is filled.
    assert replay.executions == 3


@pytest.mark.parametrize("leg", [0, 1])
@pytest.mark.parametrize(("side", "sign"), [("buy", 1), ("sell", -1)])
def test_fill_of_what_replaced_a_protective_order_is_booked(leg: int, side: str, sign: int) -> None:
    prices = (150, 50) if side == "buy" else (50, 150)
    order = {"side": side, "quantity": 10, "take_profit": prices[0], "stop_loss": prices[1]}
    price = prices[leg] + (1 if prices[leg] == 50 else -1)
    changes = {"limit_price": price} if leg == 0 else {"stop_price": price}
    result = run(Plan(order, leg, **changes), fills_first=True)
    assert result.replay.problems == ()
    # 10 at 100, of which 7 are closed at 103.
    assert {p.symbol: p.quantity for p in result.account.positions.values()} == {"X": sign * 3}
    assert result.account.cash == 10_000 - sign * (10 * 100 - 7 * 103)
    assert [trade.pnl for trade in result.trades] == [sign * 21]
