import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from ingenium.v1 import options_pb2 as _options_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DataEvent(_message.Message):
    __slots__ = ("type", "symbol", "timestamp", "ohlc", "id")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    OHLC_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    type: str
    symbol: str
    timestamp: str
    ohlc: Ohlc
    id: str
    def __init__(self, type: _Optional[str] = ..., symbol: _Optional[str] = ..., timestamp: _Optional[str] = ..., ohlc: _Optional[_Union[Ohlc, _Mapping]] = ..., id: _Optional[str] = ...) -> None: ...

class Ohlc(_message.Message):
    __slots__ = ("open", "high", "low", "close", "volume", "period", "timestamp")
    OPEN_FIELD_NUMBER: _ClassVar[int]
    HIGH_FIELD_NUMBER: _ClassVar[int]
    LOW_FIELD_NUMBER: _ClassVar[int]
    CLOSE_FIELD_NUMBER: _ClassVar[int]
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    PERIOD_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    open: str
    high: str
    low: str
    close: str
    volume: str
    period: str
    timestamp: _timestamp_pb2.Timestamp
    def __init__(self, open: _Optional[str] = ..., high: _Optional[str] = ..., low: _Optional[str] = ..., close: _Optional[str] = ..., volume: _Optional[str] = ..., period: _Optional[str] = ..., timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class SignalEvent(_message.Message):
    __slots__ = ("symbol", "signal", "id", "timestamp", "strength")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    STRENGTH_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    signal: str
    id: str
    timestamp: _timestamp_pb2.Timestamp
    strength: str
    def __init__(self, symbol: _Optional[str] = ..., signal: _Optional[str] = ..., id: _Optional[str] = ..., timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., strength: _Optional[str] = ...) -> None: ...

class OrderEvent(_message.Message):
    __slots__ = ("id", "timestamp", "symbol", "side", "quantity", "type", "time_in_force", "extended_hours", "limit_price", "stop_price", "take_profit", "trail_price", "trail_percent", "stop_loss")
    ID_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    TIME_IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    EXTENDED_HOURS_FIELD_NUMBER: _ClassVar[int]
    LIMIT_PRICE_FIELD_NUMBER: _ClassVar[int]
    STOP_PRICE_FIELD_NUMBER: _ClassVar[int]
    TAKE_PROFIT_FIELD_NUMBER: _ClassVar[int]
    TRAIL_PRICE_FIELD_NUMBER: _ClassVar[int]
    TRAIL_PERCENT_FIELD_NUMBER: _ClassVar[int]
    STOP_LOSS_FIELD_NUMBER: _ClassVar[int]
    id: str
    timestamp: _timestamp_pb2.Timestamp
    symbol: str
    side: str
    quantity: str
    type: str
    time_in_force: str
    extended_hours: bool
    limit_price: str
    stop_price: str
    take_profit: str
    trail_price: str
    trail_percent: str
    stop_loss: StopLoss
    def __init__(self, id: _Optional[str] = ..., timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., symbol: _Optional[str] = ..., side: _Optional[str] = ..., quantity: _Optional[str] = ..., type: _Optional[str] = ..., time_in_force: _Optional[str] = ..., extended_hours: _Optional[bool] = ..., limit_price: _Optional[str] = ..., stop_price: _Optional[str] = ..., take_profit: _Optional[str] = ..., trail_price: _Optional[str] = ..., trail_percent: _Optional[str] = ..., stop_loss: _Optional[_Union[StopLoss, _Mapping]] = ...) -> None: ...

class StopLoss(_message.Message):
    __slots__ = ("limit_price", "stop_price")
    LIMIT_PRICE_FIELD_NUMBER: _ClassVar[int]
    STOP_PRICE_FIELD_NUMBER: _ClassVar[int]
    limit_price: str
    stop_price: str
    def __init__(self, limit_price: _Optional[str] = ..., stop_price: _Optional[str] = ...) -> None: ...

class CancelEvent(_message.Message):
    __slots__ = ("id", "timestamp", "order_id", "symbol")
    ID_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    id: str
    timestamp: _timestamp_pb2.Timestamp
    order_id: str
    symbol: str
    def __init__(self, id: _Optional[str] = ..., timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., order_id: _Optional[str] = ..., symbol: _Optional[str] = ...) -> None: ...

class ReplaceEvent(_message.Message):
    __slots__ = ("id", "timestamp", "order_id", "symbol", "quantity", "time_in_force", "limit_price", "stop_price", "trail_price", "trail_percent")
    ID_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    TIME_IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_PRICE_FIELD_NUMBER: _ClassVar[int]
    STOP_PRICE_FIELD_NUMBER: _ClassVar[int]
    TRAIL_PRICE_FIELD_NUMBER: _ClassVar[int]
    TRAIL_PERCENT_FIELD_NUMBER: _ClassVar[int]
    id: str
    timestamp: _timestamp_pb2.Timestamp
    order_id: str
    symbol: str
    quantity: str
    time_in_force: str
    limit_price: str
    stop_price: str
    trail_price: str
    trail_percent: str
    def __init__(self, id: _Optional[str] = ..., timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., order_id: _Optional[str] = ..., symbol: _Optional[str] = ..., quantity: _Optional[str] = ..., time_in_force: _Optional[str] = ..., limit_price: _Optional[str] = ..., stop_price: _Optional[str] = ..., trail_price: _Optional[str] = ..., trail_percent: _Optional[str] = ...) -> None: ...

class ExecutionEvent(_message.Message):
    __slots__ = ("id", "timestamp", "order_id", "quantity", "symbol", "execution_timestamp", "price", "update", "side", "commission", "leaves_quantity", "reason")
    ID_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    UPDATE_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    COMMISSION_FIELD_NUMBER: _ClassVar[int]
    LEAVES_QUANTITY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    id: str
    timestamp: _timestamp_pb2.Timestamp
    order_id: str
    quantity: str
    symbol: str
    execution_timestamp: _timestamp_pb2.Timestamp
    price: str
    update: str
    side: str
    commission: str
    leaves_quantity: str
    reason: str
    def __init__(self, id: _Optional[str] = ..., timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., order_id: _Optional[str] = ..., quantity: _Optional[str] = ..., symbol: _Optional[str] = ..., execution_timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., price: _Optional[str] = ..., update: _Optional[str] = ..., side: _Optional[str] = ..., commission: _Optional[str] = ..., leaves_quantity: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class DeadLetterEvent(_message.Message):
    __slots__ = ("id", "timestamp", "component", "reason", "error", "original_subject", "data", "stream", "stream_sequence", "content_type")
    ID_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    COMPONENT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_SUBJECT_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    STREAM_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CONTENT_TYPE_FIELD_NUMBER: _ClassVar[int]
    id: str
    timestamp: _timestamp_pb2.Timestamp
    component: str
    reason: str
    error: str
    original_subject: str
    data: bytes
    stream: str
    stream_sequence: str
    content_type: str
    def __init__(self, id: _Optional[str] = ..., timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., component: _Optional[str] = ..., reason: _Optional[str] = ..., error: _Optional[str] = ..., original_subject: _Optional[str] = ..., data: _Optional[bytes] = ..., stream: _Optional[str] = ..., stream_sequence: _Optional[str] = ..., content_type: _Optional[str] = ...) -> None: ...

class DenialEvent(_message.Message):
    __slots__ = ("id", "timestamp", "component", "reason", "detail", "symbol", "order")
    ID_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    COMPONENT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    id: str
    timestamp: _timestamp_pb2.Timestamp
    component: str
    reason: str
    detail: str
    symbol: str
    order: OrderEvent
    def __init__(self, id: _Optional[str] = ..., timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., component: _Optional[str] = ..., reason: _Optional[str] = ..., detail: _Optional[str] = ..., symbol: _Optional[str] = ..., order: _Optional[_Union[OrderEvent, _Mapping]] = ...) -> None: ...

class ControlEvent(_message.Message):
    __slots__ = ("id", "timestamp", "state", "reason", "sender")
    ID_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SENDER_FIELD_NUMBER: _ClassVar[int]
    id: str
    timestamp: _timestamp_pb2.Timestamp
    state: str
    reason: str
    sender: str
    def __init__(self, id: _Optional[str] = ..., timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., state: _Optional[str] = ..., reason: _Optional[str] = ..., sender: _Optional[str] = ...) -> None: ...
