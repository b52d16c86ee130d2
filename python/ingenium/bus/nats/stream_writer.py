"""Pipelined publishing to a stream: many messages, then all acknowledgements."""

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
# The server writes an atomic batch to disk with four calls, and other messages with one each.
_ATOMIC_FROM = 5
_NO_BATCHES = 10174


class _Batch:
    """Acknowledgements of messages published together.

    Attributes:
        answers: Acknowledgements by position; ``None`` if missing or refused.
        left: Number of outstanding answers.
        is_atomic: Whether one answer acknowledges all messages.
        broken: Whether the connection was lost.
        moved: Set on every answer, and when no answer will come.
    """

    __slots__ = ("answers", "broken", "is_atomic", "left", "moved")

    def __init__(self, size: int, *, is_atomic: bool) -> None:
        self.answers: list[Appended | None] = [None] * size
        self.left = 0
        self.is_atomic = is_atomic
        self.broken = False
        self.moved = asyncio.Event()


class StreamWriter:
    """Writes to one stream over one connection; the server preserves the order.

    If the stream supports atomic batches, the server writes a batch to disk together. It refuses a
    batch that contains a duplicate.

    Only plain acknowledgements are returned. `Stream.append` resolves all other cases.

    Args:
        bus: Connection to the server.
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
        """Publish messages in order without waiting in between, then wait for the answers.

        Returns:
            The acknowledgement of each message. ``None``: no answer, a refusal, or a duplicate,
            each to be resolved by the caller.
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
        # One write: a lost connection drops the last messages, and never leaves a hole that the
        # next connection would fill out of order.
        self._client.send(b"".join(frames))
        try:
            await self._collect(batch)
        finally:
            for number in range(first, self._number + 1):
                self._waiting.pop(number, None)
        return batch.answers

    async def _collect(self, batch: _Batch) -> None:
        """Wait until all answers have come, or none has come within the timeout of one answer."""
        while batch.left and not batch.broken:
            batch.moved.clear()
            try:
                async with asyncio.timeout(CALL_SECONDS):
                    await batch.moved.wait()
            except TimeoutError:
                return

    def _frames(self, messages: Sequence[Message], batch: str) -> list[bytes]:
        """Encode messages, up to the first that is too large for the server.

        Args:
            messages: Messages to encode.
            batch: Id of the atomic batch, or empty.
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
            # A refused batch says nothing about the next one, unless the stream has batches
            # disabled.
            self._takes_batches &= _error_code(answer) != _NO_BATCHES
        elif not batch.is_atomic:
            batch.answers[place] = Appended(sequence)
        elif answer.get("count") == len(batch.answers):
            first = sequence - place
            batch.answers = [Appended(first + each) for each in range(place + 1)]
        else:
            # A server without batch support has stored the last message like any other.
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
