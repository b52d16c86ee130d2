"""Read a JetStream stream through a disposable consumer."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import APIError

from ingenium.bus.base import Incident, IncidentKind, Message
from ingenium.bus.headers import RawHeaders
from ingenium.bus.nats.bus import NatsBus
from ingenium.bus.nats.labels import NO_LABELS, Labels
from ingenium.bus.nats.requests import call_server
from ingenium.bus.stream import Record
from ingenium.errors import StreamError
from ingenium.ids import random_id

__all__ = ["BrokenError", "StreamReader"]

_BATCH = 256
_DESCRIPTION = 4096
_SUBJECTS_KNOWN = 1024
_EXPIRES_SECONDS = 10
_HEARTBEAT_SECONDS = 1
# Three heartbeats: a consumer silent for longer is gone.
_SILENCE_SECONDS = 3.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_HEADERS: Mapping[str, str] = {}

_Arrived = tuple[bytes, bytes, bytes, bytes]
"""Subject, reply subject, headers and payload."""


class BrokenError(Exception):
    """The consumer may have lost a message, or is gone."""


class StreamReader:
    """One consumer, used until its first failure.

    Args:
        bus: Connection to the server.
        js: JetStream context that creates the consumer.
        stream: Name of the stream on the server.
        subjects: Subjects to read.
        labels: Reader, for NATS tools.
    """

    def __init__(
        self,
        bus: NatsBus,
        js: JetStreamContext,
        stream: str,
        subjects: Sequence[str],
        labels: Labels = NO_LABELS,
    ) -> None:
        self._labels = labels
        self._bus = bus
        self._client = bus.client
        self._js = js
        self._stream = stream
        self._space = bus.space
        self._subjects = [bus.space.to_server(subject) for subject in subjects]
        self._inbox = f"{bus.client.inbox_prefix}.{random_id('read')}"
        self._arrived: deque[_Arrived] = deque()
        self._woken = asyncio.Event()
        self._sid = 0
        self._consumer = ""
        self._wanted = 0
        self._delivered = 0
        self._broken = False
        # Most messages have one of a few subjects.
        self._subjects_read: dict[bytes, str] = {}

    async def start(self, after: int) -> None:
        """Create the consumer, and request the messages after a position.

        Raises:
            StreamError: The stream cannot be read.
            BusTimeoutError: The server does not answer.
        """
        config = ConsumerConfig(
            description=self._labels.describe(f"reads {', '.join(self._subjects)}")[:_DESCRIPTION],
            metadata=self._labels.metadata("read"),
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=after + 1,
            ack_policy=AckPolicy.NONE,
            filter_subjects=self._subjects,
            inactive_threshold=30.0,
            mem_storage=True,
            num_replicas=1,
        )
        self._bus.on_incident(self._on_incident)
        self._sid = self._client.listen(self._inbox, "", self._deliver)
        try:
            info = await call_server(
                self._bus,
                self._stream,
                "make a consumer",
                lambda: self._js.add_consumer(self._stream, config),
            )
        except APIError as error:
            raise StreamError(f"stream {self._stream} cannot be read: {error}") from error
        self._consumer = info.name
        self._ask()

    async def stop(self) -> None:
        """Delete the consumer."""
        self._bus.forget_incident(self._on_incident)
        if self._sid:
            self._client.forget(self._sid)
        if self._consumer and self._client.is_up:
            with suppress(NatsError, TimeoutError, OSError):
                await self._js.delete_consumer(self._stream, self._consumer)

    def _on_incident(self, incident: Incident) -> None:
        # The server counts messages as delivered that the old connection lost.
        if incident.kind in {IncidentKind.DISCONNECTED, IncidentKind.RECONNECTED}:
            self._broken = True
            self._woken.set()

    def _deliver(self, subject: bytes, reply: bytes, headers: bytes, payload: bytes) -> None:
        if reply.startswith(b"$JS.ACK."):
            self._arrived.append((subject, reply, headers, payload))
            self._wanted -= 1
            self._ask_in_time()
        else:
            self._apply_answer(headers)
        self._woken.set()

    def _ask_in_time(self) -> None:
        # Prefetch: the server looks up the next messages while these are handled, and at most twice
        # as many wait here.
        if not self._wanted and len(self._arrived) <= _BATCH:
            self._ask()

    def _ask(self) -> None:
        self._wanted = _BATCH
        request = {
            "batch": _BATCH,
            "expires": _EXPIRES_SECONDS * 1_000_000_000,
            "idle_heartbeat": _HEARTBEAT_SECONDS * 1_000_000_000,
        }
        payload = json.dumps(request).encode()
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._consumer}"
        self._client.send(
            f"PUB {subject} {self._inbox} {len(payload)}\r\n".encode() + payload + b"\r\n"
        )

    async def next(self) -> list[Record]:
        """Return the messages that have arrived, at least one.

        Raises:
            BrokenError: The consumer is gone, or a message is missing.
        """
        while True:
            if records := self._records():
                self._ask_in_time()
                return records
            if self._broken:
                raise BrokenError
            self._woken.clear()
            try:
                async with asyncio.timeout(_SILENCE_SECONDS):
                    await self._woken.wait()
            except TimeoutError:
                raise BrokenError from None

    def _apply_answer(self, headers: bytes) -> None:
        """Process a status message of the server."""
        status = headers[len(b"NATS/1.0 ") :][:3]
        if status in {b"404", b"408"}:
            self._ask()
        elif status != b"100":
            self._broken = True

    def _records(self) -> list[Record]:
        """Take the received messages, up to the first missing one."""
        records: list[Record] = []
        arrived, subjects = self._arrived, self._subjects_read
        while arrived:
            raw_subject, reply, raw_headers, payload = arrived.popleft()
            parts = reply.split(b".")
            # $JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<count>.<sequence>.<delivered>
            # .<time>...
            at = 5 if len(parts) == 9 else 7
            self._delivered += 1
            if int(parts[at + 1]) != self._delivered:
                arrived.clear()
                self._broken = True
                break
            subject = subjects.get(raw_subject)
            if subject is None:
                subject = self._name(raw_subject)
            headers = RawHeaders(raw_headers) if raw_headers else _NO_HEADERS
            time = _EPOCH + timedelta(0, 0, int(parts[at + 2]) // 1000)
            message = Message(subject, payload, headers)
            records.append(Record(int(parts[at]), time, message))
        return records

    def _name(self, raw: bytes) -> str:
        subject = self._space.from_server(raw.decode("utf-8", "backslashreplace"))
        if len(self._subjects_read) < _SUBJECTS_KNOWN:
            self._subjects_read[raw] = subject
        return subject
