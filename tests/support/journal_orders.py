"""Orders, broker reports and fills for tests of the order journal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from ingenium.brokers.broker import BrokerFill, BrokerOrder
from ingenium.brokers.journal_entry import OrderState
from ingenium.brokers.order_journal import OrderJournal
from ingenium.events import ExecutionEvent, Side, TradeUpdate
from ingenium.trading import Order

NOW = datetime(2024, 1, 2, 15, tzinfo=UTC)


def order(id: str = "order_1", quantity: str = "10", **fields: Any) -> Order:
    values: dict[str, Any] = {"symbol": "AAPL", "side": Side.BUY, "quantity": Decimal(quantity)}
    return Order(id=id, **(values | fields))


def told(update: TradeUpdate, filled: str = "0", id: str = "order_1", **fields: Any) -> BrokerOrder:
    values: dict[str, Any] = {
        "venue_order_id": f"b-{id}",
        "symbol": "AAPL",
        "side": Side.BUY,
        "quantity": Decimal(10),
    }
    return BrokerOrder(
        client_order_id=id, update=update, filled=Decimal(filled), **(values | fields)
    )


def fill(
    id: str, quantity: str = "4", order_id: str = "order_1", price: str = "100", **fields: Any
) -> BrokerFill:
    values: dict[str, Any] = {"symbol": "AAPL", "side": Side.BUY, "time": NOW}
    return BrokerFill(
        id=id,
        client_order_id=order_id,
        quantity=Decimal(quantity),
        price=Decimal(price),
        **(values | fields),
    )


def said(events: list[ExecutionEvent]) -> list[tuple[str | None, str]]:
    return [(event.update, event.quantity) for event in events]


def state(journal: OrderJournal, id: str = "order_1") -> OrderState:
    return journal.entries[id].state


def copy(journal: OrderJournal) -> OrderJournal:
    again = OrderJournal("U1")
    again.restore(journal.rows())
    return again


def miss(journal: OrderJournal, seconds: float, *, idempotent: bool, may_send: bool = True) -> None:
    now = NOW + timedelta(seconds=seconds)
    journal.missing("order_1", now, idempotent=idempotent, may_send=may_send)
