"""What goes around a payload: the headers of an event, and dead letters."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from typing import Any

from ingenium.bus.contract import Bus, Message
from ingenium.bus.headers import RawHeaders, encode_headers
from ingenium.clock import Clock, SystemClock
from ingenium.errors import BusError, DecodeError
from ingenium.events import DeadLetterEvent, DeadLetterReason, encode
from ingenium.ids import make_id
from ingenium.subjects import dead_letter_subject, event_type_of

__all__ = ["dead_letter", "headers_for", "make_letter", "source_of"]

_SOURCE = "Ingenium-Source"
_ID = "Nats-Msg-Id"
_ID_START = b"Nats-Msg-Id: "
_END = b"\r\n\r\n"
_CACHE_LIMIT = 1024
_starts: dict[str, bytes] = {}


def headers_for(event: Any, source: str) -> Mapping[str, str]:
    """Make the headers of an event.

    Args:
        event: An event or a user's own message; its id becomes ``Nats-Msg-Id``.
        source: Name of the component that sends it.

    Returns:
        The headers, written out already: all but the id is the same from event to event.
    """
    start = _starts.get(source)
    if start is None:
        block = encode_headers({_SOURCE: source, "Content-Type": "application/json"})
        start = block.removesuffix(b"\r\n")
        if len(_starts) < _CACHE_LIMIT:
            _starts[source] = start
    identifier = getattr(event, "id", None)
    if not identifier or not isinstance(identifier, str):
        return RawHeaders(start + b"\r\n")  # A user's own message may have none, or a number.
    if not (identifier.isascii() and identifier.isprintable()):
        headers = {_SOURCE: source, "Content-Type": "application/json", _ID: identifier}
        return RawHeaders(encode_headers(headers))
    return RawHeaders(start + _ID_START + identifier.encode() + _END)


def source_of(message: Message) -> str:
    """Return the name of the component that sent ``message``; empty when it does not say."""
    return message.headers.get(_SOURCE, "")


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
        await bus.publish(
            dead_letter_subject(component), encode(letter), headers_for(letter, component)
        )
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
    )
