import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from ingenium.v1 import options_pb2 as _options_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ComponentStatus(_message.Message):
    __slots__ = ("app", "component", "role", "language", "version", "life", "host", "process", "state", "timestamp", "start_time", "interval_seconds", "handled", "sent", "last_event", "last_symbol", "last_time", "offset", "data_offset", "outbox", "waiting", "lag_milliseconds", "cause_age_milliseconds", "late", "busy", "busy_milliseconds", "trading", "trading_reason", "problem", "restarts", "account", "working_orders")
    APP_FIELD_NUMBER: _ClassVar[int]
    COMPONENT_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    LIFE_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    PROCESS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_SECONDS_FIELD_NUMBER: _ClassVar[int]
    HANDLED_FIELD_NUMBER: _ClassVar[int]
    SENT_FIELD_NUMBER: _ClassVar[int]
    LAST_EVENT_FIELD_NUMBER: _ClassVar[int]
    LAST_SYMBOL_FIELD_NUMBER: _ClassVar[int]
    LAST_TIME_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    DATA_OFFSET_FIELD_NUMBER: _ClassVar[int]
    OUTBOX_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    LAG_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    CAUSE_AGE_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    LATE_FIELD_NUMBER: _ClassVar[int]
    BUSY_FIELD_NUMBER: _ClassVar[int]
    BUSY_MILLISECONDS_FIELD_NUMBER: _ClassVar[int]
    TRADING_FIELD_NUMBER: _ClassVar[int]
    TRADING_REASON_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    RESTARTS_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    WORKING_ORDERS_FIELD_NUMBER: _ClassVar[int]
    app: str
    component: str
    role: str
    language: str
    version: str
    life: str
    host: str
    process: int
    state: str
    timestamp: _timestamp_pb2.Timestamp
    start_time: _timestamp_pb2.Timestamp
    interval_seconds: int
    handled: int
    sent: int
    last_event: str
    last_symbol: str
    last_time: _timestamp_pb2.Timestamp
    offset: str
    data_offset: str
    outbox: int
    waiting: int
    lag_milliseconds: int
    cause_age_milliseconds: int
    late: int
    busy: str
    busy_milliseconds: int
    trading: str
    trading_reason: str
    problem: str
    restarts: int
    account: AccountStatus
    working_orders: WorkingOrdersStatus
    def __init__(self, app: _Optional[str] = ..., component: _Optional[str] = ..., role: _Optional[str] = ..., language: _Optional[str] = ..., version: _Optional[str] = ..., life: _Optional[str] = ..., host: _Optional[str] = ..., process: _Optional[int] = ..., state: _Optional[str] = ..., timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., interval_seconds: _Optional[int] = ..., handled: _Optional[int] = ..., sent: _Optional[int] = ..., last_event: _Optional[str] = ..., last_symbol: _Optional[str] = ..., last_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., offset: _Optional[str] = ..., data_offset: _Optional[str] = ..., outbox: _Optional[int] = ..., waiting: _Optional[int] = ..., lag_milliseconds: _Optional[int] = ..., cause_age_milliseconds: _Optional[int] = ..., late: _Optional[int] = ..., busy: _Optional[str] = ..., busy_milliseconds: _Optional[int] = ..., trading: _Optional[str] = ..., trading_reason: _Optional[str] = ..., problem: _Optional[str] = ..., restarts: _Optional[int] = ..., account: _Optional[_Union[AccountStatus, _Mapping]] = ..., working_orders: _Optional[_Union[WorkingOrdersStatus, _Mapping]] = ...) -> None: ...

class AccountStatus(_message.Message):
    __slots__ = ("starting_cash", "cash", "equity", "unrealized_pnl", "realized_pnl", "commissions", "positions", "open_positions")
    STARTING_CASH_FIELD_NUMBER: _ClassVar[int]
    CASH_FIELD_NUMBER: _ClassVar[int]
    EQUITY_FIELD_NUMBER: _ClassVar[int]
    UNREALIZED_PNL_FIELD_NUMBER: _ClassVar[int]
    REALIZED_PNL_FIELD_NUMBER: _ClassVar[int]
    COMMISSIONS_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    OPEN_POSITIONS_FIELD_NUMBER: _ClassVar[int]
    starting_cash: str
    cash: str
    equity: str
    unrealized_pnl: str
    realized_pnl: str
    commissions: str
    positions: _containers.RepeatedCompositeFieldContainer[PositionStatus]
    open_positions: int
    def __init__(self, starting_cash: _Optional[str] = ..., cash: _Optional[str] = ..., equity: _Optional[str] = ..., unrealized_pnl: _Optional[str] = ..., realized_pnl: _Optional[str] = ..., commissions: _Optional[str] = ..., positions: _Optional[_Iterable[_Union[PositionStatus, _Mapping]]] = ..., open_positions: _Optional[int] = ...) -> None: ...

class PositionStatus(_message.Message):
    __slots__ = ("symbol", "quantity", "cost", "last_price", "last_price_time", "realized_pnl")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    LAST_PRICE_FIELD_NUMBER: _ClassVar[int]
    LAST_PRICE_TIME_FIELD_NUMBER: _ClassVar[int]
    REALIZED_PNL_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    quantity: str
    cost: str
    last_price: str
    last_price_time: _timestamp_pb2.Timestamp
    realized_pnl: str
    def __init__(self, symbol: _Optional[str] = ..., quantity: _Optional[str] = ..., cost: _Optional[str] = ..., last_price: _Optional[str] = ..., last_price_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., realized_pnl: _Optional[str] = ...) -> None: ...

class WorkingOrdersStatus(_message.Message):
    __slots__ = ("count", "orders")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    count: int
    orders: _containers.RepeatedCompositeFieldContainer[WorkingOrderStatus]
    def __init__(self, count: _Optional[int] = ..., orders: _Optional[_Iterable[_Union[WorkingOrderStatus, _Mapping]]] = ...) -> None: ...

class WorkingOrderStatus(_message.Message):
    __slots__ = ("order_id", "symbol", "side", "type", "quantity", "filled", "limit_price", "stop_price", "state")
    ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    FILLED_FIELD_NUMBER: _ClassVar[int]
    LIMIT_PRICE_FIELD_NUMBER: _ClassVar[int]
    STOP_PRICE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    order_id: str
    symbol: str
    side: str
    type: str
    quantity: str
    filled: str
    limit_price: str
    stop_price: str
    state: str
    def __init__(self, order_id: _Optional[str] = ..., symbol: _Optional[str] = ..., side: _Optional[str] = ..., type: _Optional[str] = ..., quantity: _Optional[str] = ..., filled: _Optional[str] = ..., limit_price: _Optional[str] = ..., stop_price: _Optional[str] = ..., state: _Optional[str] = ...) -> None: ...
