"""What goes around a payload: the headers of an event, and dead letters."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any, TypeVar

from ingenium.bus.base import Bus, Message
from ingenium.bus.headers import RawHeaders, encode_headers
from ingenium.clock import Clock, SystemClock
from ingenium.errors import BusError, ConfigError, DecodeError
from ingenium.events import (
    ContentType,
    DeadLetterEvent,
    DeadLetterReason,
    decode,
    decode_binary,
    encode,
    encode_binary,
)
from ingenium.ids import make_id
from ingenium.subjects.names import dead_letter_subject, event_type_of

__all__ = [
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
    """Return the content type of a setting; JSON when it is empty.

    Raises:
        ConfigError: It is none of ours.
    """
    try:
        return _TYPES[text]
    except KeyError:
        raise ConfigError(
            f"content type {text!r} is unknown: use {_BOTH}, in INGENIUM_CONTENT_TYPE or in code"
        ) from None


def pack(event: Any, source: str, content_type: ContentType) -> tuple[bytes, Mapping[str, str]]:
    """Write an event as it travels.

    Args:
        event: An event or a user's own message; its id becomes ``Nats-Msg-Id``.
        source: Name of the component that sends it.
        content_type: In which form.

    Returns:
        The payload, and its headers.

    Raises:
        EncodeError: A field holds what the wire format cannot carry.
    """
    payload = encode(event) if content_type is ContentType.JSON else encode_binary(event)
    return payload, headers_for(event, source, content_type)


def unpack(event_type: type[EventT], message: Message) -> EventT:
    """Read the event in a message, in the form that the message says it has.

    Raises:
        DecodeError: It is no such event, or its ``Content-Type`` is none of ours.
    """
    headers = message.headers
    # Most messages are JSON and say so once; to take their headers apart would cost as much as to
    # read the event.
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
    """Return the form that a message says it has; JSON when it says nothing.

    Args:
        event_type: What it is expected to hold, for the error's text.
        message: The message.

    Raises:
        DecodeError: The form is none of ours.
    """
    headers = message.headers
    if type(headers) is RawHeaders:
        raw = headers.raw
        if raw.count(_TYPE_START) > 1:
            # Two readers could disagree on what such a message is.
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
    """Make the headers of an event.

    Args:
        event: An event or a user's own message; its id becomes ``Nats-Msg-Id``.
        source: Name of the component that sends it.
        content_type: The form of its payload.

    Returns:
        The headers, written out already: all but the id is the same from event to event.
    """
    start = _starts.get((source, content_type))
    if start is None:
        block = encode_headers({_SOURCE: source, _TYPE: content_type.value})
        start = block.removesuffix(b"\r\n")
        if len(_starts) < _CACHE_LIMIT:
            _starts[source, content_type] = start
    identifier = getattr(event, "id", None)
    if not identifier or not isinstance(identifier, str):
        return RawHeaders(start + b"\r\n")  # A user's own message may have none, or a number.
    if not (identifier.isascii() and identifier.isprintable()):
        headers = {_SOURCE: source, _TYPE: content_type.value, _ID: identifier}
        return RawHeaders(encode_headers(headers))
    return RawHeaders(start + _ID_START + identifier.encode() + _END)


def source_of(message: Message) -> str:
    """Return the name of the component that sent ``message``; empty when it does not say."""
    return message.headers.get(_SOURCE, "")


def is_from(message: Message, source: str) -> bool:
    """Whether a component sent a message, as that says itself."""
    headers = message.headers
    # Who reads a whole stream would spend a tenth of the time on taking headers apart.
    if type(headers) is RawHeaders and f"\r\n{_SOURCE}: {source}\r\n".encode() in headers.raw:
        return True
    return headers.get(_SOURCE, "") == source


async def dead_letter(
    bus: Bus, component: str, message: Message, error: Exception, clock: Clock | None = None
) -> None:
    """Publish a payload that a component could not take, so that nothing is lost.

    Never raises: it runs where something has already gone wrong.

    Args:
        bus: Where to.
        component: Name of the one that could not take it.
        message: What it could not take.
        error: Why.
        clock: Tells the time; the machine's when left out.
    """
    letter = make_letter(component, message, error, clock, max_payload=bus.max_payload)
    if letter is None:
        return
    try:
        payload, headers = pack(letter, component, bus.content_type)
        await bus.publish(dead_letter_subject(component), payload, headers)
    except BusError:
        # Reporting must not raise in its turn; the incident of the original error is logged.
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
    """Make the dead letter of a payload that a component could not take.

    Args:
        component: Name of the one that could not take it.
        message: What it could not take.
        error: Why.
        clock: Tells the time; the machine's when left out.
        max_payload: Bytes that a message may have; the payload is cut where it would not fit.
        kept: Stream and sequence where the message is kept.

    Returns:
        The letter; ``None`` for what is a dead letter itself, which is never answered with another.
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
        # A server's limit counts the whole letter; base64 grows the payload by a third.
        error=text[-8192:],
        original_subject=message.subject,
        data=message.payload[: max(0, (max_payload - 16_384) * 3 // 4)],
        stream=place[0] if place else None,
        stream_sequence=place[1] if place else None,
        content_type=message.headers.get(_TYPE),
    )
