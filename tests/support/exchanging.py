"""Bars, orders and what the paper exchange says about them, in short."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from ingenium.events import OrderType, Side, TimeInForce, TradeUpdate
from ingenium.exchange import ExecutionReport, PaperExchange
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


def told(reports: list[ExecutionReport]) -> list[tuple[str, str, str]]:
    """Return side, update and price of each report."""
    return [
        (r.order.side.value, r.update.value, "" if r.price is None else f"{r.price:f}")
        for r in reports
    ]


def prices(reports: list[ExecutionReport]) -> list[Decimal]:
    return [r.price for r in reports if r.price is not None]
