"""What the strings of each message hold: the one thing that the schemas say in words only.

Every string field is named here; one that is not stops the generator, so that a new field gets a
format when it is made.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from ingenium.events import (
    ContentType,
    DataType,
    DeadLetterReason,
    OrderType,
    Side,
    Signal,
    TimeInForce,
    TradeUpdate,
    TradingState,
)
from ingenium.ids import ID_LENGTH
from ingenium.subjects.names import MAX_SYMBOL_LENGTH

__all__ = ["FORMATS", "ID_PREFIXES", "Format"]

Format = dict[str, Any]
"""A JSON Schema."""

# As trading/numbers.py takes them.
_UNSIGNED = r"[0-9]{1,15}(\.[0-9]{1,28})?"
_SIGNED = f"-?{_UNSIGNED}"


# Sums and products, which have as many digits as they need.
_EXACT = r"-?[0-9]+(\.[0-9]+)?"


def _pattern(pattern: str, *, empty: bool = False) -> Format:
    return {"type": "string", "pattern": f"^({pattern})?$" if empty else f"^{pattern}$"}


def _decimal(pattern: str, *, empty: bool = False) -> Format:
    return {**_pattern(pattern, empty=empty), "format": "decimal"}


def _id(prefix: str) -> Format:
    return _pattern(f"{prefix}_[0-9A-Za-z]{{{ID_LENGTH}}}", empty=True)


def _one_of(words: type[StrEnum], *, empty: bool = False) -> Format:
    """Words of which a reader takes no other: an order with one is rejected."""
    return {"type": "string", "enum": [*words] + [""] * empty}


def _any_like(words: type[StrEnum]) -> Format:
    """Words beside which there may be others, which readers keep as they are."""
    return {"type": "string", "x-extensible-enum": [*words]}


_MONEY = _decimal(_EXACT)

ID_PREFIXES = {
    "DataEvent": "data",
    "SignalEvent": "signal",
    "OrderEvent": "order",
    "CancelEvent": "cancel",
    "ReplaceEvent": "order",
    "ExecutionEvent": "exec",
    "DenialEvent": "denial",
    "ControlEvent": "control",
    "DeadLetterEvent": "dead",
}

_TEXT: Format = {"type": "string"}
_NAME: Format = {"type": "string", "minLength": 1, "maxLength": MAX_SYMBOL_LENGTH}
_NAME_OR_EMPTY: Format = {"type": "string", "maxLength": MAX_SYMBOL_LENGTH}
_PRICE = _decimal(_SIGNED)
_PRICE_OR_EMPTY = _decimal(_SIGNED, empty=True)
_QUANTITY = _decimal(_UNSIGNED)
_QUANTITY_OR_EMPTY = _decimal(_UNSIGNED, empty=True)
_TIME_OR_EMPTY: Format = {"type": "string", "anyOf": [{"format": "date-time"}, {"maxLength": 0}]}
_ORDER_ID = _pattern(r"\S+")
_ROLE: Format = {"type": "string", "enum": ["ingestor", "strategy", "portfolio", "executor"]}

FORMATS: dict[str, dict[str, Format]] = {
    "DataEvent": {
        "type": _any_like(DataType),
        "symbol": _NAME,
        "timestamp": _TIME_OR_EMPTY,
    },
    "Ohlc": {
        "open": _PRICE,
        "high": _PRICE,
        "low": _PRICE,
        "close": _PRICE,
        "volume": _QUANTITY_OR_EMPTY,
        # Read in many forms, and of no stated length in any other.
        "period": {**_TEXT, "examples": ["5m", "1d", "1Hour", "1h0m0s", "PT5M"]},
    },
    "SignalEvent": {
        "symbol": _NAME,
        "signal": _any_like(Signal),
        "strength": _decimal(r"(0(\.[0-9]{1,18})?|1(\.0{1,18})?)", empty=True),
    },
    "OrderEvent": {
        "symbol": _NAME,
        "side": _one_of(Side),
        "quantity": _QUANTITY,
        "type": _one_of(OrderType),
        "time_in_force": _one_of(TimeInForce),
        "limit_price": _PRICE_OR_EMPTY,
        "stop_price": _PRICE_OR_EMPTY,
        "take_profit": _PRICE_OR_EMPTY,
        "trail_price": _QUANTITY_OR_EMPTY,
        "trail_percent": _QUANTITY_OR_EMPTY,
    },
    "StopLoss": {"limit_price": _PRICE_OR_EMPTY, "stop_price": _PRICE_OR_EMPTY},
    "CancelEvent": {"order_id": _ORDER_ID, "symbol": _NAME},
    "ReplaceEvent": {
        "order_id": _ORDER_ID,
        "symbol": _NAME,
        "quantity": _QUANTITY_OR_EMPTY,
        "time_in_force": _one_of(TimeInForce, empty=True),
        "limit_price": _PRICE_OR_EMPTY,
        "stop_price": _PRICE_OR_EMPTY,
        "trail_price": _QUANTITY_OR_EMPTY,
        "trail_percent": _QUANTITY_OR_EMPTY,
    },
    "ExecutionEvent": {
        "order_id": _ORDER_ID,
        "quantity": _QUANTITY_OR_EMPTY,
        "symbol": _NAME_OR_EMPTY,
        "price": _PRICE_OR_EMPTY,
        "update": _any_like(TradeUpdate),
        "side": _one_of(Side, empty=True),
        "commission": _PRICE_OR_EMPTY,
        "leaves_quantity": _QUANTITY_OR_EMPTY,
        "reason": _TEXT,
    },
    "DenialEvent": {
        "component": _NAME,
        "reason": _TEXT,
        "detail": _TEXT,
        "symbol": _NAME,
    },
    "ControlEvent": {"state": _one_of(TradingState), "reason": _TEXT, "sender": _TEXT},
    "DeadLetterEvent": {
        "component": _NAME,
        "reason": _any_like(DeadLetterReason),
        "error": _TEXT,
        "original_subject": _TEXT,
        "stream": _TEXT,
        "stream_sequence": _pattern("[0-9]+", empty=True),
        "content_type": _any_like(ContentType),
    },
    "LockstepReport": {
        "component": _NAME,
        "role": _ROLE,
        "next_symbol": _NAME_OR_EMPTY,
        "error": _TEXT,
    },
    "LockstepGrant": {"component": _NAME_OR_EMPTY, "until_symbol": _NAME_OR_EMPTY},
    "ComponentStatus": {
        "app": _NAME,
        "component": _NAME,
        "role": _ROLE,
        "language": _TEXT,
        "version": _TEXT,
        "life": _TEXT,
        "host": _TEXT,
        "state": _TEXT,
        "last_event": _TEXT,
        "last_symbol": _TEXT,
        "offset": _pattern("[0-9]+", empty=True),
        "data_offset": _pattern("[0-9]+", empty=True),
        "busy": _TEXT,
        "trading": _one_of(TradingState, empty=True),
        "trading_reason": _TEXT,
        "problem": _TEXT,
    },
    "AccountStatus": {
        "starting_cash": _MONEY,
        "cash": _MONEY,
        "equity": _MONEY,
        "unrealized_pnl": _MONEY,
        "realized_pnl": _MONEY,
        "commissions": _MONEY,
    },
    "PositionStatus": {
        "symbol": _TEXT,
        "quantity": _MONEY,
        "cost": _MONEY,
        "last_price": _MONEY,
        "realized_pnl": _MONEY,
    },
    "WorkingOrdersStatus": {},
    "WorkingOrderStatus": {
        "order_id": _TEXT,
        "symbol": _TEXT,
        "side": _one_of(Side),
        "type": _any_like(OrderType),
        "quantity": _MONEY,
        "filled": _MONEY,
        "limit_price": _MONEY,
        "stop_price": _MONEY,
        "state": _TEXT,
    },
}
for _message, _prefix in ID_PREFIXES.items():
    FORMATS[_message]["id"] = _id(_prefix)
