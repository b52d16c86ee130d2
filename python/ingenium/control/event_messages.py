"""Events of the bus as messages."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from ingenium.bus.base import Message
from ingenium.bus.envelope import CAUSE, content_type_of, source_of, unpack
from ingenium.control._gen.ingenium.control.v1 import events_pb as pb
from ingenium.errors import WireError
from ingenium.events import ContentType, encode
from ingenium.subjects.grammar import matches
from ingenium.subjects.names import event_type_of

__all__ = ["MOST_TEXT", "cut", "event_message", "fits"]

MOST_TEXT = 16 * 1024
"""Most characters of an event."""


def cut(text: str) -> str:
    """Return a text of bounded length."""
    return text[:MOST_TEXT]


def event_message(message: Message, received: int) -> tuple[pb.BusEvent, Any]:
    """Return a message of the bus, and its event; ``None`` for one of no type of the bus.

    Args:
        message: The message.
        received: When it arrived, in nanoseconds since 1970.
    """
    kind = event_type_of(message.subject)
    made = pb.BusEvent(
        received_time=received,
        subject=message.subject,
        type="" if kind is None else kind.__name__,
        source=source_of(message),
        cause=message.headers.get(CAUSE, ""),
    )
    event: Any = None
    text = message.payload.decode("utf-8", "replace")
    if kind is not None:
        try:
            event = unpack(kind, message)
            if content_type_of(kind, message) is not ContentType.JSON:
                text = encode(event).decode()
        except WireError as error:
            made.error = str(error)
        else:
            made.id = getattr(event, "id", None) or ""
    else:
        with suppress(ValueError):
            found = json.loads(text)
            made.id = str(found.get("Id", "")) if isinstance(found, dict) else ""
    made.json, made.is_cut = cut(text), len(text) > MOST_TEXT
    return made, event


def fits(event: pb.BusEvent, symbol: str, wanted: pb.EventFilter) -> bool:
    """Return whether an event passes a filter.

    Args:
        event: The event.
        symbol: Its instrument; empty if it has none.
        wanted: The filter.
    """
    if wanted.type and event.type != wanted.type:
        return False
    if wanted.symbol and symbol != wanted.symbol:
        return False
    return not wanted.subject or matches(wanted.subject, event.subject)
