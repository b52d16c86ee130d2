"""One event of a trace, as a stream or a recording holds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ingenium.bus.envelope import CAUSE, source_of, unpack
from ingenium.bus.nats.direct_reader import KeptMessage
from ingenium.bus.stream import MESSAGE_ID
from ingenium.errors import DecodeError
from ingenium.events import (
    CancelEvent,
    ControlEvent,
    DataEvent,
    DeadLetterEvent,
    DenialEvent,
    ExecutionEvent,
    OrderEvent,
    ReplaceEvent,
    SignalEvent,
)
from ingenium.recorder.instants import nanoseconds
from ingenium.recorder.stored_message import stored_message, trace_id_in
from ingenium.runtime.durable.causes import CAUSE_TIME
from ingenium.runtime.replay import time_of
from ingenium.subjects.names import event_type_of

__all__ = ["TraceEvent", "order_of_message", "trace_event"]

_NAMES: dict[type[Any], str] = {
    DataEvent: "data",
    SignalEvent: "signal",
    OrderEvent: "order",
    CancelEvent: "cancel",
    ReplaceEvent: "replace",
    ExecutionEvent: "execution",
    DenialEvent: "denial",
    ControlEvent: "control",
    DeadLetterEvent: "dead letter",
}
_ABOUT_ORDERS = {each.__name__ for each in (ExecutionEvent, CancelEvent, ReplaceEvent, DenialEvent)}


@dataclass(slots=True, eq=False)
class TraceEvent:
    """An event with its place in a stream.

    Attributes:
        stream: Name of the stream.
        sequence: Sequence in the stream, from 1.
        subject: Subject.
        type: Name of its type; empty for a message that is none of the bus's events.
        id: Its id; empty without one.
        order: Id of the order that it concerns, for an execution, a denial and a request; empty
            for others.
        cause: Id of the event whose handling sent it; empty when not stated.
        cause_time: When the strategy's stream stored the bar that it goes back to, RFC 3339; empty
            when not stated.
        time: Time of the event, nanoseconds since 1970.
        received: When the stream stored it, nanoseconds since 1970.
        headers: Headers as published; empty without any.
        body: Payload.
        source: Component that sent it; empty when not stated.
    """

    stream: str
    sequence: int
    subject: str
    type: str
    id: str
    order: str
    cause: str
    cause_time: str
    time: int
    received: int
    headers: bytes
    body: bytes
    source: str

    @property
    def event(self) -> Any:
        """The decoded event; ``None`` if it cannot be decoded."""
        return _decoded(self.subject, self.headers, self.body)

    @property
    def trace_id(self) -> str:
        """Trace id of the header, 32 hexadecimal digits; empty without the header."""
        return trace_id_in(self.headers)

    @property
    def symbol(self) -> str:
        """Symbol that it concerns; empty without one."""
        return getattr(self.event, "symbol", "") or ""

    @property
    def kind(self) -> str:
        """What it is, in a word: ``"bar"``, ``"signal"``, ``"order"`` and so on."""
        event = self.event
        if isinstance(event, DataEvent):
            return "data" if event.ohlc is None else "bar"
        return _NAMES.get(type(event), "message")

    @property
    def text(self) -> str:
        """Its content, in a few words."""
        return _text_of(self.event)


def order_of_message(type_name: str, subject: str, headers: bytes, body: bytes) -> str:
    """Return the id of the order that a message concerns; empty for none."""
    return _order_id(_decoded(subject, headers, body)) if type_name in _ABOUT_ORDERS else ""


def trace_event(stream: str, kept: KeptMessage) -> TraceEvent:
    """Return the event of a message of a stream."""
    event = _decoded(kept.subject, kept.headers, kept.payload)
    message = stored_message(kept.subject, kept.headers, kept.payload)
    headers = message.headers
    kind = event_type_of(kept.subject)
    return TraceEvent(
        stream,
        kept.sequence,
        kept.subject,
        "" if kind is None else kind.__name__,
        (getattr(event, "id", "") or "") or headers.get(MESSAGE_ID, ""),
        _order_id(event),
        headers.get(CAUSE, ""),
        headers.get(CAUSE_TIME, ""),
        _time_of(event, kept.received),
        kept.received,
        kept.headers,
        kept.payload,
        source_of(message),
    )


def _decoded(subject: str, headers: bytes, body: bytes) -> Any:
    kind = event_type_of(subject)
    if kind is None:
        return None
    try:
        return unpack(kind, stored_message(subject, headers, body))
    except DecodeError:
        return None


def _order_id(event: Any) -> str:
    if isinstance(event, DenialEvent):
        return "" if event.order is None else event.order.id
    if isinstance(event, ExecutionEvent | CancelEvent | ReplaceEvent):
        return event.order_id
    return ""


def _time_of(event: Any, received: int) -> int:
    if isinstance(event, DataEvent):
        try:
            return nanoseconds(time_of(event))
        except DecodeError:
            return received
    time = getattr(event, "execution_timestamp", None) or getattr(event, "timestamp", None)
    return received if time is None else nanoseconds(time)


def _text_of(event: Any) -> str:
    match event:
        case DataEvent() if event.ohlc is not None:
            return f"close {event.ohlc.close}"
        case SignalEvent():
            return event.signal.rpartition(".")[2]
        case OrderEvent():
            prices = (("limit", event.limit_price), ("stop", event.stop_price))
            more = "".join(f", {name} {price}" for name, price in prices if price)
            return f"{event.side} {event.quantity}, {event.type}{more}"
        case ExecutionEvent():
            fill = f" {event.quantity} at {event.price}" if event.price and event.quantity else ""
            return f"{event.update}{fill}" + (f", {event.reason}" if event.reason else "")
        case DenialEvent():
            return f"{event.reason}: {event.detail}" if event.detail else event.reason
        case ControlEvent():
            return f"{event.state}: {event.reason}" if event.reason else event.state
        case CancelEvent() | ReplaceEvent():
            return f"order {event.order_id}"
        case DeadLetterEvent():
            return event.error.strip().rpartition("\n")[2]
    return ""
