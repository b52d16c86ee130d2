"""The public event types, their words, and the codec of the wire format."""

from ingenium._gen.ingenium.v1 import (
    DataEvent,
    DeadLetterEvent,
    ExecutionEvent,
    Ohlc,
    OrderEvent,
    SignalEvent,
    StopLoss,
)
from ingenium.events.tokens import (
    DataType,
    DeadLetterReason,
    OrderType,
    Side,
    Signal,
    TimeInForce,
    TradeUpdate,
)
from ingenium.events.wire import decode, encode

Event = DataEvent | SignalEvent | OrderEvent | ExecutionEvent | DeadLetterEvent
"""Any event of the bus."""

__all__ = [
    "DataEvent",
    "DataType",
    "DeadLetterEvent",
    "DeadLetterReason",
    "Event",
    "ExecutionEvent",
    "Ohlc",
    "OrderEvent",
    "OrderType",
    "Side",
    "Signal",
    "SignalEvent",
    "StopLoss",
    "TimeInForce",
    "TradeUpdate",
    "decode",
    "encode",
]
