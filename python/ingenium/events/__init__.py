"""The public event types, their words, and the codec of the wire format."""

from ingenium._gen.ingenium.v1 import (
    CancelEvent,
    DataEvent,
    DeadLetterEvent,
    ExecutionEvent,
    Ohlc,
    OrderEvent,
    ReplaceEvent,
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

Event = (
    DataEvent
    | SignalEvent
    | OrderEvent
    | CancelEvent
    | ReplaceEvent
    | ExecutionEvent
    | DeadLetterEvent
)
"""Any event of the bus."""

__all__ = [
    "CancelEvent",
    "DataEvent",
    "DataType",
    "DeadLetterEvent",
    "DeadLetterReason",
    "Event",
    "ExecutionEvent",
    "Ohlc",
    "OrderEvent",
    "OrderType",
    "ReplaceEvent",
    "Side",
    "Signal",
    "SignalEvent",
    "StopLoss",
    "TimeInForce",
    "TradeUpdate",
    "decode",
    "encode",
]
