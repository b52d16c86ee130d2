"""Fills: what an execution moved, or why that cannot be told."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from ingenium.errors import DecodeError
from ingenium.events import ExecutionEvent, Side, TradeUpdate
from ingenium.trading import Fill, Order

TIME = datetime(2024, 1, 2, tzinfo=UTC)
ORDER = Order(id="order_1", symbol="AAPL", side=Side.SELL, quantity=Decimal(10))


def event(**fields: Any) -> ExecutionEvent:
    values: dict[str, Any] = {"id": "exec_1", "timestamp": TIME, "order_id": "order_1"}
    return ExecutionEvent(**(values | fields))


def test_fill_from_event_that_states_all_needs_no_order() -> None:
    fill = Fill.from_event(
        event(
            symbol="AAPL",
            side="buy",
            quantity="10",
            price="185.64",
            commission="0.5",
            update="filled",
        )
    )
    assert fill == Fill(
        id="exec_1",
        order_id="order_1",
        symbol="AAPL",
        side=Side.BUY,
        quantity=Decimal(10),
        price=Decimal("185.64"),
        commission=Decimal("0.5"),
        time=TIME,
    )


def test_fill_from_event_of_the_original_executor_takes_symbol_and_side_from_the_order() -> None:
    fill = Fill.from_event(event(quantity="10", price="5"), ORDER)
    assert fill is not None
    assert (fill.symbol, fill.side) == ("AAPL", Side.SELL)
    assert fill.commission == 0


def test_fill_from_event_prefers_the_time_of_the_venue() -> None:
    venue = datetime(2024, 1, 1, tzinfo=UTC)
    fill = Fill.from_event(event(quantity="1", price="5", execution_timestamp=venue), ORDER)
    assert fill is not None
    assert fill.time == venue


def test_fill_from_event_without_price_or_time_takes_those_it_is_given() -> None:
    fill = Fill.from_event(event(quantity="1", timestamp=None), ORDER, price=Decimal(7), time=TIME)
    assert fill is not None
    assert (fill.price, fill.time) == (Decimal(7), TIME)


FILLS_NOTHING = [u for u in TradeUpdate if u not in {TradeUpdate.FILLED, TradeUpdate.PARTIAL_FILL}]


@pytest.mark.parametrize("update", FILLS_NOTHING)
def test_fill_from_event_report_without_fill_is_none(update: TradeUpdate) -> None:
    assert Fill.from_event(event(update=update.value, quantity="10")) is None


@pytest.mark.parametrize("quantity", ["", "0", "0.00"])
def test_fill_from_event_without_quantity_is_none(quantity: str) -> None:
    assert Fill.from_event(event(quantity=quantity)) is None


@pytest.mark.parametrize(
    ("fields", "order", "text"),
    [
        ({"quantity": "10"}, ORDER, "ExecutionEvent.Price: expected the price of the fill"),
        ({"quantity": "10", "price": "abc"}, ORDER, "Price: expected a plain decimal"),
        ({"quantity": "-1", "price": "5"}, ORDER, "Quantity: expected a positive decimal"),
        ({"quantity": "", "update": "filled"}, ORDER, "Quantity: expected a positive decimal"),
        ({"quantity": "x", "price": "5"}, ORDER, "Quantity: expected a plain decimal"),
        ({"quantity": "1", "price": "5"}, None, "Symbol: expected a symbol, found none, and order"),
        ({"quantity": "1", "price": "5", "symbol": "AAPL"}, None, "Side: expected buy or sell"),
        (
            {"quantity": "1", "price": "5", "symbol": "MSFT"},
            ORDER,
            "expected 'AAPL' as in the order",
        ),
        ({"quantity": "1", "price": "5", "side": "buy"}, ORDER, "expected 'sell' as in the order"),
        ({"quantity": "1", "price": "5", "side": "up"}, ORDER, "Side: expected buy or sell"),
        (
            {"quantity": "1", "price": "5", "update": "bust"},
            ORDER,
            "found 'bust' with Quantity '1'",
        ),
        ({"quantity": "1", "price": "5", "commission": "?"}, ORDER, "Commission: expected"),
    ],
)
def test_fill_from_event_that_cannot_be_told_names_the_field(
    fields: dict[str, Any], order: Order | None, text: str
) -> None:
    with pytest.raises(DecodeError) as caught:
        Fill.from_event(event(**fields), order)
    assert text in str(caught.value)
