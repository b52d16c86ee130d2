"""Contract of a stream: messages are stored in one order and read from any position.

Every stream guarantees:

* A message acknowledged by `Stream.append` is stored, and every reader gets it, in sequence order.
* A message with an id seen within the duplicate window is acknowledged as a duplicate and stored
  once; a different message under that id is an error.
* `Stream.read` never skips a message silently: if one is gone, it raises.

Not guaranteed: that a message whose append timed out was not stored. Append it again, with the same
id.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime

import msgspec

from ingenium.bus.base import Message
from ingenium.bus.content_hash import same_content
from ingenium.clock import Clock, SystemClock
from ingenium.errors import BusError, StreamError
from ingenium.subjects.grammar import check_pattern, check_subject, matches

__all__ = [
    "MESSAGE_ID",
    "Appended",
    "MemoryStream",
    "Record",
    "Stream",
    "StreamState",
    "check_gap",
    "check_mark",
]

MESSAGE_ID = "Nats-Msg-Id"
"""Header with the id by which a stream detects duplicates."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """Message stored in a stream.

    Attributes:
        sequence: Sequence number, from 1.
        time: Time of storage, UTC, by the server's clock.
        message: The published message.
    """

    sequence: int
    time: datetime
    message: Message

    @property
    def mark(self) -> str:
        """Fingerprint that differs from any other message at the same sequence.

        A stream that loses its last messages reuses their sequence numbers.
        """
        return self.time.isoformat()


class Appended(msgspec.Struct, frozen=True):
    """Acknowledgement of a message.

    Attributes:
        sequence: Sequence number in the stream.
        duplicate: Whether the message had been stored before.
    """

    sequence: int
    duplicate: bool = False


class StreamState(msgspec.Struct, frozen=True):
    """State of a stream.

    Attributes:
        created: Creation time; it differs after the stream was deleted and recreated.
        first: Sequence of the oldest stored message; `last` + 1 for an empty stream.
        last: Sequence of the newest message, even if it is no longer stored.
        time: Time of this state by the server's clock, UTC; ``None`` if not stated.
        missing: Missing sequences between `first` and `last`, in order; deleting is denied, so the
            files are damaged.
    """

    created: str
    first: int
    last: int
    time: datetime | None = None
    missing: tuple[int, ...] = ()


class Stream(ABC):
    """Stores messages in one order."""

    name: str

    @abstractmethod
    async def append(
        self, subject: str, payload: bytes, headers: Mapping[str, str] | None = None
    ) -> Appended:
        """Publish a message and wait for the acknowledgement.

        Args:
            subject: Subject without wildcards.
            payload: Bytes.
            headers: Headers; with `MESSAGE_ID` a retry is safe.

        Raises:
            BusTimeoutError: No answer; the message may be stored or not. Retry with the same id.
            EventTooLargeError: Too large; the message is not stored.
            StreamError: The stream refuses the message for good, or does not exist.
        """

    async def append_many(self, messages: Sequence[Message]) -> list[Appended | None]:
        """Publish messages in order, and wait for all acknowledgements together.

        Messages are stored in order; if the connection breaks, only the last ones are missing.

        Args:
            messages: Each with its own `MESSAGE_ID`.

        Returns:
            The acknowledgement of each message. ``None`` leaves open whether a message was stored:
            `append` it to find out, or to get the reason.
        """
        return [None] * len(messages)

    @abstractmethod
    def read(
        self, subjects: Sequence[str], after: int, *, mark: str = ""
    ) -> AsyncGenerator[Record, None]:
        """Yield the messages on some subjects after a position, without end.

        Survives lost connections and restarts of the server.

        Args:
            subjects: Subjects or wildcards.
            after: Sequence of the last message to skip; 0 for all stored messages.
            mark: The `Record.mark` of that message, whatever its subject; empty if unknown. Until
                the first message arrives, the mark is checked on each new connection.

        Raises:
            StreamError: Messages after the position are gone, or the stream was recreated.
        """

    async def read_many(
        self, subjects: Sequence[str], after: int, *, mark: str = ""
    ) -> AsyncGenerator[list[Record], None]:
        """Yield the same as `read`, in batches of the messages that have arrived.

        For long histories: a batch may cost much less per message.
        """
        async with aclosing(self.read(subjects, after, mark=mark)) as records:
            async for record in records:
                yield [record]

    @abstractmethod
    async def state(self) -> StreamState:
        """Return the state of the stream.

        Raises:
            BusTimeoutError: The server does not answer.
            StreamError: The stream is gone.
        """

    async def pause(self, seconds: float) -> bool:
        """Wait before a retry, for at most this time.

        Returns:
            Whether the wait ended early because a lost connection was restored.
        """
        await asyncio.sleep(seconds)
        return False

    @abstractmethod
    async def at(self, sequence: int) -> Record | None:
        """Return the message at a sequence; ``None`` if not stored.

        Raises:
            BusTimeoutError: The server does not answer.
        """

    @abstractmethod
    async def last(self, subject: str) -> Record | None:
        """Return the newest message on a subject; ``None`` if not stored.

        Raises:
            BusTimeoutError: The server does not answer.
        """


def check_gap(name: str, state: StreamState, after: int, created: str = "") -> None:
    """Check that a stream still has all messages after a position.

    Args:
        name: Of the stream, for the text.
        state: State of the stream.
        after: Position.
        created: Creation time of the stream that the position refers to; empty if unknown, and then
            nothing is missing after position 0.

    Raises:
        StreamError: Messages are missing; the text lists them.
    """
    if created and created != state.created:
        raise StreamError(
            f"stream {name} was recreated at {state.created}, and the messages of the stream of "
            f"{created} are gone"
        )
    if state.last < after:
        raise StreamError(
            f"stream {name} ends at message {state.last}, before message {after} that was handled: "
            "its end is lost, as after a power failure or an older copy of its files"
        )
    # Without a known stream, 0 means all stored messages.
    if (after or created) and state.first > after + 1:
        raise StreamError(
            f"stream {name} no longer holds messages {after + 1} to {state.first - 1}, which were "
            "not handled: they fell out at its limits"
        )
    if (after or created) and state.missing and state.missing[-1] > after:
        gone = [sequence for sequence in state.missing if sequence > after]
        raise StreamError(
            f"stream {name} no longer holds {len(gone):,} messages between {gone[0]} and "
            f"{gone[-1]}, which were not handled: its files are damaged, or they were deleted"
        )


def check_mark(name: str, sequence: int, mark: str, found: Record | None) -> None:
    """Check that the message at a sequence is still the same.

    Args:
        name: Of the stream, for the text.
        sequence: Sequence of the message.
        mark: Mark of the expected message.
        found: Message found at the sequence; ``None``, if removed by a limit, proves nothing.

    Raises:
        StreamError: The message differs.
    """
    if found is not None and (found.sequence, found.mark) != (sequence, mark):
        raise StreamError(
            f"message {sequence} of stream {name} is not the one that was read before: the "
            "stream has lost its end, and others have taken that place"
        )


class MemoryStream(Stream):
    """Stream within one process, for tests.

    Args:
        name: Name, as of a stream on a server.
        clock: Source of the time of storage; the system clock by default.
    """

    def __init__(self, name: str = "MEMORY", *, clock: Clock | None = None) -> None:
        self.name = name
        self._clock = clock or SystemClock()
        self._created = self._clock.now().isoformat()
        self._records: list[Record] = []
        self._taken: dict[str, int] = {}
        self._grown = asyncio.Event()

    async def append(
        self, subject: str, payload: bytes, headers: Mapping[str, str] | None = None
    ) -> Appended:
        """Store a message; see `Stream.append`."""
        check_subject(subject)
        headers = dict(headers or {})
        identifier = headers.get(MESSAGE_ID, "")
        if identifier in self._taken:
            sequence = self._taken[identifier]
            kept = self._records[sequence - 1].message
            if not same_content(kept, Message(subject, payload, headers)):
                raise StreamError(
                    f"the message on {subject} is not kept: its id {identifier!r} is that of "
                    f"message {sequence} on {kept.subject}, whose content differs"
                )
            return Appended(sequence, duplicate=True)
        sequence = len(self._records) + 1
        message = Message(subject, payload, headers)
        self._records.append(Record(sequence, self._clock.now(), message))
        if identifier:
            self._taken[identifier] = sequence
        self._grown.set()
        return Appended(sequence)

    async def append_many(self, messages: Sequence[Message]) -> list[Appended | None]:
        """Store messages; see `Stream.append_many`."""
        answers: list[Appended | None] = []
        for each in messages:
            try:
                answers.append(await self.append(each.subject, each.payload, each.headers))
            except BusError:
                answers.append(None)
        return answers

    async def read(
        self, subjects: Sequence[str], after: int, *, mark: str = ""
    ) -> AsyncGenerator[Record, None]:
        """Yield the messages after a position; see `Stream.read`."""
        for subject in subjects:
            check_pattern(subject)
        if mark:
            check_mark(self.name, after, mark, await self.at(after))
        while True:
            self._grown.clear()
            for record in self._records[after:]:
                after = record.sequence
                if any(matches(subject, record.message.subject) for subject in subjects):
                    yield record
            if after == len(self._records):
                await self._grown.wait()

    async def state(self) -> StreamState:
        """Return the state of the stream."""
        return StreamState(self._created, 1, len(self._records), self._clock.now())

    async def at(self, sequence: int) -> Record | None:
        """Return the message at a sequence."""
        return self._records[sequence - 1] if 0 < sequence <= len(self._records) else None

    async def last(self, subject: str) -> Record | None:
        """Return the newest message on a subject."""
        for record in reversed(self._records):
            if record.message.subject == subject:
                return record
        return None
