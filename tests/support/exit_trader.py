"""A trader with a risk gate, whose orders are exits."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ingenium.components import Portfolio, arm, handle_of
from ingenium.events import (
    ControlEvent,
    DataEvent,
    DenialEvent,
    ExecutionEvent,
    Ohlc,
    OrderEvent,
)
from ingenium.risk import RiskGate, RiskLimits
from ingenium.trading import Order

NOW = datetime(2024, 1, 2, 15, tzinfo=UTC)
OFF = RiskLimits(price_collar=None, max_orders_per_second=None, duplicate_seconds=None)


def prices_of(kind: str, price: int) -> dict[str, Any]:
    return {
        "market": {},
        "limit": {"limit_price": price * 2},
        "stop": {"stop_price": price // 2 + 1},
        "stop_limit": {"stop_price": price // 2 + 1, "limit_price": price // 3 + 1},
        "trailing_stop": {"trail_percent": 10},
    }[kind]


class Trader:
    """A portfolio behind limits, with a position and prices."""

    def __init__(self, position: int = 0, price: int = 100, **limits: Any) -> None:
        self.portfolio = Portfolio(1_000_000)
        arm(self.portfolio, OFF)
        self.now = NOW
        self.count = 0
        self.price(price)
        if position:
            order = self.send("buy" if position > 0 else "sell", abs(position))
            self.fill(order, abs(position), price)
        if limits:
            arm(self.portfolio, RiskLimits(**limits))

    @property
    def gate(self) -> RiskGate:
        gate = handle_of(self.portfolio).risk.gate
        assert gate is not None
        return gate

    def begin(self) -> None:
        self.count += 1
        handle_of(self.portfolio).begin(f"cause {self.count}", self.now)

    def price(self, price: int) -> None:
        self.begin()
        text = str(price)
        ohlc = Ohlc(open=text, high=text, low=text, close=text)
        handle_of(self.portfolio).handle_data(
            DataEvent(symbol="A", timestamp=self.now.isoformat(), ohlc=ohlc)
        )
        handle_of(self.portfolio).take()

    def send(self, side: str, quantity: int, kind: str = "market", price: int = 100) -> Order:
        order, event = self.ask(side, quantity, kind, price)
        assert isinstance(event, OrderEvent), getattr(event, "detail", event)
        return order

    def ask(
        self, side: str, quantity: int, kind: str = "market", price: int = 100, **more: Any
    ) -> tuple[Order, OrderEvent | DenialEvent]:
        self.begin()
        arguments: dict[str, Any] = {"type": kind, **prices_of(kind, price), **more}
        order = self.portfolio.send_order("A", side, quantity, **arguments)
        [event] = [
            e for e in handle_of(self.portfolio).take() if isinstance(e, OrderEvent | DenialEvent)
        ]
        return order, event

    def denied(self, side: str, quantity: int, kind: str = "market", **more: Any) -> DenialEvent:
        _, event = self.ask(side, quantity, kind, **more)
        assert isinstance(event, DenialEvent)
        return event

    def fill(self, order: Order, quantity: int, price: int = 100) -> None:
        self.report(order, quantity=str(quantity), price=str(price), update="partial_fill")

    def report(self, order: Order, **fields: Any) -> None:
        self.begin()
        handle_of(self.portfolio).handle_execution(
            ExecutionEvent(id=f"e{self.count}", order_id=order.id, timestamp=self.now, **fields)
        )
        handle_of(self.portfolio).take()

    def control(self, state: str) -> None:
        self.begin()
        handle_of(self.portfolio).handle_control(
            ControlEvent(id=f"c{self.count}", state=state, sender="ann@trader-1", reason="why")
        )
        handle_of(self.portfolio).take()
