"""Streams on JetStream, read by position and without acknowledgements.

A reader stores its position in its own database, since a killed server forgets recent
acknowledgements. Consumers are therefore disposable: after any possible loss of a message, a new
consumer starts after the last message that arrived.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import TypeVar

from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg
from nats.js.errors import (
    APIError,
    NotFoundError,
    ServiceUnavailableError,
)

from ingenium.bus.base import Message
from ingenium.bus.content_hash import same_content
from ingenium.bus.headers import encode_headers
from ingenium.bus.nats.bus import NatsBus
from ingenium.bus.nats.labels import NO_LABELS, Labels
from ingenium.bus.nats.requests import CALL_SECONDS, call_server
from ingenium.bus.nats.stream_reader import BrokenError, StreamReader
from ingenium.bus.nats.stream_writer import StreamWriter
from ingenium.bus.stream import (
    MESSAGE_ID,
    Appended,
    Record,
    Stream,
    StreamState,
    check_gap,
    check_mark,
)
from ingenium.errors import (
    BusTimeoutError,
    EventTooLargeError,
    StreamError,
)

__all__ = ["NatsStream"]

_PAUSE_SECONDS = 0.1
_TOO_LARGE = 10054
_NO_STREAMS_HERE = (10039, 10076)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_T = TypeVar("_T")


class NatsStream(Stream):
    """Stream on the server of a bus; see `ingenium.bus.nats.stream_layout.open_stream`.

    Args:
        bus: Connection to the server.
        name: Name of the stream.
        labels: Reader of the stream, for NATS tools.
    """

    def __init__(self, bus: NatsBus, name: str, labels: Labels = NO_LABELS) -> None:
        self.name = name
        self._labels = labels
        self._bus = bus
        self._space = bus.space
        self._server_name = bus.space.stream(name)
        self._client = bus.client
        self._js: JetStreamContext = bus.client.jetstream(timeout=CALL_SECONDS)
        self._writer = StreamWriter(bus, self._server_name)

    async def append(
        self, subject: str, payload: bytes, headers: Mapping[str, str] | None = None
    ) -> Appended:
        """Publish a message and wait for the acknowledgement; see `Stream.append`."""
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
                # Copied for each call, since nats-py modifies it.
                lambda: self._js.publish(
                    self._space.to_server(subject),
                    payload,
                    stream=self._server_name,
                    headers=dict(headers),
                ),
                subject,
            )
        except APIError as error:
            text = f"stream {self.name} refuses a message on {subject}: {error.description}"
            if error.err_code == _TOO_LARGE:
                raise EventTooLargeError(text, size, 0) from error
            raise StreamError(text) from error
        if ack.duplicate:
            sent = Message(subject, payload, headers)
            await self._check_same(ack.seq, sent, headers.get(MESSAGE_ID, ""))
        return Appended(ack.seq, duplicate=bool(ack.duplicate))

    async def append_many(self, messages: Sequence[Message]) -> list[Appended | None]:
        """Publish messages together; see `Stream.append_many`."""
        return await self._writer.write(messages)

    async def _check_same(self, sequence: int, sent: Message, identifier: str) -> None:
        """Raise if another sender has used the id before, in which case the message was not kept.

        Ids are functions of their cause. A user who may publish on one subject of the stream can
        compute the next id on another subject, such as that of an order. A component with a secret
        includes a keyed hash of the message in the id, which is sufficient where the stream is in
        another account.
        """

        async def find() -> Message:
            try:
                found = await self._js.get_msg(self._server_name, sequence)
                subject = self._space.from_server(found.subject or "")
                return Message(subject, found.data or b"", dict(found.headers or {}))
            except NotFoundError:
                return (
                    sent  # The message was removed by a limit, or the stream is in another account.
                )
            except ServiceUnavailableError as error:
                if error.err_code in _NO_STREAMS_HERE:
                    return sent
                raise

        try:
            kept = await self._call("give a message", find)
        except APIError as error:
            raise StreamError(f"stream {self.name} gives no message: {error}") from error
        if not same_content(kept, sent):
            what = "" if kept.subject != sent.subject else ", whose content differs"
            raise StreamError(
                f"the message on {sent.subject} is not kept: its id {identifier!r} is that of "
                f"message {sequence} on {kept.subject}{what}: a sender has used that id to "
                "suppress this one, or two programs send under one name; look at both, and stop one"
            )

    async def state(self) -> StreamState:
        """Return the state of the stream; see `Stream.state`."""
        # nats-py omits the creation time of a stream, so the request is sent directly.
        answer = await self._call(
            "tell of its stream",
            lambda: self._client.request(
                f"$JS.API.STREAM.INFO.{self._server_name}",
                b'{"deleted_details":true}',
                timeout=CALL_SECONDS,
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

    async def pause(self, seconds: float) -> bool:
        """Wait until the connection is restored, or for a maximum time; see `Stream.pause`."""
        return await self._bus.wait_for_reconnect(seconds)

    async def at(self, sequence: int) -> Record | None:
        """Return the message at a sequence; see `Stream.at`."""
        return await self._find(lambda: self._js.get_msg(self._server_name, sequence))

    async def last(self, subject: str) -> Record | None:
        """Return the newest message on a subject; see `Stream.last`."""
        return await self._find(
            lambda: self._js.get_last_msg(self._server_name, self._space.to_server(subject))
        )

    async def _find(self, call: Callable[[], Awaitable[RawStreamMsg]]) -> Record | None:
        try:
            found = await self._call("give a message", call)
        except APIError as error:
            if isinstance(error, NotFoundError):
                return None
            raise StreamError(f"stream {self.name} gives no message: {error}") from error
        subject = self._space.from_server(found.subject or "")
        message = Message(subject, found.data or b"", dict(found.headers or {}))
        return Record(found.seq or 0, found.time or _EPOCH, message)

    async def read(
        self, subjects: Sequence[str], after: int, *, mark: str = ""
    ) -> AsyncGenerator[Record, None]:
        """Yield the messages after a position; see `Stream.read`."""
        async with aclosing(self.read_many(subjects, after, mark=mark)) as arriving:
            async for records in arriving:
                for record in records:
                    yield record

    async def read_many(
        self, subjects: Sequence[str], after: int, *, mark: str = ""
    ) -> AsyncGenerator[list[Record], None]:
        """Yield batches of messages after a position; see `Stream.read_many`."""
        created = ""
        is_of_these = False
        while True:
            reader = StreamReader(self._bus, self._js, self._server_name, subjects, self._labels)
            try:
                state = await self.state()
                check_gap(self.name, state, after, created)
                created = state.created
                # The last message is read again, to check that it is still at its sequence.
                comes_again = is_of_these and state.first <= after
                await reader.start(after - 1 if comes_again else after)
                if mark and not comes_again:
                    # The last message may be on another subject. The consumer exists, so later
                    # changes break it.
                    check_mark(self.name, after, mark, await self.at(after))
                while True:
                    records = await reader.next()
                    if comes_again:
                        check_mark(self.name, after, mark, records.pop(0))
                        comes_again = False
                    if records:
                        after, mark = records[-1].sequence, records[-1].mark
                        is_of_these = True
                        yield records
            except (BrokenError, BusTimeoutError):
                await self.pause(_PAUSE_SECONDS)
            finally:
                await reader.stop()

    async def _call(
        self, what: str, call: Callable[[], Awaitable[_T]], subject: str = "$JS."
    ) -> _T:
        return await call_server(self._bus, self._server_name, what, call, subject)


def _time_of(text: object) -> datetime | None:
    if not isinstance(text, str):
        return None
    # Python parses at most six decimals of a second, and the server sends nine.
    whole, _, fraction = text.removesuffix("Z").partition(".")
    try:
        return datetime.fromisoformat(f"{whole}.{fraction[:6]:0<6}+00:00")
    except ValueError:
        return None
