"""Content hashes of events, to compare two events with the same id."""

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
    """Return 16 bytes that are equal for two events of one kind with equal content.

    The first byte is the kind. The timestamp is left out, except for market data: a strategy that
    handles a bar a second time sends the same signal later. Of an execution report only the booked
    fields count: an executor that reports a fill again, after losing its file or its lease, may use
    another text and another update.
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
    """Return whether a message equals the one stored under its id."""
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
    """Return a message id that no other sender can have used before.

    The stream deduplicates by id alone. With a keyed hash of the whole message appended to the
    event's id, messages with equal ids are equal.

    Args:
        identifier: Id of the event, or empty.
        subject: Subject of the message.
        payload: Payload bytes.
        headers: Headers of the message.
        secret: Secret of the component.
    """
    if not identifier:
        return ""
    parts = [subject, *(f"{name}:{headers[name]}" for name in sorted(headers))]
    said = "\n".join(parts).encode("utf-8", "surrogatepass") + b"\n\n" + payload
    return f"{identifier}.{hmac.new(secret.encode(), said, sha256).hexdigest()[:_HEX]}"
