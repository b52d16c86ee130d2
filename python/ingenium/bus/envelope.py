"""Headers around a payload, encoding and decoding of messages, and dead letters."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ingenium.bus.base import Bus, Message
from ingenium.bus.headers import RawHeaders, encode_headers
from ingenium.clock import Clock, SystemClock
from ingenium.errors import BusError, ConfigError, DecodeError
from ingenium.events import (
    ContentType,
    DeadLetterEvent,
    DeadLetterReason,
    Event,
    decode,
    decode_binary,
    encode,
    encode_binary,
)
from ingenium.ids import make_id
from ingenium.subjects.names import dead_letter_subject, event_type_of

__all__ = [
    "CAUSE",
    "cause_header",
    "content_type_named",
    "content_type_of",
    "dead_letter",
    "headers_for",
    "is_from",
    "make_letter",
    "pack",
    "source_of",
    "unpack",
]

CAUSE = "Ingenium-Cause"
"""Header of an event: id of the event whose handling sent it."""

_LONGEST_CAUSE = 200
_SOURCE = "Ingenium-Source"
_ID = "Nats-Msg-Id"
_ID_START = b"Nats-Msg-Id: "
_TYPE = "Content-Type"
_TYPE_START = b"\r\nContent-Type:"
_TYPE_JSON = b"\r\nContent-Type: application/json\r\n"
_END = b"\r\n\r\n"
_CACHE_LIMIT = 1024
_TYPES: dict[str, ContentType] = {
    "": ContentType.JSON,
    **{kind.value: kind for kind in ContentType},
}
_BOTH = " or ".join(ContentType)
_starts: dict[tuple[str, ContentType], bytes] = {}

EventT = TypeVar("EventT")


def content_type_named(text: str) -> ContentType:
    """Return the content type of a setting; JSON for an empty one.

    Raises:
        ConfigError: The content type is unknown.
    """
    try:
        return _TYPES[text]
    except KeyError:
        raise ConfigError(
            f"content type {text!r} is unknown: use {_BOTH}, in INGENIUM_CONTENT_TYPE or in code"
        ) from None


def pack(event: Any, source: str, content_type: ContentType) -> tuple[bytes, Mapping[str, str]]:
    """Encode an event into payload and headers.

    Args:
        event: An event or a user's own message; its id becomes ``Nats-Msg-Id``.
        source: Name of the component that sends it.
        content_type: Encoding of the payload.

    Returns:
        Payload and headers.

    Raises:
        EncodeError: A field holds what the wire format cannot carry.
    """
    payload = encode(event) if content_type is ContentType.JSON else encode_binary(event)
    return payload, headers_for(event, source, content_type)


def unpack(event_type: type[EventT], message: Message) -> EventT:
    """Decode the event in a message, in the encoding that the message states.

    Raises:
        DecodeError: The payload is not such an event, or its ``Content-Type`` is unknown.
    """
    headers = message.headers
    # Most messages are JSON and state that once; parsing their headers would cost as much as
    # decoding the event.
    plain = (
        type(headers) is RawHeaders
        and _TYPE_JSON in headers.raw
        and headers.raw.count(_TYPE_START) == 1
    )
    if not plain and headers and content_type_of(event_type, message) is not ContentType.JSON:
        return decode_binary(event_type, message.payload)
    try:
        return decode(event_type, message.payload)
    except DecodeError as error:
        if error.path or message.payload.lstrip()[:1] == b"{":
            raise
        raise DecodeError(
            error.event_type,
            "",
            f"{error.problem}: send JSON, or protobuf with {_TYPE}: {ContentType.PROTOBUF}",
        ) from None


def content_type_of(event_type: type[Any], message: Message) -> ContentType:
    """Return the encoding that a message states; JSON by default.

    Args:
        event_type: Expected type, for the error text.
        message: The message.

    Raises:
        DecodeError: The encoding is unknown.
    """
    headers = message.headers
    if type(headers) is RawHeaders:
        raw = headers.raw
        if raw.count(_TYPE_START) > 1:
            # Two readers could choose different headers.
            raise DecodeError(
                event_type.__name__, "", f"the header {_TYPE} is there twice: send it once"
            )
    text = headers.get(_TYPE, "")
    found = _TYPES.get(text) or _TYPES.get(text.partition(";")[0].strip().lower())
    if found is None:
        raise DecodeError(
            event_type.__name__, "", f"the header {_TYPE} is {text[:80]!r}: send {_BOTH}"
        )
    return found


def headers_for(
    event: Any, source: str, content_type: ContentType = ContentType.JSON
) -> Mapping[str, str]:
    """Return the headers of an event.

    Args:
        event: An event or a user's own message; its id becomes ``Nats-Msg-Id``.
        source: Name of the component that sends it.
        content_type: Encoding of the payload.

    Returns:
        Encoded headers: all but the id is equal for all events of a component.
    """
    start = _starts.get((source, content_type))
    if start is None:
        block = encode_headers({_SOURCE: source, _TYPE: content_type.value})
        start = block.removesuffix(b"\r\n")
        if len(_starts) < _CACHE_LIMIT:
            _starts[source, content_type] = start
    identifier = getattr(event, "id", None)
    if not identifier or not isinstance(identifier, str):
        return RawHeaders(start + b"\r\n")  # A user's message may have no id, or a number as id.
    if not (identifier.isascii() and identifier.isprintable()):
        headers = {_SOURCE: source, _TYPE: content_type.value, _ID: identifier}
        return RawHeaders(encode_headers(headers))
    return RawHeaders(start + _ID_START + identifier.encode() + _END)


def cause_header(event: Any) -> Mapping[str, str]:
    """Return the header of the events that a component sends while it handles an event.

    Args:
        event: The handled event; ``None`` for a call without one.

    Returns:
        One header; none if the event has no id that a header can hold.
    """
    identifier = getattr(event, "id", None)
    # The id may come from any program, and a line break would end the header.
    if (
        isinstance(identifier, str)
        and 0 < len(identifier) <= _LONGEST_CAUSE
        and identifier.isascii()
        and identifier.isprintable()
    ):
        return {CAUSE: identifier}
    return {}


def source_of(message: Message) -> str:
    """Return the name of the component that sent ``message``; empty if not stated."""
    return message.headers.get(_SOURCE, "")


def is_from(message: Message, source: str) -> bool:
    """Whether a message names a component as its sender."""
    headers = message.headers
    # Parsing headers would take a tenth of the time of reading a whole stream.
    if type(headers) is RawHeaders and f"\r\n{_SOURCE}: {source}\r\n".encode() in headers.raw:
        return True
    return headers.get(_SOURCE, "") == source


async def dead_letter(
    bus: Bus,
    component: str,
    message: Message,
    error: Exception,
    clock: Clock | None = None,
    *,
    add_headers: Callable[[Event, Mapping[str, str]], Mapping[str, str]] | None = None,
) -> None:
    """Publish a dead letter for a payload that a component could not handle.

    Never raises, since the caller is already handling an error.

    Args:
        bus: Bus to publish on.
        component: Name of the component that failed on the message.
        message: The message.
        error: Cause of the failure.
        clock: Tells the time; the system clock by default.
        add_headers: Returns the headers of a sent event, with those of a middleware.
    """
    letter = make_letter(component, message, error, clock, max_payload=bus.max_payload)
    if letter is None:
        return
    try:
        payload, headers = pack(letter, component, bus.content_type)
        if add_headers is not None:
            headers = add_headers(letter, headers)
        await bus.publish(dead_letter_subject(component), payload, headers)
    except BusError:
        # Reporting must not raise; the incident of the original error is already logged.
        return


def make_letter(
    component: str,
    message: Message,
    error: Exception,
    clock: Clock | None = None,
    *,
    max_payload: int,
    kept: tuple[str, int] | None = None,
) -> DeadLetterEvent | None:
    """Return the dead letter of a payload that a component could not handle.

    Args:
        component: Name of the component that failed on the message.
        message: The message.
        error: Cause of the failure.
        clock: Tells the time; the system clock by default.
        max_payload: Maximum size of a message in bytes; a larger payload is truncated.
        kept: Stream and sequence of the stored message.

    Returns:
        The dead letter; ``None`` for a dead letter, which never causes another one.
    """
    undecodable = isinstance(error, DecodeError)
    place = () if kept is None else (kept[0], str(kept[1]))
    text = str(error) if undecodable else "".join(traceback.format_exception(error))
    if event_type_of(message.subject) is DeadLetterEvent:
        return None
    return DeadLetterEvent(
        id=make_id("dead", component, message.subject, message.payload.hex(), *place),
        timestamp=(clock or SystemClock()).now(),
        component=component,
        reason=DeadLetterReason.UNDECODABLE if undecodable else DeadLetterReason.HANDLER_ERROR,
        # The server limits the whole message, and base64 makes the payload a third larger.
        error=text[-8192:],
        original_subject=message.subject,
        data=message.payload[: max(0, (max_payload - 16_384) * 3 // 4)],
        stream=place[0] if place else None,
        stream_sequence=place[1] if place else None,
        content_type=message.headers.get(_TYPE),
    )
