"""Streams on a NATS server with JetStream, read by position and without acknowledgements.

A reader keeps its own position, in its own database, since the server's own memory of what was
acknowledged does not survive being killed. So consumers here are throw-away: after anything that
might have lost a message, the next one begins behind the last message that arrived.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from nats.errors import Error as NatsError
from nats.errors import NoRespondersError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import (
    APIError,
    NoStreamResponseError,
    NotFoundError,
    ServiceUnavailableError,
)

from ingenium.bus.contract import Incident, IncidentKind, Message
from ingenium.bus.headers import RawHeaders, encode_headers
from ingenium.bus.nats_bus import NatsBus
from ingenium.bus.stream import (
    MESSAGE_ID,
    Appended,
    Record,
    Stream,
    StreamState,
    check_gap,
    check_same,
)
from ingenium.errors import (
    BusPermissionError,
    BusTimeoutError,
    EventTooLargeError,
    StreamError,
)
from ingenium.ids import random_id

__all__ = ["NatsStream"]

_CALL_SECONDS = 2.0
_BATCH = 256
_EXPIRES_SECONDS = 10
_HEARTBEAT_SECONDS = 1
# Three heartbeats: a consumer that is silent for so long is gone.
_SILENCE_SECONDS = 3.0
_PAUSE_SECONDS = 0.1
_TOO_LARGE = 10054
_NO_STREAMS_HERE = (10039, 10076)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_HEADERS: Mapping[str, str] = {}
_T = TypeVar("_T")


class _BrokenError(Exception):
    """A consumer that may have lost a message, or is gone."""


@dataclass(slots=True)
class _Arrived:
    subject: bytes
    reply: bytes
    headers: bytes
    payload: bytes


class NatsStream(Stream):
    """A stream that exists on the server of a bus; see `ingenium.bus.streams.open_stream`.

    Args:
        bus: The connection.
        name: Of the stream.
    """

    def __init__(self, bus: NatsBus, name: str) -> None:
        self.name = name
        self._bus = bus
        self._client = bus.client
        self._js: JetStreamContext = bus.client.jetstream(timeout=_CALL_SECONDS)

    async def append(
        self, subject: str, payload: bytes, headers: Mapping[str, str] | None = None
    ) -> Appended:
        """Publish a message and wait until it is kept; see `Stream.append`."""
        headers = dict(headers or {})
        size = len(payload) + len(encode_headers(headers)) if headers else len(payload)
        if size > self._client.max_payload:
            raise EventTooLargeError(
                f"a message of {size:,} bytes, headers included, is too large for {subject}: the "
                f"server takes {self._client.max_payload:,}",
                size,
                self._client.max_payload,
            )
        if not self._client.is_up:
            raise BusTimeoutError(f"no connection to {self._bus.url} now: {subject} was not sent")
        try:
            ack = await self._call(
                f"keep a message on {subject}",
                # Made anew for each call, since nats-py changes it.
                lambda: self._js.publish(subject, payload, stream=self.name, headers=dict(headers)),
                subject,
            )
        except APIError as error:
            text = f"stream {self.name} refuses a message on {subject}: {error.description}"
            if error.err_code == _TOO_LARGE:
                raise EventTooLargeError(text, size, 0) from error
            raise StreamError(text) from error
        if ack.duplicate:
            await self._check_same(ack.seq, subject, headers.get(MESSAGE_ID, ""))
        return Appended(ack.seq, duplicate=bool(ack.duplicate))

    async def _check_same(self, sequence: int, subject: str, identifier: str) -> None:
        """Refuse an id that somebody else has used first, which would make a message vanish.

        Ids are functions of their cause. Who may publish on one subject of the stream can work out
        the id that will come on another one, such as that of an order.
        """

        async def find() -> str:
            try:
                return (await self._js.get_msg(self.name, sequence)).subject or ""
            except NotFoundError:
                return subject  # It fell out, or another account has the stream.
            except ServiceUnavailableError as error:
                if error.err_code in _NO_STREAMS_HERE:
                    return subject
                raise

        try:
            kept = await self._call("give a message", find)
        except APIError as error:
            raise StreamError(f"stream {self.name} gives no message: {error}") from error
        if kept != subject:
            raise StreamError(
                f"the message on {subject} is not kept: its id {identifier!r} is that of message "
                f"{sequence} on {kept}, which somebody has sent to make it vanish"
            )

    async def state(self) -> StreamState:
        """Return what the stream holds; see `Stream.state`."""
        # nats-py leaves out when a stream was made, so this asks for itself.
        answer = await self._call(
            "tell of its stream",
            lambda: self._client.request(
                f"$JS.API.STREAM.INFO.{self.name}",
                b'{"deleted_details":true}',
                timeout=_CALL_SECONDS,
            ),
        )
        info = json.loads(answer.data)
        if "error" in info:
            raise StreamError(
                f"stream {self.name} is not on the server at {self._bus.url}: "
                f"{info['error'].get('description', 'no reason given')}"
            )
        state = info["state"]
        return StreamState(
            str(info["created"]),
            int(state["first_seq"]),
            int(state["last_seq"]),
            _time_of(info.get("ts")),
            tuple(state.get("deleted") or ()),
        )

    async def last(self, subject: str) -> Record | None:
        """Return the newest message on a subject; see `Stream.last`."""
        try:
            found = await self._call(
                "give a message", lambda: self._js.get_last_msg(self.name, subject)
            )
        except APIError as error:
            if isinstance(error, NotFoundError):
                return None
            raise StreamError(f"stream {self.name} gives no message: {error}") from error
        message = Message(subject, found.data or b"", dict(found.headers or {}))
        return Record(found.seq or 0, found.time or _EPOCH, message)

    async def read(self, subjects: Sequence[str], after: int) -> AsyncGenerator[Record, None]:
        """Yield what follows a position; see `Stream.read`."""
        created = ""
        last: Record | None = None
        while True:
            reader = _Reader(self._bus, self._js, self.name, subjects)
            try:
                state = await self.state()
                check_gap(self.name, state, after, created)
                created = state.created
                # The last one comes once more, to see that it is still in its place.
                expected = last if last is not None and state.first <= after else None
                await reader.start(after if expected is None else after - 1)
                while True:
                    record = await reader.next()
                    if expected is not None:
                        check_same(self.name, expected, record)
                        expected = None
                        continue
                    after, last = record.sequence, record
                    yield record
            except (_BrokenError, BusTimeoutError):
                await asyncio.sleep(_PAUSE_SECONDS)
            finally:
                await reader.stop()

    async def _call(
        self, what: str, call: Callable[[], Awaitable[_T]], subject: str = "$JS."
    ) -> _T:
        return await _call(self._bus, self.name, what, call, subject)


class _Reader:
    """One consumer of its own, from its making to its first sign of trouble."""

    def __init__(
        self, bus: NatsBus, js: JetStreamContext, stream: str, subjects: Sequence[str]
    ) -> None:
        self._bus = bus
        self._client = bus.client
        self._js = js
        self._stream = stream
        self._subjects = list(subjects)
        self._inbox = f"{bus.client.inbox_prefix}.{random_id('read')}"
        self._arrived: deque[_Arrived] = deque()
        self._woken = asyncio.Event()
        self._sid = 0
        self._consumer = ""
        self._wanted = 0
        self._delivered = 0
        self._broken = False

    async def start(self, after: int) -> None:
        config = ConsumerConfig(
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
            info = await _call(
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
        self._bus.forget_incident(self._on_incident)
        if self._sid:
            self._client.forget(self._sid)
        if self._consumer and self._client.is_up:
            with suppress(NatsError, TimeoutError, OSError):
                await self._js.delete_consumer(self._stream, self._consumer)

    def _on_incident(self, incident: Incident) -> None:
        # The server gave the consumer what the old connection did not bring.
        if incident.kind in {IncidentKind.DISCONNECTED, IncidentKind.RECONNECTED}:
            self._broken = True
            self._woken.set()

    def _deliver(self, subject: bytes, reply: bytes, headers: bytes, payload: bytes) -> None:
        self._arrived.append(_Arrived(subject, reply, headers, payload))
        self._woken.set()

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

    async def next(self) -> Record:
        while True:
            while self._arrived:
                arrived = self._arrived.popleft()
                if not arrived.reply.startswith(b"$JS.ACK."):
                    self._heed(arrived.headers)
                    continue
                record = self._record(arrived)
                self._wanted -= 1
                if not self._wanted:
                    self._ask()
                return record
            if self._broken:
                raise _BrokenError
            self._woken.clear()
            try:
                async with asyncio.timeout(_SILENCE_SECONDS):
                    await self._woken.wait()
            except TimeoutError:
                raise _BrokenError from None

    def _heed(self, headers: bytes) -> None:
        """Take note of what the server says in place of a message."""
        status = headers[len(b"NATS/1.0 ") :][:3]
        if status in {b"404", b"408"}:
            self._ask()
        elif status != b"100":
            raise _BrokenError

    def _record(self, arrived: _Arrived) -> Record:
        parts = arrived.reply.split(b".")
        # $JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<count>.<sequence>.<delivered>.<time>...
        at = 5 if len(parts) == 9 else 7
        delivered, microseconds = int(parts[at + 1]), int(parts[at + 2]) // 1000
        self._delivered += 1
        if delivered != self._delivered:
            raise _BrokenError  # One went missing on the way.
        headers = RawHeaders(arrived.headers) if arrived.headers else _NO_HEADERS
        subject = arrived.subject.decode("utf-8", "backslashreplace")
        time = _EPOCH + timedelta(0, 0, microseconds)
        return Record(int(parts[at]), time, Message(subject, arrived.payload, headers))


def _time_of(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    # Nine digits behind the point are more than Python reads.
    whole, _, fraction = text.removesuffix("Z").partition(".")
    try:
        return datetime.fromisoformat(f"{whole}.{fraction[:6]:0<6}+00:00")
    except ValueError:
        return None


async def _call(
    bus: NatsBus,
    stream: str,
    what: str,
    call: Callable[[], Awaitable[_T]],
    subject: str = "$JS.",
) -> _T:
    """Ask the server.

    Raises:
        APIError: It says something definite about the request.
        BusPermissionError: It forbids the subject.
        BusTimeoutError: No answer, or none of a stream: JetStream may still be starting.
    """
    try:
        return await call()
    except (NoStreamResponseError, NoRespondersError, ServiceUnavailableError) as error:
        raise BusTimeoutError(
            f"the server at {bus.url} does not {what} now: it has no JetStream, or no stream "
            f"{stream}"
        ) from error
    except APIError:
        raise
    except (TimeoutError, NatsError, OSError) as error:
        if refused := bus.refused(subject):
            raise BusPermissionError(
                f"the server at {bus.url} forbids it to {what}: {refused}", subject
            ) from error
        raise BusTimeoutError(
            f"the server at {bus.url} did not {what} within {_CALL_SECONDS:g} s"
        ) from error
