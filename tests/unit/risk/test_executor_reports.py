"""Which executions are faulty, and for which symbol: each fault, with the order that it names."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from ingenium.events import ExecutionEvent, Side
from ingenium.risk.executor_account import ExecutorAccount
from ingenium.trading import Order

NOW = datetime(2024, 1, 2, tzinfo=UTC)
NAME = "execution 'e1' of order 'o1'"


def report(**fields: Any) -> ExecutionEvent:
    values: dict[str, Any] = {
        "id": "e1",
        "order_id": "o1",
        "symbol": "A",
        "update": "filled",
        "quantity": "10",
        "price": "5",
        "side": "buy",
        "timestamp": NOW,
    }
    return ExecutionEvent(**(values | fields))


@pytest.fixture
def account() -> ExecutorAccount:
    """An order to buy ten of A works."""
    account = ExecutorAccount()
    account.take(Order(id="o1", symbol="A", side=Side.BUY, quantity=Decimal(10)))
    return account


FAULTS = [
    ({}, None),
    ({"update": "partial_fill", "quantity": "4"}, None),
    ({"quantity": "11"}, f"{NAME} makes 11 filled of 10 ordered"),
    ({"price": "0"}, f"{NAME} has the price 0"),
    ({"price": "-1"}, f"{NAME} has the price -1"),
    ({"quantity": "0"}, f"{NAME} has the quantity 0"),
    ({"quantity": "-3"}, f"{NAME} has the quantity -3"),
    ({"quantity": "x"}, f"{NAME} has the quantity 'x'"),
    ({"price": "x"}, f"{NAME} fills 10 and cannot be booked"),
    ({"price": None}, f"{NAME} fills 10 and cannot be booked"),
    ({"update": "new", "quantity": "x"}, None),
    ({"update": "canceled", "quantity": "0"}, None),
    ({"update": None, "quantity": ""}, None),
    ({"update": None, "quantity": "10"}, None),
    ({"update": None, "quantity": "0"}, None),
    ({"update": None, "quantity": "-1"}, f"{NAME} has the quantity -1"),
]


@pytest.mark.parametrize(("fields", "fault"), FAULTS)
@pytest.mark.parametrize("symbol", ["A", ""])
def test_faulty_execution_is_that_of_its_symbol_or_of_its_orders(
    account: ExecutorAccount, fields: dict[str, Any], fault: str | None, symbol: str
) -> None:
    expected = None if fault is None else ("A", fault)
    assert account.follow(report(symbol=symbol, **fields)) == expected


def test_faulty_execution_of_no_known_order_or_symbol_halts_nothing(
    account: ExecutorAccount,
) -> None:
    assert account.follow(report(order_id="o9", symbol="", quantity="x")) is None
    found = account.follow(report(id="e2", order_id="o9", symbol="B", quantity="x"))
    assert found == ("B", "execution 'e2' of order 'o9' has the quantity 'x'")


def test_execution_is_booked_once(account: ExecutorAccount) -> None:
    assert account.follow(report()) is None
    assert account.follow(report()) is None
    assert account.account.quantities == {"A": Decimal(10)}
    # Ten more under another id are too many.
    second = account.follow(report(id="e2"))
    assert second == ("A", "execution 'e2' of order 'o1' makes 20 filled of 10 ordered")


def test_fill_without_a_price_has_the_last_one(account: ExecutorAccount) -> None:
    account.account.mark("A", "7")
    assert account.follow(report(symbol="", price=None)) is None
    # Ten at 7, paid from nothing.
    assert account.account.cash == -70


def test_late_fill_of_an_ended_order_is_remembered_with_it(account: ExecutorAccount) -> None:
    account.follow(report(update="canceled", quantity="0"))
    assert account.orders.has_ended("o1")
    account.orders.take_log()
    assert account.follow(report(id="e2", update="partial_fill", quantity="6")) is None
    [(kind, order_id, row)] = account.orders.take_log()
    assert (kind, order_id) == ("ended", "o1")
    assert b'"filled":"6"' in row
    assert account.follow(report(id="e3", update="partial_fill", quantity="5")) == (
        "A",
        "execution 'e3' of order 'o1' makes 11 filled of 10 ordered",
    )
