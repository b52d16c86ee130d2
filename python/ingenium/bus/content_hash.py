"""What an event says, as a few bytes: whether two with one id are the same."""

from __future__ import annotations

import dataclasses
import hmac
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, cast

from ingenium.bus.base import Message
from ingenium.bus.envelope import unpack
from ingenium.errors import DecodeError
from ingenium.events import DataEvent, Event, ExecutionEvent, encode
from ingenium.subjects.names import event_type_of

__all__ = ["digest_of", "message_id", "same_content"]

_LENGTH = 15
_HEX = 32


def digest_of(event: Event) -> bytes:
    """Return 16 bytes that are equal for two events of one kind that say the same.

    The first byte is the kind. When it was said does not count, except for market data: a strategy
    that is fed a bar again says the same later. Of a report of an executor only that counts which
    is booked: one that tells it again, after it has lost its file or lost its lease to another
    machine, may do so in other words and with another update.
    """
    if isinstance(event, ExecutionEvent):
        parts: list[object] = [event.order_id, event.symbol]
        if event.quantity not in {None, "", "0"}:
            parts += [event.side, event.quantity, event.price]
        said = "\x1f".join(map(str, parts)).encode("utf-8", "replace")
    elif isinstance(event, DataEvent) or getattr(event, "timestamp", None) is None:
        said = encode(event)
    else:
        said = encode(dataclasses.replace(cast("Any", event), timestamp=None))
    kind = type(event).__name__.encode()
    return sha256(kind).digest()[:1] + sha256(said).digest()[:_LENGTH]


def same_content(kept: Message, sent: Message) -> bool:
    """Tell whether a message is the one that was kept under its id."""
    if kept.subject != sent.subject:
        return False
    if kept.payload == sent.payload:
        return True
    kind = event_type_of(sent.subject)
    if kind is None:
        return False
    try:
        return digest_of(unpack(kind, kept)) == digest_of(unpack(kind, sent))
    except DecodeError:
        return False


def message_id(
    identifier: str, subject: str, payload: bytes, headers: Mapping[str, str], secret: str
) -> str:
    """Return the id of a message that nobody else can have sent before.

    The stream knows a message by its id alone. With a keyed hash of all that is sent behind the
    event's id, what it takes for the same message is the same.

    Args:
        identifier: Id of the event; empty for one without.
        subject: Where the message goes.
        payload: Its bytes.
        headers: Its headers.
        secret: Of the component.
    """
    if not identifier:
        return ""
    parts = [subject, *(f"{name}:{headers[name]}" for name in sorted(headers))]
    said = "\n".join(parts).encode("utf-8", "surrogatepass") + b"\n\n" + payload
    return f"{identifier}.{hmac.new(secret.encode(), said, sha256).hexdigest()[:_HEX]}"
