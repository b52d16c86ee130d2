import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LockstepReport(_message.Message):
    __slots__ = ("component", "role", "data_handled", "signals_handled", "orders_handled", "executions_handled", "data_sent", "signals_sent", "orders_sent", "executions_sent", "next_time", "next_symbol", "total", "error", "holding", "denials_sent", "controls_sent", "controls_handled")
    COMPONENT_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    DATA_HANDLED_FIELD_NUMBER: _ClassVar[int]
    SIGNALS_HANDLED_FIELD_NUMBER: _ClassVar[int]
    ORDERS_HANDLED_FIELD_NUMBER: _ClassVar[int]
    EXECUTIONS_HANDLED_FIELD_NUMBER: _ClassVar[int]
    DATA_SENT_FIELD_NUMBER: _ClassVar[int]
    SIGNALS_SENT_FIELD_NUMBER: _ClassVar[int]
    ORDERS_SENT_FIELD_NUMBER: _ClassVar[int]
    EXECUTIONS_SENT_FIELD_NUMBER: _ClassVar[int]
    NEXT_TIME_FIELD_NUMBER: _ClassVar[int]
    NEXT_SYMBOL_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    HOLDING_FIELD_NUMBER: _ClassVar[int]
    DENIALS_SENT_FIELD_NUMBER: _ClassVar[int]
    CONTROLS_SENT_FIELD_NUMBER: _ClassVar[int]
    CONTROLS_HANDLED_FIELD_NUMBER: _ClassVar[int]
    component: str
    role: str
    data_handled: int
    signals_handled: int
    orders_handled: int
    executions_handled: int
    data_sent: int
    signals_sent: int
    orders_sent: int
    executions_sent: int
    next_time: _timestamp_pb2.Timestamp
    next_symbol: str
    total: int
    error: str
    holding: bool
    denials_sent: int
    controls_sent: int
    controls_handled: int
    def __init__(self, component: _Optional[str] = ..., role: _Optional[str] = ..., data_handled: _Optional[int] = ..., signals_handled: _Optional[int] = ..., orders_handled: _Optional[int] = ..., executions_handled: _Optional[int] = ..., data_sent: _Optional[int] = ..., signals_sent: _Optional[int] = ..., orders_sent: _Optional[int] = ..., executions_sent: _Optional[int] = ..., next_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., next_symbol: _Optional[str] = ..., total: _Optional[int] = ..., error: _Optional[str] = ..., holding: _Optional[bool] = ..., denials_sent: _Optional[int] = ..., controls_sent: _Optional[int] = ..., controls_handled: _Optional[int] = ...) -> None: ...

class LockstepGrant(_message.Message):
    __slots__ = ("step", "time", "component", "until_time", "until_symbol", "data", "executions", "signals", "end", "controls")
    STEP_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    COMPONENT_FIELD_NUMBER: _ClassVar[int]
    UNTIL_TIME_FIELD_NUMBER: _ClassVar[int]
    UNTIL_SYMBOL_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    EXECUTIONS_FIELD_NUMBER: _ClassVar[int]
    SIGNALS_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    CONTROLS_FIELD_NUMBER: _ClassVar[int]
    step: int
    time: _timestamp_pb2.Timestamp
    component: str
    until_time: _timestamp_pb2.Timestamp
    until_symbol: str
    data: int
    executions: int
    signals: int
    end: bool
    controls: int
    def __init__(self, step: _Optional[int] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., component: _Optional[str] = ..., until_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until_symbol: _Optional[str] = ..., data: _Optional[int] = ..., executions: _Optional[int] = ..., signals: _Optional[int] = ..., end: _Optional[bool] = ..., controls: _Optional[int] = ...) -> None: ...
