"""Events to make vectors of, and the tools to take them apart."""

from __future__ import annotations

import json
from typing import Any

from conformance.forms import complete, written
from conformance.vector import Vector

__all__ = ["EXTENDED", "PLAIN", "TEXT_OF", "accepted", "join", "put", "refused", "texts"]

AT = "2024-01-03T21:00:00Z"

PLAIN: dict[str, dict[str, Any]] = {
    "DataEvent": {
        "Type": "data.type.ohlc",
        "Symbol": "AAPL",
        "Timestamp": AT,
        "Ohlc": {
            "Open": "184.22",
            "High": "185.88",
            "Low": "183.43",
            "Close": "184.25",
            "Volume": "58414500",
        },
    },
    "SignalEvent": {"Symbol": "AAPL", "Signal": "ingenium.signal.long"},
    "OrderEvent": {
        "Id": "order_2YvmpUh3PgXRhQ8yhXTdRnF0vDD",
        "Timestamp": AT,
        "Symbol": "AAPL",
        "Side": "buy",
        "Quantity": "10",
        "Type": "limit",
        "TimeInForce": "day",
        "ExtendedHours": False,
        "LimitPrice": "184.25",
        "StopPrice": "",
        "TakeProfit": "",
        "TrailPrice": "",
        "TrailPercent": "",
        "StopLoss": {"LimitPrice": "", "StopPrice": ""},
    },
    "CancelEvent": {
        "Id": "cancel_2YvmpUh3PgXRhQ8yhXTdRnF0vDF",
        "Timestamp": AT,
        "OrderId": "order_2YvmpUh3PgXRhQ8yhXTdRnF0vDD",
        "Symbol": "AAPL",
    },
    "ReplaceEvent": {
        "Id": "order_2YvmpUh3PgXRhQ8yhXTdRnF0vDG",
        "Timestamp": AT,
        "OrderId": "order_2YvmpUh3PgXRhQ8yhXTdRnF0vDD",
        "Symbol": "AAPL",
        "Quantity": "12",
        "TimeInForce": "gtc",
        "LimitPrice": "184.5",
        "StopPrice": "",
        "TrailPrice": "",
        "TrailPercent": "",
    },
    "ExecutionEvent": {
        "Id": "exec_2YvmpUh3PgXRhQ8yhXTdRnF0vDE",
        "Timestamp": AT,
        "OrderId": "order_2YvmpUh3PgXRhQ8yhXTdRnF0vDD",
        "Quantity": "10",
        "Symbol": "AAPL",
    },
    "DenialEvent": {
        "Id": "denial_2YvmpUh3PgXRhQ8yhXTdRnF0vDI",
        "Timestamp": AT,
        "Component": "portfolio",
        "Reason": "max_order_quantity",
        "Detail": "12 shares, and the limit is 10",
        "Symbol": "AAPL",
    },
    "ControlEvent": {
        "Id": "control_2YvmpUh3PgXRhQ8yhXTdRnF0vDJ",
        "Timestamp": AT,
        "State": "halted",
        "Reason": "lost more than the day's limit",
        "Sender": "ann@trader-1",
    },
    "DeadLetterEvent": {
        "Id": "dead_2YvmpUh3PgXRhQ8yhXTdRnF0vDH",
        "Timestamp": AT,
        "Component": "rsi",
        "Reason": "undecodable",
        "Error": "cannot decode SignalEvent.Symbol: expected a string, found 12",
        "OriginalSubject": "ingenium.strategy.signal",
        "Data": "eyJTeW1ib2wiOjEyfQ==",
    },
}
"""Of each event one that sets all documented times and objects, and no extension."""

EXTENDED: dict[str, dict[str, Any]] = {
    "DataEvent": {
        "Ohlc": PLAIN["DataEvent"]["Ohlc"] | {"Period": "1d", "Timestamp": "2024-01-03T14:30:00Z"},
        "Id": "data_2YvmpUh3PgXRhQ8yhXTdRnF0vDB",
    },
    "SignalEvent": {
        "Id": "signal_2YvmpUh3PgXRhQ8yhXTdRnF0vDC",
        "Timestamp": AT,
        "Strength": "0.25",
    },
    "ExecutionEvent": {
        "ExecutionTimestamp": "2024-01-03T20:59:59.5Z",
        "Price": "184.25",
        "Update": "partial_fill",
        "Side": "buy",
        "Commission": "0.05",
        "LeavesQuantity": "5",
        "Reason": "half of it",
    },
    "DenialEvent": {"Order": PLAIN["OrderEvent"]},
    "DeadLetterEvent": {
        "Stream": "INGENIUM",
        "StreamSequence": "1042",
        "ContentType": "application/protobuf",
    },
}
"""Extension fields of the events that have some."""

TEXT_OF = {
    "DataEvent": "Symbol",
    "SignalEvent": "Symbol",
    "OrderEvent": "Symbol",
    "CancelEvent": "Symbol",
    "ReplaceEvent": "Symbol",
    "ExecutionEvent": "Symbol",
    "DenialEvent": "Symbol",
    "ControlEvent": "Reason",
    "DeadLetterEvent": "Error",
}
"""Of each event a field that holds text."""


def accepted(
    event: str, group: str, name: str, why: str, payload: str, value: dict[str, Any]
) -> Vector:
    """Make a vector that a reader takes as a value; what is empty may be left out of it."""
    full = complete(event, value)
    return Vector(event, group, name, why, payload.encode(), full, written(event, full))


def refused(event: str, group: str, name: str, why: str, payload: str | bytes) -> Vector:
    """Make a vector that a reader refuses."""
    bytes_ = payload if isinstance(payload, bytes) else payload.encode()
    return Vector(event, group, name, why, bytes_, None, None)


def texts(value: dict[str, Any]) -> dict[str, str]:
    """Return the values of an object as JSON texts."""
    return {
        key: json.dumps(inner, ensure_ascii=False, separators=(",", ":"))
        for key, inner in value.items()
    }


def join(*pairs: tuple[str, str]) -> str:
    """Return an object of keys and values that are JSON texts, but for the quotes of the keys."""
    return "{" + ",".join(f'"{key}":{text}' for key, text in pairs) + "}"


def put(event: str, *more: tuple[str, str], **changed: str) -> str:
    """Return an event's plain payload with JSON texts in the place of values, and more behind."""
    return join(*(texts(PLAIN[event]) | changed).items(), *more)
