"""Reads a stream by sequence, many messages a request, without a consumer.

The server answers ``$JS.API.DIRECT.GET.<stream>`` with the messages themselves. Accounts export
that as a service to readers, who can so read a stream of another account and write nothing there.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from datetime import UTC, datetime

import msgspec

from ingenium.bus.base import Incident, IncidentKind
from ingenium.bus.nats.bus import NatsBus
from ingenium.bus.nats.requests import CALL_SECONDS, unanswered
from ingenium.errors import BusPermissionError, BusTimeoutError, NoListenerError, StreamError
from ingenium.ids import random_id
from ingenium.subjects.server_names import direct_get_subject

__all__ = ["DirectReader", "KeptMessage"]

_MIB = 1_048_576
_STATUS = len(b"NATS/1.0 ")
_FIRST = b"\r\nNats-Stream: "
_NAMES = (b"Nats-Stream: ", b"Nats-Subject: ", b"Nats-Sequence: ", b"Nats-Time-Stamp: ")
_SUBJECT, _SEQUENCE, _TIME = (len(name) for name in _NAMES[1:])
_REMEMBERED = 4096
_LOST = (IncidentKind.DISCONNECTED, IncidentKind.RECONNECTED, IncidentKind.CLOSED)


class KeptMessage(msgspec.Struct, frozen=True, gc=False):
    """A message as a stream keeps it, to the byte.

    Attributes:
        sequence: Its place in the stream, from 1 on.
        received: When the stream took it, in nanoseconds since 1970, by the server's clock.
        subject: Where it was published, as components know it.
        headers: The block of headers as it was published; empty for none.
        payload: Its bytes.
    """

    sequence: int
    received: int
    subject: str
    headers: bytes
    payload: bytes


class DirectReader:
    """Asks for messages of one stream.

    Args:
        bus: The connection.
        name: Of the stream, as components know it.
    """

    def __init__(self, bus: NatsBus, name: str) -> None:
        self.name = name
        self._bus = bus
        self._subject = direct_get_subject(bus.space.stream(name))
        self._inbox = f"{bus.client.inbox_prefix}.{random_id('get')}"
        self._asked = b""
        self._answers: list[tuple[bytes, bytes]] = []
        self._status = b""
        self._lost = False
        self._grown = asyncio.Event()
        self._subjects: dict[bytes, str] = {}
        self._seconds: dict[bytes, int] = {}
        self._sid = 0

    def open(self) -> None:
        """Listen for answers; call it once before `read`."""
        self._bus.on_incident(self._on_incident)
        self._sid = self._bus.client.listen(f"{self._inbox}.*", "", self._deliver)

    def close(self) -> None:
        """Listen no more."""
        self._bus.forget_incident(self._on_incident)
        self._bus.client.forget(self._sid)

    async def read(
        self, first: int, count: int = 1000, max_bytes: int = 4 * _MIB
    ) -> list[KeptMessage]:
        """Return the messages from a sequence on, in order.

        Args:
            first: The lowest sequence that is wanted, from 1 on.
            count: How many at most.
            max_bytes: How many bytes at most, where that is more than one message.

        Returns:
            As many as there are; empty when the stream holds none from ``first`` on. Where
            sequences are missing between them, the stream no longer holds those.

        Raises:
            BusTimeoutError: The server does not answer, or the connection was lost meanwhile.
            NoListenerError: There is no such stream.
            BusPermissionError: The server forbids this user to read it.
            StreamError: The answer cannot be read.
        """
        found: list[KeptMessage] = []
        expected = first
        for message in await self._ask(first, count, max_bytes):
            if message.sequence < expected:
                continue  # Sent here by another reader.
            if message.sequence > expected:
                # Another reader of the account can make the server answer here, and end the answer.
                # What a second one confirms is a hole of the stream.
                again = await self._ask(expected, 1, max_bytes)
                if again and again[0].sequence < message.sequence:
                    return found or [each for each in again if each.sequence >= expected]
            found.append(message)
            expected = message.sequence + 1
        return found

    async def _ask(self, first: int, count: int, max_bytes: int) -> list[KeptMessage]:
        """Return an answer of the server, which may have messages from before ``first``."""
        # A name that no other connection can know before the answer.
        reply = f"{self._inbox}.{random_id('ask')}"
        self._asked, self._answers, self._status = reply.encode(), [], b""
        self._lost = False
        request = {"seq": first, "batch": count, "max_bytes": max_bytes}
        payload = json.dumps(request).encode()
        self._bus.client.send(
            f"PUB {self._subject} {reply} {len(payload)}\r\n".encode() + payload + b"\r\n"
        )
        while not self._status:
            self._grown.clear()
            try:
                async with asyncio.timeout(CALL_SECONDS):
                    await self._grown.wait()
            except TimeoutError as error:
                what = f"give messages of stream {self.name}"
                found = unanswered(self._bus, what, error, self._subject)
                if isinstance(found, BusPermissionError | BusTimeoutError):
                    raise found from error
                raise
            if self._lost:
                raise BusTimeoutError(
                    f"the connection to {self._bus.url} was lost while stream {self.name} was read"
                )
        if self._status == b"503":
            raise NoListenerError(f"the server at {self._bus.url} has no stream {self.name}")
        if self._status not in {b"204", b"404"}:
            raise StreamError(
                f"stream {self.name} gives no messages: the server says "
                f"{self._status.decode('ascii', 'replace')}"
            )
        return list(self._read(self._answers))

    def _on_incident(self, incident: Incident) -> None:
        if incident.kind in _LOST:
            self._lost = True
            self._grown.set()

    def _deliver(self, subject: bytes, _reply: bytes, headers: bytes, payload: bytes) -> None:
        if subject != self._asked:
            return  # The rest of an answer that nobody waits for any more.
        # A publisher can write a status into a message, but every message of the stream comes with
        # the stream's name, and no answer of the server about one does.
        if _FIRST in headers:
            self._answers.append((headers, payload))
        else:
            self._status = headers[_STATUS : _STATUS + 3] or b"none"
        self._grown.set()

    def _read(self, answers: Iterable[tuple[bytes, bytes]]) -> Iterable[KeptMessage]:
        for block, payload in answers:
            # The server puts its headers behind those of the message, which may have the same
            # names; so what follows the last of these is the server's.
            at = block.rfind(_FIRST)
            lines = block[at + 2 :].split(b"\r\n")
            if at < 0 or not all(map(bytes.startswith, lines, _NAMES)):
                raise StreamError(
                    f"stream {self.name} gives a message without its place: {block[:200]!r}"
                )
            raw = lines[1][_SUBJECT:]
            subject = self._subjects.get(raw)
            if subject is None:
                subject = self._bus.space.from_server(raw.decode("utf-8", "backslashreplace"))
                if len(self._subjects) < _REMEMBERED:
                    self._subjects[raw] = subject
            yield KeptMessage(
                int(lines[2][_SEQUENCE:]),
                self._nanoseconds(lines[3][_TIME:]),
                subject,
                block[:at] + b"\r\n\r\n" if at > _STATUS else b"",
                payload,
            )

    def _nanoseconds(self, text: bytes) -> int:
        second, fraction = text[:19], text[19:]
        seconds = self._seconds.get(second)
        if seconds is None:
            found = datetime.fromisoformat(second.decode("ascii")).replace(tzinfo=UTC)
            seconds = int(found.timestamp())
            if len(self._seconds) >= _REMEMBERED:
                self._seconds.clear()
            self._seconds[second] = seconds
        # "Z", or ".123Z": the server leaves out the zeros at the end.
        return seconds * 1_000_000_000 + int(fraction[1:-1].ljust(9, b"0"))
