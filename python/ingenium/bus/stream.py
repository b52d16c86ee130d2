"""A stream: what is published is kept, in one order, and can be read from any position.

Promised by every stream:

* What `Stream.append` acknowledged is kept, and every reader gets it, in the order of sequences.
* A message with an id that the stream has taken within its window is acknowledged as a duplicate
  and kept once; one that differs from what was kept under the id is an error.
* `Stream.read` never leaves out a message in silence: where one is gone, it raises.

Not promised: that a message whose append timed out was not kept. Append it again, with the same id.
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
"""Header by which a stream knows a message that it has taken before."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """A message as a stream keeps it.

    Attributes:
        sequence: Its place, from 1 on.
        time: When it was kept, UTC, by the server's clock.
        message: What was published.
    """

    sequence: int
    time: datetime
    message: Message

    @property
    def mark(self) -> str:
        """What tells it from another message that may come to stand in its place.

        A stream that loses its end gives the numbers of what is lost to what comes next.
        """
        return self.time.isoformat()


class Appended(msgspec.Struct, frozen=True):
    """The acknowledgement of a message.

    Attributes:
        sequence: Its place in the stream.
        duplicate: Whether it had been kept before.
    """

    sequence: int
    duplicate: bool = False


class StreamState(msgspec.Struct, frozen=True):
    """What a stream holds.

    Attributes:
        created: When it was made; one that was deleted and made anew has another.
        first: Sequence of the oldest message that is kept; one above `last` when there is none.
        last: Sequence of the newest message, kept or not.
        time: When it held that, by the server's clock, UTC; ``None`` when the server does not say.
        missing: Sequences between `first` and `last` that are not there, in order: nobody may
            delete them, so the files are damaged.
    """

    created: str
    first: int
    last: int
    time: datetime | None = None
    missing: tuple[int, ...] = ()


class Stream(ABC):
    """Keeps messages in one order."""

    name: str

    @abstractmethod
    async def append(
        self, subject: str, payload: bytes, headers: Mapping[str, str] | None = None
    ) -> Appended:
        """Publish a message and wait until it is kept.

        Args:
            subject: Where to, without wildcards.
            payload: Bytes.
            headers: Header `MESSAGE_ID` makes it safe to try again.

        Raises:
            BusTimeoutError: No answer; the message may be kept or not. Try again with the same id.
            EventTooLargeError: Too large; it is not kept.
            StreamError: The stream refuses it for good, or there is none.
        """

    async def append_many(self, messages: Sequence[Message]) -> list[Appended | None]:
        """Publish messages one behind the other, and wait for all acknowledgements together.

        They are kept in their order; when a connection breaks, the end of them is missing.

        Args:
            messages: Each with its own `MESSAGE_ID`.

        Returns:
            The acknowledgement of each. ``None`` says nothing of whether a message was kept:
            `append` it, which finds out, or says why it is not.
        """
        return [None] * len(messages)

    @abstractmethod
    def read(
        self, subjects: Sequence[str], after: int, *, mark: str = ""
    ) -> AsyncGenerator[Record, None]:
        """Yield the messages on some subjects behind a position, without an end.

        It lives through lost connections and restarts of the server.

        Args:
            subjects: Subjects or wildcards.
            after: Sequence of the last message that is not wanted; 0 for all that is kept.
            mark: The `Record.mark` of that message, whatever its subject; empty if unknown. As long
                as nothing has come, it is compared with each new connection.

        Raises:
            StreamError: Messages behind the position are gone, or the stream was made anew.
        """

    async def read_many(
        self, subjects: Sequence[str], after: int, *, mark: str = ""
    ) -> AsyncGenerator[list[Record], None]:
        """Yield the same as `read`, as many messages at a time as have arrived.

        For who reads a long history: a stream may do this for much less a message.
        """
        async with aclosing(self.read(subjects, after, mark=mark)) as records:
            async for record in records:
                yield [record]

    @abstractmethod
    async def state(self) -> StreamState:
        """Return what the stream holds.

        Raises:
            BusTimeoutError: The server does not answer.
            StreamError: The stream is gone.
        """

    async def pause(self, seconds: float) -> bool:
        """Wait before something is tried again: so long at most.

        Returns:
            Whether it makes sense to try at once, and the wait ended early for that: a connection
            that was lost is back.
        """
        await asyncio.sleep(seconds)
        return False

    @abstractmethod
    async def at(self, sequence: int) -> Record | None:
        """Return the message at a place; ``None`` when none is kept there.

        Raises:
            BusTimeoutError: The server does not answer.
        """

    @abstractmethod
    async def last(self, subject: str) -> Record | None:
        """Return the newest message on a subject; ``None`` when none is kept.

        Raises:
            BusTimeoutError: The server does not answer.
        """


def check_gap(name: str, state: StreamState, after: int, created: str = "") -> None:
    """Make sure that a stream still holds all that follows a position.

    Args:
        name: Of the stream, for the text.
        state: What it holds.
        after: The position.
        created: When the stream was made that the position is of; empty if unknown, and then
            nothing is missing behind position 0.

    Raises:
        StreamError: Messages are missing; the text says which.
    """
    if created and created != state.created:
        raise StreamError(
            f"stream {name} was made anew at {state.created}, and what the one of {created} held "
            "is gone"
        )
    if state.last < after:
        raise StreamError(
            f"stream {name} ends at message {state.last}, before message {after} that was handled: "
            "its end is lost, as after a power failure or an older copy of its files"
        )
    # Without knowing the stream, 0 means all that it keeps.
    if (after or created) and state.first > after + 1:
        raise StreamError(
            f"stream {name} no longer holds messages {after + 1} to {state.first - 1}, which were "
            "not handled: they fell out at its limits"
        )
    if (after or created) and state.missing and state.missing[-1] > after:
        gone = [sequence for sequence in state.missing if sequence > after]
        raise StreamError(
            f"stream {name} no longer holds {len(gone):,} messages between {gone[0]} and "
            f"{gone[-1]}, which were not handled: its files are damaged, or somebody deleted them"
        )


def check_mark(name: str, sequence: int, mark: str, found: Record | None) -> None:
    """Make sure that a message is still the one in its place.

    Args:
        name: Of the stream, for the text.
        sequence: The place.
        mark: Of the message that was there.
        found: What is there now; ``None``, when it fell out, shows nothing.

    Raises:
        StreamError: It is not.
    """
    if found is not None and (found.sequence, found.mark) != (sequence, mark):
        raise StreamError(
            f"message {sequence} of stream {name} is not the one that was read before: the "
            "stream has lost its end, and others have taken that place"
        )


class MemoryStream(Stream):
    """A stream within one process, for tests.

    Args:
        name: As of a stream on a server.
        clock: Tells when a message was kept; the machine's when left out.
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
        """Keep a message; see `Stream.append`."""
        check_subject(subject)
        headers = dict(headers or {})
        identifier = headers.get(MESSAGE_ID, "")
        if identifier in self._taken:
            sequence = self._taken[identifier]
            kept = self._records[sequence - 1].message
            if not same_content(kept, Message(subject, payload, headers)):
                raise StreamError(
                    f"the message on {subject} is not kept: its id {identifier!r} is that of "
                    f"message {sequence} on {kept.subject}, which says something else"
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
        """Keep messages; see `Stream.append_many`."""
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
        """Yield what follows a position; see `Stream.read`."""
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
        """Return what it holds."""
        return StreamState(self._created, 1, len(self._records), self._clock.now())

    async def at(self, sequence: int) -> Record | None:
        """Return the message at a place."""
        return self._records[sequence - 1] if 0 < sequence <= len(self._records) else None

    async def last(self, subject: str) -> Record | None:
        """Return the newest message on a subject."""
        for record in reversed(self._records):
            if record.message.subject == subject:
                return record
        return None
