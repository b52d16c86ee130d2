"""Public event types, their string constants, and the codec of the wire format."""

from ingenium._gen.ingenium.v1 import (
    CancelEvent,
    ControlEvent,
    DataEvent,
    DeadLetterEvent,
    DenialEvent,
    ExecutionEvent,
    Ohlc,
    OrderEvent,
    ReplaceEvent,
    SignalEvent,
    StopLoss,
)
from ingenium.events._google import full_name_of, own_type
from ingenium.events.binary_form import decode_binary, encode_binary
from ingenium.events.content import ContentType
from ingenium.events.json_form import teach_wire
from ingenium.events.plain import id_prefix_of, plain_text, write_plainly
from ingenium.events.tokens import (
    DataType,
    DeadLetterReason,
    DenialReason,
    OrderType,
    Side,
    Signal,
    TimeInForce,
    TradeUpdate,
    TradingState,
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
    | DenialEvent
    | ControlEvent
)
"""Any event on the bus."""

__all__ = [
    "CancelEvent",
    "ContentType",
    "ControlEvent",
    "DataEvent",
    "DataType",
    "DeadLetterEvent",
    "DeadLetterReason",
    "DenialEvent",
    "DenialReason",
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
    "TradingState",
    "decode",
    "decode_binary",
    "encode",
    "encode_binary",
    "full_name_of",
    "id_prefix_of",
    "own_type",
    "plain_text",
    "write_plainly",
]

teach_wire()
