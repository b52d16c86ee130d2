"""The stream: one server that keeps messages, and the connections of processes to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress

from simulation.chaos import Chaos
from simulation.network import Peer, call
from simulation.process import Process

from ingenium.bus.base import Message
from ingenium.bus.content_hash import same_content
from ingenium.bus.stream import (
    MESSAGE_ID,
    Appended,
    Record,
    Stream,
    StreamState,
    check_gap,
    check_mark,
)
from ingenium.errors import BusTimeoutError, StreamError
from ingenium.runtime.durable.store import StreamPosition
from ingenium.subjects.grammar import matches

__all__ = ["NAME", "SimServer", "SimStream"]

NAME = "INGENIUM"
_CALL_SECONDS = 2.0
_PAUSE_SECONDS = 0.1
# Fewer than where there is a real server, so that many worlds have some.
_ATOMIC_FROM = 3


class SimServer(Peer):
    """Keeps one stream, as a server with JetStream does.

    Attributes:
        created: When the stream was made.
        records: What it holds, from sequence 1 on.
        connections: Counts how often all connections were lost.
        lost: Sequence of the first message that a power failure took, for each time.
        former: When the stream was made that it was before a loss, and what that held; newest last.
    """

    def __init__(self, chaos: Chaos) -> None:
        super().__init__(chaos, "stream")
        self.created = "2026-01-05T14:00:00Z"
        self.records: list[Record] = []
        self.connections = 0
        self.lost: list[int] = []
        self.former: list[tuple[str, list[Record]]] = []
        self._taken: dict[str, tuple[int, float]] = {}
        self._waiting: list[asyncio.Event] = []

    @property
    def last(self) -> int:
        """Sequence of the newest message."""
        return len(self.records)

    def keep(self, subject: str, payload: bytes, headers: dict[str, str]) -> Appended:
        """Keep a message, unless it was kept before."""
        identifier = headers.get(MESSAGE_ID, "")
        now = self.chaos.loop.time()
        if identifier in self._taken:
            sequence, since = self._taken[identifier]
            if now - since <= self.chaos.options.window:
                kept = self.records[sequence - 1].message
                self.chaos.trace(f"stream has {identifier} as {sequence}")
                if not same_content(kept, Message(subject, payload, headers)):
                    raise StreamError(f"id {identifier} is that of {sequence} on {kept.subject}")
                return Appended(sequence, duplicate=True)
        sequence = len(self.records) + 1
        self.records.append(Record(sequence, self.chaos.now, Message(subject, payload, headers)))
        if identifier:
            self._taken[identifier] = (sequence, now)
        self.chaos.trace(f"stream keeps {sequence} {subject} {identifier}")
        self.wake()
        return Appended(sequence)

    def knows(self, identifier: str) -> bool:
        """Whether a message with an id is kept, within the time for which ids are known."""
        if identifier not in self._taken:
            return False
        _, since = self._taken[identifier]
        return self.chaos.loop.time() - since <= self.chaos.options.window

    def at(self, sequence: int) -> Record | None:
        """Give the message at a place."""
        return self.records[sequence - 1] if 0 < sequence <= self.last else None

    def state(self) -> StreamState:
        """Say what it holds."""
        return StreamState(self.created, 1, self.last, self.chaos.now)

    def stop(self) -> None:
        """Go away."""
        self.up = False
        self.connections += 1
        self.wake()

    def start(self) -> None:
        """Come back."""
        self.up = True

    def lose_tail(self, count: int) -> None:
        """Lose the newest messages, as in a power failure without a disk that is written through.

        Args:
            count: How many.
        """
        self._remember()
        del self.records[max(0, self.last - count) :]
        self.lost.append(self.last + 1)
        self._taken = {i: at for i, at in self._taken.items() if at[0] <= self.last}

    def make_anew(self) -> None:
        """Lose everything, and be another stream."""
        self._remember()
        self.records.clear()
        self._taken.clear()
        self.lost.append(1)
        self.created = self.chaos.now.isoformat()

    def read_to(self, place: StreamPosition | None) -> list[Record]:
        """Return what somebody has read who has come to a place.

        It may be one in the stream as it was before a loss, whose numbers say nothing of this one.
        """
        if place is None:
            return []
        for created, records in [(self.created, self.records), *reversed(self.former)]:
            read = records[: place.sequence]
            is_there = created == place.created and len(read) == place.sequence
            if is_there and (not read or place.mark in {"", read[-1].mark}):
                return read
        return self.records[: place.sequence]

    def _remember(self) -> None:
        self.former.append((self.created, list(self.records)))

    def wake(self) -> None:
        """Let readers look."""
        for event in self._waiting:
            event.set()

    def listen(self) -> asyncio.Event:
        """Return what is set when something changes."""
        event = asyncio.Event()
        self._waiting.append(event)
        return event

    def forget(self, event: asyncio.Event) -> None:
        """Set it no more."""
        self._waiting.remove(event)


class SimStream(Stream):
    """The connection of one process to the stream.

    Reading goes the way of `NatsStream.read`: after anything that might have lost a message, the
    stream's state is looked at, and the next consumer begins behind the last message.

    Args:
        server: Keeps it.
        process: Whose connection.
    """

    def __init__(self, server: SimServer, process: Process) -> None:
        self.name = NAME
        self._server = server
        self._process = process

    async def append(
        self, subject: str, payload: bytes, headers: Mapping[str, str] | None = None
    ) -> Appended:
        """Publish a message and wait until it is kept; see `Stream.append`."""
        kept = dict(headers or {})
        return await call(
            self._process,
            self._server,
            f"keep {kept.get(MESSAGE_ID, '')}",
            lambda: self._server.keep(subject, payload, kept),
            seconds=_CALL_SECONDS,
            silence=BusTimeoutError,
        )

    async def append_many(self, messages: Sequence[Message]) -> list[Appended | None]:
        """Publish messages over one connection; see `Stream.append_many`.

        They arrive in their order. A server that takes atomic batches keeps all or none, and none
        if it knows one of them. Else a connection that breaks takes the end of them, and each
        acknowledgement may get lost alone.
        """
        chaos, options = self._server.chaos, self._server.chaos.options
        if options.atomic and len(messages) >= _ATOMIC_FROM:
            return await self._append_batch(messages)
        count = len(messages)
        if chaos.roll(options.lost):
            count = chaos.random.randrange(count)
            chaos.fault("cut", f"{len(messages) - count} of {len(messages)}")

        def keep() -> list[Appended | None]:
            answers: list[Appended | None] = []
            for message in messages[:count]:
                # A refusal shows when it is sent alone.
                with suppress(StreamError):
                    kept = dict(message.headers)
                    answer = self._server.keep(message.subject, message.payload, kept)
                    if not (answer.duplicate or chaos.roll(options.unanswered)):
                        answers.append(answer)
                        continue
                answers.append(None)
            return answers + [None] * (len(messages) - count)

        try:
            return await call(
                self._process,
                self._server,
                f"keep {', '.join(each.headers.get(MESSAGE_ID, '') for each in messages)}",
                keep,
                seconds=_CALL_SECONDS,
                silence=BusTimeoutError,
            )
        except BusTimeoutError:
            return [None] * len(messages)

    async def _append_batch(self, messages: Sequence[Message]) -> list[Appended | None]:
        server = self._server

        def keep() -> list[Appended | None]:
            if any(server.knows(each.headers.get(MESSAGE_ID, "")) for each in messages):
                raise StreamError("atomic publish batch contains duplicate message id")
            return [
                server.keep(each.subject, each.payload, dict(each.headers)) for each in messages
            ]

        try:
            return await call(
                self._process,
                server,
                f"keep a batch of {len(messages)}",
                keep,
                seconds=_CALL_SECONDS,
                silence=BusTimeoutError,
            )
        except (BusTimeoutError, StreamError):
            return [None] * len(messages)

    async def state(self) -> StreamState:
        """Return what the stream holds; see `Stream.state`."""
        return await call(
            self._process,
            self._server,
            "tell its state",
            self._server.state,
            seconds=_CALL_SECONDS,
            silence=BusTimeoutError,
        )

    async def last(self, subject: str) -> Record | None:
        """Return the newest message on a subject; see `Stream.last`."""

        def find() -> Record | None:
            found = [r for r in self._server.records if r.message.subject == subject]
            return found[-1] if found else None

        return await call(
            self._process,
            self._server,
            f"give the last of {subject}",
            find,
            seconds=_CALL_SECONDS,
            silence=BusTimeoutError,
        )

    async def at(self, sequence: int) -> Record | None:
        """Return the message at a place; see `Stream.at`."""
        return await call(
            self._process,
            self._server,
            f"give message {sequence}",
            lambda: self._server.at(sequence),
            seconds=_CALL_SECONDS,
            silence=BusTimeoutError,
        )

    async def read(
        self, subjects: Sequence[str], after: int, *, mark: str = ""
    ) -> AsyncGenerator[Record, None]:
        """Yield what follows a position; see `Stream.read`."""
        created = ""
        wanted: dict[str, bool] = {}
        changed = self._server.listen()
        try:
            while True:
                try:
                    state = await self.state()
                except BusTimeoutError:
                    await asyncio.sleep(_PAUSE_SECONDS)
                    continue
                check_gap(self.name, state, after, created)
                created = state.created
                if mark:
                    check_mark(self.name, after, mark, self._server.at(after))
                async for record in self._consume(after, changed):
                    after, mark = record.sequence, record.mark
                    subject = record.message.subject
                    if subject not in wanted:
                        wanted[subject] = any(matches(each, subject) for each in subjects)
                    if wanted[subject]:
                        self._process.effect(f"gets {record.sequence}")
                        yield record
        finally:
            self._server.forget(changed)

    async def _consume(self, after: int, changed: asyncio.Event) -> AsyncGenerator[Record, None]:
        """Yield what a consumer delivers until its connection breaks."""
        server, chaos = self._server, self._server.chaos
        connection = server.connections
        while True:
            changed.clear()
            for record in server.records[after:]:
                after = record.sequence
                yield record
                if connection != server.connections:
                    return
            if after >= server.last:
                await changed.wait()
            await asyncio.sleep(chaos.delay())
            if connection != server.connections:
                return
            if chaos.roll(chaos.options.reset):
                chaos.fault("reset", self._process.name)
                return
