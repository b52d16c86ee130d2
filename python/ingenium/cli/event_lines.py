"""Format bus messages as aligned text or JSON lines."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import datetime
from math import isfinite

from ingenium.bus.base import Message
from ingenium.bus.envelope import content_type_of, source_of, unpack
from ingenium.cli.console import printable
from ingenium.clock import format_time
from ingenium.errors import DecodeError, WireError
from ingenium.events import (
    CancelEvent,
    ContentType,
    ControlEvent,
    DataEvent,
    DeadLetterEvent,
    DenialEvent,
    Event,
    ExecutionEvent,
    OrderEvent,
    ReplaceEvent,
    SignalEvent,
    encode,
)
from ingenium.subjects.names import event_type_of

__all__ = ["EventLines", "message_as_json"]

# By column name, or by kind and position where each kind of event has its own columns.
_Column = tuple[str, int] | str

_SEPARATOR = "  "
# The width of a time to the microsecond; times of daily bars are shorter.
_WIDTHS: dict[_Column, int] = {"kind": 10, "time": 27, "source": 14, "symbol": 6}
# One long text would push the columns to its right off the terminal.
_WIDEST = 40


class EventLines:
    """Formats messages as lines with aligned columns.

    A column is as wide as its widest value so far, since lines are printed as messages arrive.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._widths = dict(_WIDTHS)

    def line(self, message: Message) -> str:
        """Format a message as one line, readable or not.

        An event without a time shows its time of arrival, followed by ``~``.
        """
        kind = event_type_of(message.subject)
        if kind is None:
            own = _own_event(message.payload)
            if own is None:
                return self._of_subject("?", message, _preview(message.payload))
            return self._of_subject("own", message, json.dumps(own, ensure_ascii=False))
        try:
            event = unpack(kind, message)
        except WireError as error:
            return self._of_subject("broken", message, str(error), _preview(message.payload))
        name, (symbol, *cells) = _cells(event)
        start = [
            self._padded("kind", name),
            self._padded("time", _time(event) or f"{format_time(self._now())}~"),
            self._padded("source", source_of(message) or "-"),
            self._padded("symbol", symbol or "-"),
        ]
        rest = [self._padded((name, place), cell or "") for place, cell in enumerate(cells)]
        # A column without a value so far takes no space.
        return _SEPARATOR.join([*start, *filter(None, rest)]).rstrip()

    def _padded(self, column: _Column, text: str) -> str:
        text = printable(text)
        width = max(self._widths.get(column, 0), min(len(text), _WIDEST))
        self._widths[column] = width
        return text.ljust(width)

    def _of_subject(self, kind: str, message: Message, *texts: str) -> str:
        parts = (self._padded("kind", kind), printable(message.subject), *map(printable, texts))
        return _SEPARATOR.join(parts)


def _time(event: Event) -> str:
    time = event.timestamp
    return format_time(time) if isinstance(time, datetime) else time or ""


def _cells(event: Event) -> tuple[str, list[str | None]]:
    """Return kind, symbol and further fields of an event, each in its column."""
    if isinstance(event, DataEvent):
        bar = event.ohlc
        if bar is None:
            return "data", [event.symbol, event.type]
        return "data", [
            event.symbol,
            f"O {bar.open}",
            f"H {bar.high}",
            f"L {bar.low}",
            f"C {bar.close}",
            f"V {bar.volume or '-'}",
            bar.period,
        ]
    if isinstance(event, SignalEvent):
        word = event.signal.removeprefix("ingenium.signal.")
        return "signal", [event.symbol, word, _named("strength", event.strength)]
    if isinstance(event, OrderEvent):
        return "order", [
            event.symbol,
            event.side,
            event.quantity,
            event.type,
            _named("limit", event.limit_price),
            _named("stop", event.stop_price),
            event.time_in_force,
            event.id,
        ]
    if isinstance(event, CancelEvent):
        return "cancel", [event.symbol, event.order_id]
    if isinstance(event, ReplaceEvent):
        return "replace", [
            event.symbol,
            event.order_id,
            "by",
            event.quantity,
            _named("limit", event.limit_price),
            _named("stop", event.stop_price),
            _named("trail", event.trail_price),
            event.trail_percent and f"trail {event.trail_percent} %",
            event.time_in_force,
            event.id,
        ]
    if isinstance(event, ExecutionEvent):
        return "execution", [
            event.symbol,
            event.update or "filled",
            event.side,
            event.quantity,
            _named("at", event.price),
            event.order_id,
            event.reason,
        ]
    if isinstance(event, DenialEvent):
        return "denial", [event.symbol, event.component, event.reason, event.detail]
    if isinstance(event, ControlEvent):
        return "control", [None, event.state, event.sender, event.reason]
    return _dead_letter_cells(event)


def _dead_letter_cells(event: DeadLetterEvent) -> tuple[str, list[str | None]]:
    last_line = event.error.strip().rpartition("\n")[2]
    subject = f"on {event.original_subject}"
    return "deadletter", [None, event.component, event.reason, subject, last_line]


def _named(name: str, value: str | None) -> str | None:
    return f"{name} {value}" if value else None


def _own_event(payload: bytes) -> dict[str, object] | None:
    """Decode an event of a user's type; ``None`` when the payload is not a JSON object."""
    try:
        event = json.loads(payload.decode(), parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


def _finite(text: str) -> float:
    number = float(text)
    # The encoder would write a token that is not JSON.
    if not isfinite(number):
        raise ValueError(f"{text} is not a JSON number")
    return number


def _preview(payload: bytes, most: int = 120) -> str:
    text = printable(payload[:most].decode("utf-8", "backslashreplace"))
    return text + (f"... ({len(payload)} bytes)" if len(payload) > most else "")


def message_as_json(message: Message) -> str:
    """Format a message as one line of JSON, readable or not.

    Returns:
        ``{"subject", "type", "headers", "event"}``, the type ``null`` for a foreign type, or with
        ``"error"`` and ``"data_base64"`` in place of ``"event"`` when the payload
        is no event.
    """
    kind = event_type_of(message.subject)
    line: dict[str, object] = {
        "subject": message.subject,
        "type": None if kind is None else kind.__name__,
        "headers": dict(message.headers),
    }
    try:
        if kind is not None:
            event = unpack(kind, message)
            # A JSON payload may have keys that the schema does not know.
            is_json = content_type_of(kind, message) is ContentType.JSON
            line["event"] = json.loads(message.payload if is_json else encode(event))
        elif (own := _own_event(message.payload)) is not None:
            line["event"] = own
        else:
            raise DecodeError("event", "", "expected a JSON object")
    except WireError as error:
        line["error"] = str(error)
        line["data_base64"] = base64.b64encode(message.payload).decode()
    return json.dumps(line)
