"""List, show and resend dead letters."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime

import msgspec

from ingenium.bus import Message
from ingenium.bus.envelope import unpack
from ingenium.bus.stream import MESSAGE_ID, Record, Stream
from ingenium.errors import DecodeError, StreamError
from ingenium.events import (
    CancelEvent,
    DeadLetterEvent,
    ExecutionEvent,
    OrderEvent,
    ReplaceEvent,
    SignalEvent,
)
from ingenium.ids import make_id
from ingenium.subjects.names import DEAD_LETTER, dead_letter_subject, event_type_of

__all__ = ["RESENT", "DeadLetter", "find_dead_letter", "dead_letters_of", "original_of", "resend"]

RESENT = "Ingenium-Resent"
"""Header of a resent message: the id of the dead letter."""

_RESENDABLE = {SignalEvent, OrderEvent, CancelEvent, ReplaceEvent, ExecutionEvent}
_KEPT_HEADERS = ("Content-Type", "Ingenium-Source")


class DeadLetter(msgspec.Struct, frozen=True):
    """Dead letter stored in the stream.

    Attributes:
        sequence: Sequence number in the stream.
        time: Time of storage, UTC.
        event: Content of the dead letter.
    """

    sequence: int
    time: datetime
    event: DeadLetterEvent

    @property
    def moves_orders(self) -> bool:
        """Whether the payload is an order, or a request to cancel or replace one."""
        kind = event_type_of(self.event.original_subject)
        return kind in {OrderEvent, CancelEvent, ReplaceEvent}


class Original(msgspec.Struct, frozen=True):
    """The message that a component failed on.

    Attributes:
        payload: Payload bytes.
        headers: Headers, as far as known.
        is_kept: Whether it was read from the stream; otherwise from the dead letter, perhaps
            truncated.
    """

    payload: bytes
    headers: dict[str, str]
    is_kept: bool


async def dead_letters_of(
    stream: Stream, *, component: str | None = None, since: datetime | None = None
) -> AsyncGenerator[DeadLetter, None]:
    """Yield the dead letters of a stream, oldest first.

    Other messages on the subjects of dead letters are skipped.

    Args:
        stream: Stream to read.
        component: Only dead letters of this component.
        since: Only dead letters stored at this time or later.

    Raises:
        StreamError: The stream cannot be read.
    """
    wanted = f"{DEAD_LETTER}.>" if component is None else dead_letter_subject(component)
    newest = await stream.last(wanted)
    if newest is None:
        return
    after = (await stream.state()).first - 1
    async with aclosing(stream.read([wanted], after)) as records:
        async for record in records:
            letter = _read(record)
            if letter is not None and (since is None or record.time >= since):
                yield letter
            if record.sequence >= newest.sequence:
                return


async def find_dead_letter(stream: Stream, sequence: int) -> DeadLetter:
    """Return the dead letter at a sequence of the stream.

    Raises:
        StreamError: There is no dead letter at this sequence.
    """
    record = await _at(stream, sequence)
    letter = None if record is None else _read(record)
    if letter is None:
        raise StreamError(
            f"message {sequence} of stream {stream.name} is no dead letter: take one of those that "
            "ingenium deadletters lists"
        )
    return letter


async def original_of(stream: Stream, letter: DeadLetter) -> Original:
    """Return the original message of a dead letter, from the stream if stored there."""
    event = letter.event
    number = event.stream_sequence or ""
    if event.stream == stream.name and number.isascii() and number.isdigit():
        record = await _at(stream, int(number))
        if record is not None and _is_same(record.message, event):
            headers = record.message.headers
            kept = {name: headers[name] for name in _KEPT_HEADERS if name in headers}
            return Original(record.message.payload, kept, is_kept=True)
    headers = {"Content-Type": event.content_type} if event.content_type else {}
    return Original(event.data, headers, is_kept=False)


async def resend(stream: Stream, letter: DeadLetter) -> bool:
    """Resend the original message of a dead letter on its subject, unchanged.

    The id is a function of the dead letter, so repeated calls within the stream's duplicate window
    store the message once.

    Args:
        stream: Keeps it.
        letter: The dead letter.

    Returns:
        Whether the message was stored; ``False`` if it had been resent before.

    Raises:
        StreamError: The message is not a signal, order or execution, is not in the stream, or
            is refused.
        BusTimeoutError: No answer; a retry is safe.
    """
    event = letter.event
    if event_type_of(event.original_subject) not in _RESENDABLE:
        raise StreamError(
            f"dead letter {letter.sequence} came on {event.original_subject}, which is none of the "
            "subjects of signals, orders and executions: it is not sent again"
        )
    original = await original_of(stream, letter)
    if not original.is_kept:
        # A dead letter alone proves nothing: a strategy can forge one that contains an order.
        raise StreamError(
            f"stream {stream.name} does not have the message of dead letter {letter.sequence}, so "
            f"there is no proof that it was on {event.original_subject}: it is not sent again"
        )
    headers = original.headers | {
        MESSAGE_ID: make_id("resent", event.id, str(letter.sequence)),
        RESENT: event.id,
    }
    done = await stream.append(event.original_subject, original.payload, headers)
    return not done.duplicate


async def _at(stream: Stream, sequence: int) -> Record | None:
    state = await stream.state()
    if not state.first <= sequence <= state.last:
        return None
    async with aclosing(stream.read(["ingenium.>"], sequence - 1)) as records:
        async for record in records:
            return record if record.sequence == sequence else None
    return None


def _is_same(message: Message, event: DeadLetterEvent) -> bool:
    return message.subject == event.original_subject and message.payload.startswith(event.data)


def _read(record: Record) -> DeadLetter | None:
    if event_type_of(record.message.subject) is not DeadLetterEvent:
        return None
    try:
        event = unpack(DeadLetterEvent, record.message)
    except DecodeError:
        return None
    return DeadLetter(record.sequence, record.time, event)
