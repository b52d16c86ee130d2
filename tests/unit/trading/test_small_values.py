"""What an account holds, and the orders that protect a bracket's."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from ingenium.events import Side, TimeInForce
from ingenium.trading import Account, Fill, Order

NOON = datetime(2024, 1, 2, 12, tzinfo=UTC)


def trade(symbol: str, side: Side, quantity: int) -> Fill:
    return Fill(symbol=symbol, side=side, quantity=Decimal(quantity), price=Decimal(100), time=NOON)


def test_quantities_are_those_of_open_positions_with_their_sign() -> None:
    account = Account(10_000)
    for symbol, side, quantity in [
        ("AAPL", Side.BUY, 5),
        ("MSFT", Side.SELL, 3),
        ("IBM", Side.BUY, 2),
        ("IBM", Side.SELL, 2),
    ]:
        assert account.book(trade(symbol, side, quantity)) is True
    assert account.quantities == {"AAPL": Decimal(5), "MSFT": Decimal(-3)}


def test_protective_orders_are_good_till_canceled_whatever_the_entry_is() -> None:
    order = Order(
        id="order_1",
        symbol="AAPL",
        side=Side.BUY,
        quantity=Decimal(10),
        time_in_force=TimeInForce.IOC,
        take_profit=Decimal(110),
        stop_loss=Decimal(90),
    )
    legs = order.protective_orders()
    assert [leg.time_in_force for leg in legs] == [TimeInForce.GTC, TimeInForce.GTC]
    assert [(leg.limit_price, leg.stop_price) for leg in legs] == [(110, None), (None, 90)]
