"""Orders: parsed once, valid from then on."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from ingenium.errors import InvalidOrderError
from ingenium.events import (
    OrderEvent,
    OrderType,
    ReplaceEvent,
    Side,
    StopLoss,
    TimeInForce,
    decode,
    encode,
)
from ingenium.trading import Order

TIME = datetime(2024, 1, 2, 15, 30, tzinfo=UTC)


def event(**fields: Any) -> OrderEvent:
    values: dict[str, Any] = {
        "id": "order_1",
        "timestamp": TIME,
        "symbol": "AAPL",
        "side": "buy",
        "quantity": "10",
        "type": "market",
        "time_in_force": "day",
    }
    return OrderEvent(**(values | fields))


def test_order_from_event_market_has_enums_and_decimals() -> None:
    order = Order.from_event(event(quantity="0.5"))
    assert order == Order(
        id="order_1", timestamp=TIME, symbol="AAPL", side=Side.BUY, quantity=Decimal("0.5")
    )
    assert order.side is Side.BUY
    assert order.type is OrderType.MARKET
    assert order.time_in_force is TimeInForce.DAY


def test_order_from_event_bracket_reads_both_prices_of_the_stop_loss() -> None:
    order = Order.from_event(
        event(take_profit="108", stop_loss=StopLoss(stop_price="95", limit_price="94.5"))
    )
    assert order.is_bracket
    assert (order.take_profit, order.stop_loss) == (Decimal(108), Decimal(95))
    assert order.stop_loss_limit == Decimal("94.5")


def test_order_from_event_without_time_in_force_is_a_day_order() -> None:
    assert Order.from_event(event(time_in_force="")).time_in_force is TimeInForce.DAY


def test_order_from_event_zero_price_that_the_type_has_not_counts_as_empty() -> None:
    order = Order.from_event(event(limit_price="0", stop_price="0.00", take_profit="0"))
    assert (order.limit_price, order.stop_price, order.take_profit) == (None, None, None)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"type": "iceberg"},
            "order Type is 'iceberg', which is unknown: use one of market, limit",
        ),
        ({"type": ""}, "order Type is missing: use one of market"),
        ({"side": "Buy"}, "order Side is 'Buy', which is unknown: use one of buy, sell"),
        ({"time_in_force": "gtd"}, "order TimeInForce is 'gtd', which is unknown"),
        ({"quantity": ""}, "order Quantity is missing: use a positive decimal"),
        ({"quantity": "0"}, "order Quantity is 0: use a positive decimal"),
        ({"quantity": "-5"}, "order Quantity is -5: use a positive decimal"),
        ({"quantity": "NaN"}, "order Quantity is 'NaN': use a positive plain decimal"),
        ({"quantity": "1e15"}, "order Quantity is '1e15': use a positive plain decimal"),
        ({"quantity": "1e-29"}, "order Quantity is '1e-29': use a positive plain decimal"),
        ({"quantity": "1e-19"}, "order Quantity is 1E-19: round it to at most 18 decimals"),
        ({"quantity": "٣"}, "order Quantity is '٣': use a positive plain decimal"),
        ({"symbol": "A*"}, "order Symbol cannot be used: symbol 'A*' holds"),
        ({"symbol": ""}, "order Symbol cannot be used: symbol '' is empty"),
        ({"type": "limit"}, "order LimitPrice is missing: a limit order needs"),
        ({"type": "limit", "limit_price": "0"}, "order LimitPrice is 0: use a positive"),
        ({"type": "limit", "limit_price": "-1"}, "order LimitPrice is -1: use a positive"),
        ({"limit_price": "5"}, "order LimitPrice is 5, which a market order does not have"),
        ({"type": "stop"}, "order StopPrice is missing"),
        ({"type": "stop_limit", "stop_price": "5"}, "order LimitPrice is missing"),
        ({"type": "trailing_stop"}, "both missing: a trailing_stop order needs exactly one"),
        (
            {"type": "trailing_stop", "trail_price": "1", "trail_percent": "1"},
            "both set: a trailing_stop order needs exactly one",
        ),
        ({"type": "trailing_stop", "trail_percent": "100"}, "use a percentage below 100"),
        ({"trail_price": "1"}, "order TrailPrice is 1, which a market order does not have"),
        (
            {"stop_loss": StopLoss(limit_price="9")},
            "order StopLoss.LimitPrice is 9 without a StopLoss.StopPrice",
        ),
        (
            {"take_profit": "90", "stop_loss": StopLoss(stop_price="95")},
            "for a buy order the profit must be above the loss",
        ),
        (
            {"side": "sell", "take_profit": "95", "stop_loss": StopLoss(stop_price="95")},
            "for a sell order the profit must be below the loss",
        ),
    ],
)
def test_order_from_event_bad_field_is_named_with_value_and_cure(
    fields: dict[str, Any], text: str
) -> None:
    with pytest.raises(InvalidOrderError) as caught:
        Order.from_event(event(**fields))
    assert text in str(caught.value)


def test_order_quantity_too_fine_for_the_wire_is_refused() -> None:
    with pytest.raises(InvalidOrderError, match="round it to at most 18 decimals"):
        Order(symbol="BTC", side=Side.BUY, quantity=Decimal(1) / Decimal(3))


def test_order_quantity_too_large_for_the_wire_is_refused() -> None:
    with pytest.raises(InvalidOrderError, match=r"below 10\^15"):
        Order(symbol="BTC", side=Side.BUY, quantity=Decimal(10) ** 15)


def test_order_signed_quantity_keeps_all_33_digits() -> None:
    quantity = Decimal("123456789012345.123456789012345678")
    order = Order(symbol="BTC", side=Side.SELL, quantity=quantity)
    assert order.signed_quantity == quantity.copy_negate()


numbers = st.decimals(
    min_value=Decimal("1e-18"), max_value=Decimal(999999999999999), places=18
) | st.decimals(min_value=Decimal("0.01"), max_value=Decimal(10_000), places=2)


@st.composite
def orders(draw: st.DrawFn) -> Order:
    kind = draw(st.sampled_from(OrderType))
    trails = kind is OrderType.TRAILING_STOP
    by_price = draw(st.booleans())
    return Order(
        id=draw(st.text("abc123", min_size=1)),
        timestamp=TIME,
        symbol=draw(st.sampled_from(["AAPL", "BRK.B", "EUR/USD", "ψ"])),
        side=draw(st.sampled_from(Side)),
        quantity=draw(numbers),
        type=kind,
        time_in_force=draw(st.sampled_from(TimeInForce)),
        limit_price=draw(numbers) if kind in {OrderType.LIMIT, OrderType.STOP_LIMIT} else None,
        stop_price=draw(numbers) if kind in {OrderType.STOP, OrderType.STOP_LIMIT} else None,
        trail_price=draw(numbers) if trails and by_price else None,
        trail_percent=Decimal("2.5") if trails and not by_price else None,
        stop_loss=draw(st.none() | numbers),
        extended_hours=draw(st.booleans()),
    )


@given(orders())
def test_order_round_trip_over_the_wire_gives_the_same_order(order: Order) -> None:
    assert Order.from_event(decode(OrderEvent, encode(order.to_event()))) == order


def test_order_to_event_writes_plain_decimals() -> None:
    order = Order(symbol="BTC", side=Side.BUY, quantity=Decimal("1E+2"))
    assert order.to_event().quantity == "100"
    assert replace(order, quantity=Decimal("1E-8")).to_event().quantity == "0.00000001"


TRAILING = {"type": "trailing_stop", "side": "sell"}


def change(**fields: Any) -> ReplaceEvent:
    values: dict[str, Any] = {
        "id": "order_2",
        "timestamp": TIME,
        "order_id": "order_1",
        "symbol": "AAPL",
    }
    return ReplaceEvent(**(values | fields))


@pytest.mark.parametrize(
    ("old", "new", "price", "percent"),
    [
        ({"trail_percent": "5"}, {"trail_price": "2"}, Decimal(2), None),
        ({"trail_price": "2"}, {"trail_percent": "5"}, None, Decimal(5)),
        ({"trail_percent": "5"}, {"trail_percent": "4"}, None, Decimal(4)),
        ({"trail_price": "2"}, {"trail_price": "3"}, Decimal(3), None),
        ({"trail_percent": "5"}, {"quantity": "3"}, None, Decimal(5)),
        ({"trail_price": "2"}, {"time_in_force": "gtc"}, Decimal(2), None),
    ],
)
def test_order_replaced_by_another_trail_has_that_one_alone(
    old: dict[str, str], new: dict[str, str], price: Decimal | None, percent: Decimal | None
) -> None:
    order = Order.from_event(event(**TRAILING, **old)).replaced_by(change(**new))
    assert (order.trail_price, order.trail_percent) == (price, percent)
    assert order.id == "order_2"
    assert order.quantity == Decimal(new.get("quantity", 10))
    assert order.time_in_force == new.get("time_in_force", "day")


def test_order_replaced_by_what_makes_no_order_is_refused() -> None:
    order = Order.from_event(event(**TRAILING, trail_percent="5"))
    both = change(trail_price="2", trail_percent="4")
    with pytest.raises(InvalidOrderError, match="both set"):
        order.replaced_by(both)
    with pytest.raises(InvalidOrderError, match="would stay as it is"):
        order.replaced_by(change())
    with pytest.raises(InvalidOrderError, match=r"order Symbol is 'IBM'.*'AAPL'"):
        order.replaced_by(change(symbol="IBM", quantity="1"))
    with pytest.raises(InvalidOrderError, match="LimitPrice"):
        order.replaced_by(change(limit_price="1"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"type": "limit", "limit_price": "10"}, {"limit_price": "11"}),
        ({"type": "stop", "stop_price": "10"}, {"stop_price": "11"}),
        ({"type": "stop_limit", "stop_price": "10", "limit_price": "9"}, {"stop_price": "11"}),
        ({"type": "stop_limit", "stop_price": "10", "limit_price": "9"}, {"limit_price": "8"}),
    ],
)
def test_order_replaced_keeps_what_is_not_stated(old: dict[str, str], new: dict[str, str]) -> None:
    order = Order.from_event(event(**old)).replaced_by(change(**new))
    expected = {name: text for name, text in (old | new).items() if name != "type"}
    for name in ("limit_price", "stop_price", "trail_price", "trail_percent"):
        value = expected.get(name)
        assert getattr(order, name) == (None if value is None else Decimal(value))
    assert order.type == old["type"]
