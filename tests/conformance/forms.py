"""The fields of every event as docs/wire-format.md lists them, and the JSON that follows from them.

Written out by hand, and not taken from the schemas or from the codec: the vectors must be able to
prove either wrong.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

__all__ = ["EVENTS", "FORMS", "ZERO_TIME", "Field", "complete", "written"]

ZERO_TIME = "0001-01-01T00:00:00Z"
"""Go's zero time: how a documented time that was not set is written."""


@dataclass(frozen=True)
class Field:
    """A field of an event.

    Attributes:
        key: Its key in JSON, ``"OrderId"``.
        kind: ``"text"``, ``"bool"``, ``"time"``, ``"bytes"``, or the name of a nested form.
        extension: Whether it is written only when it is set.
    """

    key: str
    kind: str
    extension: bool


# Name:kind, the kind left out for text; a question mark for what is written only when it is set.
_TEXT = {
    "DataEvent": "Type Symbol Timestamp Ohlc:Ohlc? Id?",
    "Ohlc": "Open High Low Close Volume Period? Timestamp:time?",
    "SignalEvent": "Symbol Signal Id? Timestamp:time? Strength?",
    "OrderEvent": "Id Timestamp:time Symbol Side Quantity Type TimeInForce ExtendedHours:bool "
    "LimitPrice StopPrice TakeProfit TrailPrice TrailPercent StopLoss:StopLoss",
    "StopLoss": "LimitPrice StopPrice",
    "CancelEvent": "Id Timestamp:time OrderId Symbol",
    "ReplaceEvent": "Id Timestamp:time OrderId Symbol Quantity TimeInForce LimitPrice StopPrice "
    "TrailPrice TrailPercent",
    "ExecutionEvent": "Id Timestamp:time OrderId Quantity Symbol ExecutionTimestamp:time? Price? "
    "Update? Side? Commission? LeavesQuantity? Reason?",
    "DenialEvent": "Id Timestamp:time Component Reason Detail Symbol Order:OrderEvent?",
    "ControlEvent": "Id Timestamp:time State Reason Sender",
    "DeadLetterEvent": "Id Timestamp:time Component Reason Error OriginalSubject Data:bytes "
    "Stream? StreamSequence? ContentType?",
}


def _parse(text: str) -> tuple[Field, ...]:
    fields = []
    for part in text.split():
        key, _, kind = part.rstrip("?").partition(":")
        fields.append(Field(key, kind or "text", part.endswith("?")))
    return tuple(fields)


FORMS: dict[str, tuple[Field, ...]] = {name: _parse(text) for name, text in _TEXT.items()}
"""Fields of every event and of what stands in one, in the order in which they are written."""

EVENTS = tuple(name for name in FORMS if name.endswith("Event"))
"""The events of the bus."""


def complete(form: str, given: dict[str, Any]) -> dict[str, Any]:
    """Return a decoded value in full, from what a vector says of it.

    Fields that are always written are there, empty when nothing was given; extensions and times
    are there only when they are set.
    """
    unknown = set(given) - {field.key for field in FORMS[form]}
    if unknown:
        raise ValueError(f"{form} has no field {sorted(unknown)}")
    value: dict[str, Any] = {}
    for field in FORMS[form]:
        if field.kind in FORMS:
            if field.key in given or not field.extension:
                value[field.key] = complete(field.kind, given.get(field.key, {}))
        elif field.key in given:
            value[field.key] = given[field.key]
        elif not field.extension and field.kind != "time":
            value[field.key] = False if field.kind == "bool" else ""
    return value


def written(form: str, value: dict[str, Any]) -> str:
    """Return the JSON text of a decoded value, byte for byte as the format has it."""
    text = json.dumps(_with_zero_times(form, value), ensure_ascii=False, separators=(",", ":"))
    # Go's encoding/json writes these so that JSON can stand in HTML and in JavaScript.
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _with_zero_times(form: str, value: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for field in FORMS[form]:
        if field.key in value:
            inner = value[field.key]
            shown[field.key] = _with_zero_times(field.kind, inner) if field.kind in FORMS else inner
        elif field.kind == "time" and not field.extension:
            shown[field.key] = ZERO_TIME
    return shown
