"""Publishes many messages to a stream before it waits for the first acknowledgement."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from ingenium.bus.contract import Incident, IncidentKind, Message
from ingenium.bus.headers import encode_headers
from ingenium.bus.nats_bus import NatsBus
from ingenium.bus.nats_calls import CALL_SECONDS
from ingenium.bus.stream import Appended
from ingenium.ids import random_id

__all__ = ["StreamWriter"]

_EXPECTED = "Nats-Expected-Stream"


class _Batch:
    """The acknowledgements of messages that were published together.

    Attributes:
        answers: What has been acknowledged, by place; ``None`` for what has not, or was refused.
        left: How many answers are still to come.
        moved: Set whenever one came, or none will.
    """

    __slots__ = ("answers", "broken", "left", "moved")

    def __init__(self, size: int) -> None:
        self.answers: list[Appended | None] = [None] * size
        self.left = size
        self.broken = False
        self.moved = asyncio.Event()


class StreamWriter:
    """Writes to one stream over one connection, so that the server keeps the order of writing.

    It only tells what was acknowledged plainly. Why something was not, `Stream.append` finds out.

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
        self._number = 0
        self._waiting: dict[int, tuple[_Batch, int]] = {}

    async def write(self, messages: Sequence[Message]) -> list[Appended | None]:
        """Publish messages, in one go and in their order, and wait for the answers.

        Returns:
            The acknowledgement of each message. ``None``: no answer, a refusal, or a duplicate,
            which has to be looked at.
        """
        batch = _Batch(len(messages))
        if not self._client.is_up:
            return batch.answers
        if not self._is_listening:
            self._is_listening = True
            self._client.listen(f"{self._prefix}.*", "", self._deliver)
            self._bus.on_incident(self._on_incident)
        first = self._number + 1
        frames: list[bytes] = []
        for place, message in enumerate(messages):
            frame = self._frame(message)
            if frame is None:
                break
            frames.append(frame)
            self._waiting[self._number] = (batch, place)
        batch.left = len(frames)
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

    def _frame(self, message: Message) -> bytes | None:
        """Number a message and write it as it travels; ``None`` if it is too large to be taken."""
        target = self._bus.space.to_server(message.subject).encode()
        block = encode_headers({**message.headers, _EXPECTED: self._stream})
        size = len(block) + len(message.payload)
        if size > self._client.max_payload:
            return None
        self._number += 1
        return b"HPUB %b %b.%d %d %d\r\n%b%b\r\n" % (
            target,
            self._prefix.encode(),
            self._number,
            len(block),
            size,
            block,
            message.payload,
        )

    def _deliver(self, subject: bytes, reply: bytes, headers: bytes, payload: bytes) -> None:
        try:
            found = self._waiting.pop(int(subject.rpartition(b".")[2]), None)
        except ValueError:
            return
        if found is None:
            return
        batch, place = found
        batch.answers[place] = _read(payload)
        batch.left -= 1
        batch.moved.set()

    def _on_incident(self, incident: Incident) -> None:
        if incident.kind in {IncidentKind.DISCONNECTED, IncidentKind.CLOSED}:
            for batch, _ in self._waiting.values():
                batch.broken = True
                batch.moved.set()


def _read(payload: bytes) -> Appended | None:
    """Return a plain acknowledgement; ``None`` for anything else."""
    try:
        answer = json.loads(payload)
        if "error" in answer or answer.get("duplicate"):
            return None
        return Appended(int(answer["seq"]))
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
