"""Event-driven trading systems out of parts that meet on NATS, in any language.

Ingestors feed market data, strategies turn it into signals, portfolios turn signals into orders,
and executors turn orders into executions. Each is a component; an `App` puts them together; and
`connect` is the bus without any of them.
"""

# Before the other imports, which take most of a second.
from ingenium import _interrupt, _native  # noqa: F401, I001
from importlib import import_module
from typing import TYPE_CHECKING

from ingenium._version import __version__
from ingenium.components import (
    App,
    BySymbol,
    Component,
    Executor,
    External,
    Ingestor,
    Middleware,
    Portfolio,
    Strategy,
)
from ingenium.errors import (
    BacktestError,
    BrokerError,
    BrokerRefusedError,
    BrokerTimeoutError,
    BusAwayError,
    BusClosedError,
    BusConnectError,
    BusError,
    BusPermissionError,
    BusTimeoutError,
    ComponentError,
    ConfigError,
    DataFileError,
    DecodeError,
    DeployError,
    DuplicateOrderError,
    EncodeError,
    EventRefusedError,
    EventTooLargeError,
    FeedError,
    IngeniumError,
    InvalidOrderError,
    LeaseHeldError,
    LeaseLostError,
    LockstepError,
    MissingDependencyError,
    NoListenerError,
    RecorderError,
    StateError,
    StoreDamagedError,
    StoreError,
    StreamError,
    SubjectError,
    WireError,
)
from ingenium.events import (
    CancelEvent,
    ContentType,
    ControlEvent,
    DataEvent,
    DataType,
    DeadLetterEvent,
    DenialEvent,
    DenialReason,
    ExecutionEvent,
    Ohlc,
    OrderEvent,
    OrderType,
    ReplaceEvent,
    Side,
    Signal,
    SignalEvent,
    StopLoss,
    TimeInForce,
    TradeUpdate,
    TradingState,
    decode,
    decode_binary,
    encode,
    encode_binary,
)
from ingenium.risk import RiskLimits
from ingenium.trading import Account, Bar, Fill, Order, Position, Trade

if TYPE_CHECKING:
    from ingenium.connection import EventBus, connect

__all__ = [
    "Account",
    "App",
    "BacktestError",
    "Bar",
    "BrokerError",
    "BrokerRefusedError",
    "BrokerTimeoutError",
    "BusAwayError",
    "BusClosedError",
    "BusConnectError",
    "BusError",
    "BusPermissionError",
    "BusTimeoutError",
    "BySymbol",
    "CancelEvent",
    "Component",
    "ComponentError",
    "ConfigError",
    "ContentType",
    "ControlEvent",
    "DataEvent",
    "DataFileError",
    "DataType",
    "DeadLetterEvent",
    "DecodeError",
    "DenialEvent",
    "DenialReason",
    "DeployError",
    "DuplicateOrderError",
    "EncodeError",
    "EventBus",
    "EventRefusedError",
    "EventTooLargeError",
    "ExecutionEvent",
    "Executor",
    "External",
    "FeedError",
    "Fill",
    "IngeniumError",
    "Ingestor",
    "InvalidOrderError",
    "LeaseHeldError",
    "LeaseLostError",
    "LockstepError",
    "Middleware",
    "MissingDependencyError",
    "NoListenerError",
    "Ohlc",
    "Order",
    "OrderEvent",
    "OrderType",
    "Portfolio",
    "Position",
    "RecorderError",
    "ReplaceEvent",
    "RiskLimits",
    "Side",
    "Signal",
    "SignalEvent",
    "StateError",
    "StopLoss",
    "StoreDamagedError",
    "StoreError",
    "Strategy",
    "StreamError",
    "SubjectError",
    "TimeInForce",
    "Trade",
    "TradeUpdate",
    "TradingState",
    "WireError",
    "__version__",
    "connect",
    "decode",
    "decode_binary",
    "encode",
    "encode_binary",
]


def __getattr__(name: str) -> object:
    # asyncio and the bus are a third of the time of the import, and a component needs neither.
    if name in {"EventBus", "connect"}:
        from ingenium import connection

        return getattr(connection, name)
    if name in {"backtest", "testing"}:
        return import_module(f"ingenium.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
