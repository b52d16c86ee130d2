"""Publishes many messages to a stream before it waits for the first acknowledgement."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from ingenium.bus.base import Incident, IncidentKind, Message
from ingenium.bus.headers import encode_headers
from ingenium.bus.nats.bus import NatsBus
from ingenium.bus.nats.requests import CALL_SECONDS
from ingenium.bus.stream import Appended
from ingenium.ids import random_id

__all__ = ["StreamWriter"]

_EXPECTED = "Nats-Expected-Stream"
# The server writes an atomic batch to the disk with four calls, and other messages with one each.
_ATOMIC_FROM = 5
_NO_BATCHES = 10174


class _Batch:
    """The acknowledgements of messages that were published together.

    Attributes:
        answers: What has been acknowledged, by place; ``None`` for what has not, or was refused.
        left: How many answers are still to come.
        is_atomic: Whether one answer stands for all.
        broken: Whether the connection was lost.
        moved: Set whenever an answer came, or none will.
    """

    __slots__ = ("answers", "broken", "is_atomic", "left", "moved")

    def __init__(self, size: int, *, is_atomic: bool) -> None:
        self.answers: list[Appended | None] = [None] * size
        self.left = 0
        self.is_atomic = is_atomic
        self.broken = False
        self.moved = asyncio.Event()


class StreamWriter:
    """Writes to one stream over one connection, so that the server keeps the order of writing.

    Where the stream takes atomic batches, the server writes all of one to the disk together. It
    refuses one that holds a message it knows.

    What this tells was acknowledged plainly. Why something was not, `Stream.append` finds out.

    Args:
        bus: The connection.
        stream: Name of the stream on the server.
    """

    def __init__(self, bus: NatsBus, stream: str) -> None:
        self._bus = bus
        self._client = bus.client
        self._stream = stream
        self._prefix = f"{bus.client.inbox_prefix}.{random_id('write')}"
        self._is_listening = False
        self._takes_batches = True
        self._number = 0
        self._waiting: dict[int, tuple[_Batch, int]] = {}

    async def write(self, messages: Sequence[Message]) -> list[Appended | None]:
        """Publish messages, in one go and in their order, and wait for the answers.

        Returns:
            The acknowledgement of each message. ``None``: no answer, a refusal, or a duplicate,
            which has to be looked at.
        """
        atomic = self._takes_batches and len(messages) >= _ATOMIC_FROM
        batch = _Batch(len(messages), is_atomic=atomic)
        if not self._client.is_up:
            return batch.answers
        if not self._is_listening:
            self._is_listening = True
            self._client.listen(f"{self._prefix}.*", "", self._deliver)
            self._bus.on_incident(self._on_incident)
        first = self._number + 1
        frames = self._frames(messages, random_id("batch") if atomic else "")
        if atomic and len(frames) < len(messages):
            return batch.answers
        if atomic:
            batch.left = 1
            self._waiting[self._number] = (batch, len(messages) - 1)
        else:
            batch.left = len(frames)
            for place in range(len(frames)):
                self._waiting[first + place] = (batch, place)
        # In one piece: a connection that is lost takes the end of them, and never leaves a hole
        # that the next connection would fill too late.
        self._client.send(b"".join(frames))
        try:
            await self._collect(batch)
        finally:
            for number in range(first, self._number + 1):
                self._waiting.pop(number, None)
        return batch.answers

    async def _collect(self, batch: _Batch) -> None:
        """Wait until all have answered, or nothing has come for as long as an answer may take."""
        while batch.left and not batch.broken:
            batch.moved.clear()
            try:
                async with asyncio.timeout(CALL_SECONDS):
                    await batch.moved.wait()
            except TimeoutError:
                return

    def _frames(self, messages: Sequence[Message], batch: str) -> list[bytes]:
        """Write messages as they travel, up to one that is too large for the server.

        Args:
            messages: Which.
            batch: Id of the atomic batch that they are; empty for none.
        """
        frames: list[bytes] = []
        for place, message in enumerate(messages, 1):
            headers = {**message.headers, _EXPECTED: self._stream}
            reply = b" %b.%d" % (self._prefix.encode(), self._number + 1)
            if batch:
                headers |= {"Nats-Batch-Id": batch, "Nats-Batch-Sequence": str(place)}
                if place == len(messages):
                    headers["Nats-Batch-Commit"] = "1"
                else:
                    reply = b""
            block = encode_headers(headers)
            size = len(block) + len(message.payload)
            if size > self._client.max_payload:
                break
            self._number += 1
            target = self._bus.space.to_server(message.subject).encode()
            frames.append(
                b"HPUB %b%b %d %d\r\n%b%b\r\n"
                % (target, reply, len(block), size, block, message.payload)
            )
        return frames

    def _deliver(self, subject: bytes, reply: bytes, headers: bytes, payload: bytes) -> None:
        try:
            found = self._waiting.pop(int(subject.rpartition(b".")[2]), None)
        except ValueError:
            return
        if found is None:
            return
        batch, place = found
        batch.left -= 1
        batch.moved.set()
        answer = _read(payload)
        sequence = answer.get("seq")
        if "error" in answer or answer.get("duplicate") or not isinstance(sequence, int):
            # A batch that was refused shows nothing of the next one, unless none is taken at all.
            self._takes_batches &= _error_code(answer) != _NO_BATCHES
        elif not batch.is_atomic:
            batch.answers[place] = Appended(sequence)
        elif answer.get("count") == len(batch.answers):
            first = sequence - place
            batch.answers = [Appended(first + each) for each in range(place + 1)]
        else:
            # A server that knows no batches has kept the last message, like any other.
            self._takes_batches = False

    def _on_incident(self, incident: Incident) -> None:
        if incident.kind in {IncidentKind.DISCONNECTED, IncidentKind.CLOSED}:
            for batch, _ in self._waiting.values():
                batch.broken = True
                batch.moved.set()


def _read(payload: bytes) -> dict[str, object]:
    try:
        answer = json.loads(payload)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _error_code(answer: dict[str, object]) -> object:
    error = answer.get("error")
    return error.get("err_code") if isinstance(error, dict) else None
