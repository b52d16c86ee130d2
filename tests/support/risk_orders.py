"""Orders and gates for tests of the risk gate."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from ingenium.events import OrderType, Side
from ingenium.risk import RiskGate, RiskLimits
from ingenium.trading import Order

NOW = datetime(2024, 1, 2, 15, tzinfo=UTC)
D = Decimal
TEN_THOUSAND = D(10_000)
OFF: dict[str, Any] = {
    "price_collar": None,
    "max_orders_per_second": None,
    "symbol_burst": 0,
    "duplicate_seconds": None,
}


@dataclass
class View:
    """An account made up for a test."""

    positions: dict[str, Decimal] = field(default_factory=dict)
    buys: dict[str, Decimal] = field(default_factory=dict)
    sells: dict[str, Decimal] = field(default_factory=dict)
    prices: dict[str, Decimal] = field(default_factory=lambda: {"AAPL": D(100)})
    equity: Decimal = TEN_THOUSAND
    open_orders: int = 0

    def symbols(self) -> set[str]:
        return {*self.positions, *self.buys, *self.sells}

    def position(self, symbol: str) -> Decimal:
        return self.positions.get(symbol, D(0))

    def leaves(
        self, symbol: str, side: Side, types: Collection[OrderType] | None = None
    ) -> Decimal:
        return (self.buys if side is Side.BUY else self.sells).get(symbol, D(0))

    def price(self, symbol: str) -> Decimal | None:
        return self.prices.get(symbol)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def gate(**limits: Any) -> RiskGate:
    """A gate with these limits alone."""
    return RiskGate(RiskLimits(**(OFF | limits)), "portfolio")


def order(side: str = "buy", quantity: object = 10, **fields: Any) -> Order:
    values: dict[str, Any] = {"symbol": "AAPL"} | fields
    return Order(side=Side(side), quantity=D(str(quantity)), **values)


def limit(price: object, side: str = "buy", quantity: object = 10) -> Order:
    return order(side, quantity, type=OrderType.LIMIT, limit_price=D(str(price)))


def stop(price: object, side: str = "sell") -> Order:
    return order(side, type=OrderType.STOP, stop_price=D(str(price)))


def reason(
    limits: dict[str, Any], order: Order, view: View | None = None, **more: Any
) -> str | None:
    denial = gate(**limits).check(order, view or View(**more), NOW)
    return None if denial is None else denial.reason.value


def long(quantity: object) -> dict[str, Decimal]:
    return {"AAPL": D(str(quantity))}
