import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ComponentStatus(_message.Message):
    __slots__ = ("app", "component", "role", "language", "version", "life", "host", "process", "state", "timestamp", "start_time", "interval_seconds", "handled", "sent", "last_event", "last_symbol", "last_time", "offset", "data_offset", "outbox", "waiting", "lag_milliseconds", "cause_age_milliseconds", "late", "busy", "busy_milliseconds", "trading", "trading_reason", "problem", "restarts")
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
    def __init__(self, app: _Optional[str] = ..., component: _Optional[str] = ..., role: _Optional[str] = ..., language: _Optional[str] = ..., version: _Optional[str] = ..., life: _Optional[str] = ..., host: _Optional[str] = ..., process: _Optional[int] = ..., state: _Optional[str] = ..., timestamp: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., interval_seconds: _Optional[int] = ..., handled: _Optional[int] = ..., sent: _Optional[int] = ..., last_event: _Optional[str] = ..., last_symbol: _Optional[str] = ..., last_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., offset: _Optional[str] = ..., data_offset: _Optional[str] = ..., outbox: _Optional[int] = ..., waiting: _Optional[int] = ..., lag_milliseconds: _Optional[int] = ..., cause_age_milliseconds: _Optional[int] = ..., late: _Optional[int] = ..., busy: _Optional[str] = ..., busy_milliseconds: _Optional[int] = ..., trading: _Optional[str] = ..., trading_reason: _Optional[str] = ..., problem: _Optional[str] = ..., restarts: _Optional[int] = ...) -> None: ...
