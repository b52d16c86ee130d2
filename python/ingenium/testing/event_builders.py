"""Builders of events for tests, complete and valid by default."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ingenium.events import (
    DataEvent,
    DataType,
    ExecutionEvent,
    Ohlc,
    OrderEvent,
    OrderType,
    Side,
    Signal,
    SignalEvent,
    TimeInForce,
    TradeUpdate,
)

__all__ = ["data_event", "execution_event", "order_event", "signal_event"]

_TIME = datetime(2024, 1, 3, tzinfo=UTC)


def data_event(symbol: str = "AAPL", close: str = "184.25", **fields: Any) -> DataEvent:
    """Make a daily bar.

    Args:
        symbol: Its symbol.
        close: Its close, and its other prices where ``fields`` do not name an ``ohlc``.
        fields: Any fields of `DataEvent`.
    """
    ohlc = Ohlc(open=close, high=close, low=close, close=close, volume="1000", period="1d")
    values: dict[str, Any] = {
        "type": DataType.OHLC,
        "timestamp": "2024-01-03T00:00:00Z",
        "ohlc": ohlc,
    }
    return DataEvent(symbol=symbol, **(values | fields))


def signal_event(symbol: str = "AAPL", signal: str = Signal.LONG, **fields: Any) -> SignalEvent:
    """Make a signal.

    Args:
        symbol: Its symbol.
        signal: Long, short or flat.
        fields: Any fields of `SignalEvent`.
    """
    return SignalEvent(symbol=symbol, signal=signal, **({"timestamp": _TIME} | fields))


def order_event(symbol: str = "AAPL", quantity: str = "10", **fields: Any) -> OrderEvent:
    """Make a market order to buy.

    Args:
        symbol: Its symbol.
        quantity: In shares or units.
        fields: Any fields of `OrderEvent`.
    """
    values: dict[str, Any] = {
        "timestamp": _TIME,
        "side": Side.BUY,
        "type": OrderType.MARKET,
        "time_in_force": TimeInForce.DAY,
    }
    return OrderEvent(symbol=symbol, quantity=quantity, **(values | fields))


def execution_event(
    order_id: str = "order_000000000000000000000000000", **fields: Any
) -> ExecutionEvent:
    """Make the execution report of an order of 10 AAPL filled at 184.25.

    Args:
        order_id: The order's id.
        fields: Any fields of `ExecutionEvent`.
    """
    values: dict[str, Any] = {
        "timestamp": _TIME,
        "symbol": "AAPL",
        "quantity": "10",
        "price": "184.25",
        "side": Side.BUY,
        "update": TradeUpdate.FILLED,
    }
    return ExecutionEvent(order_id=order_id, **(values | fields))
