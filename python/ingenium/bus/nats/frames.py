"""Parser of the frames that a NATS server sends.

nats-py's own parser searches each frame with regular expressions that take a vertical tab or a
form feed for the end of a subject. A publisher may put either into a subject, and can so make a
client misread the frame, or end its connection. The protocol separates by single spaces, and so
does this parser; it also hands messages on without a coroutine per message.
"""

# ruff: noqa: SLF001 - the names are those of nats-py's client, which calls and is called
from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Protocol

from nats.errors import ProtocolError

__all__ = ["Deliver", "FrameParser", "FrameReader", "Listener"]

Deliver = Callable[[bytes, bytes, bytes, bytes], None]
"""Receives subject, reply subject, headers and payload of a message; must not raise."""

_MAX_LINE = 1_048_576  # The longest line is an INFO with the servers of a large cluster.
_MAX_FRAME = 256 * 1_048_576


class Listener:
    """Data that nats-py needs to renew a subscription after a reconnect.

    Args:
        subject: Subject or wildcard.
        queue_group: Empty for none.
        deliver: Receives the messages.
    """

    # The names are those of nats-py's own Subscription, which it reads when it reconnects and
    # closes; a listener has no task of its own to cancel then.
    _max_msgs = 0
    _received = 0
    _jsi = None
    _wait_for_msgs_task = None
    _message_iterator = None
    _pending_next_msgs_calls = None

    __slots__ = ("_queue", "_subject", "deliver")

    def __init__(self, subject: str, queue_group: str, deliver: Deliver) -> None:
        self._subject = subject
        self._queue = queue_group
        self.deliver = deliver


class FrameReader(Protocol):
    """Callbacks of the parser, implemented by the client."""

    deliveries: dict[bytes, Deliver]

    async def _process_msg(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes
    ) -> None: ...

    async def _process_ping(self) -> None: ...

    async def _process_pong(self) -> None: ...

    async def _process_err(self, err_msg: str) -> None: ...

    async def _process_info(self, info: dict[str, Any]) -> None: ...


class FrameParser:
    """Incremental parser of the bytes of a connection.

    Args:
        client: Receives parsed frames; messages go to its ``deliveries`` by subscription.
    """

    def __init__(self, client: FrameReader) -> None:
        self._client = client
        self._resets = 0
        self.reset()

    def reset(self) -> None:
        """Discard an unfinished frame, for a new connection."""
        self._resets += 1
        self._held: list[bytes] = []
        self._held_size = 0
        self._needed = 0

    async def parse(self, data: bytes = b"") -> None:
        """Parse received bytes.

        Raises:
            ProtocolError: The bytes are not valid NATS protocol.
        """
        if self._held:
            self._held.append(data)
            self._held_size += len(data)
            if self._held_size < self._needed:
                return
            data = b"".join(self._held)
            self._held = []
        position = 0
        size = len(data)
        deliveries = self._client.deliveries
        while position < size:
            line_end = data.find(b"\r\n", position)
            if line_end < 0:
                if size - position > _MAX_LINE:
                    raise ProtocolError(f"nats: a line of more than {_MAX_LINE} bytes")
                break
            parts = data[position:line_end].split(b" ")
            kind = parts[0]
            if kind == b"HMSG" or kind == b"MSG":  # noqa: PLR1714 - half the time of a tuple
                start = headers_end = line_end + 2
                reply = b""
                try:
                    if len(parts) == 5 and kind == b"HMSG":
                        _, subject, sid, headers_size, total_size = parts
                        headers_end = start + int(headers_size)
                    elif len(parts) == 4:
                        _, subject, sid, total_size = parts
                    elif kind == b"MSG":
                        _, subject, sid, reply, total_size = parts
                    else:
                        _, subject, sid, reply, headers_size, total_size = parts
                        headers_end = start + int(headers_size)
                    end = start + int(total_size)
                except ValueError as error:
                    raise ProtocolError("nats: malformed message frame") from error
                if not start <= headers_end <= end <= start + _MAX_FRAME:
                    raise ProtocolError("nats: message frame of an impossible size")
                if end + 2 > size:
                    self._hold(data, position, end + 2 - position)
                    return
                if not data.startswith(b"\r\n", end):
                    raise ProtocolError("nats: message frame without an end")
                position = end + 2
                headers = data[start:headers_end]
                payload = data[headers_end:end]
                deliver = deliveries.get(sid)
                if deliver is not None:
                    deliver(subject, reply, headers, payload)
                elif sid.isdigit():
                    resets = self._resets
                    await self._client._process_msg(int(sid), subject, reply, payload, headers)
                    if resets != self._resets:
                        return
                continue
            resets = self._resets
            await self._control(kind, data[position:line_end])
            if resets != self._resets:
                return
            position = line_end + 2
        if position < size:
            self._hold(data, position, 0)

    def _hold(self, data: bytes, position: int, needed: int) -> None:
        self._held = [data[position:]]
        self._held_size = len(data) - position
        self._needed = needed

    async def _control(self, kind: bytes, line: bytes) -> None:
        client = self._client
        if kind == b"PING":
            await client._process_ping()
        elif kind == b"PONG":
            await client._process_pong()
        elif kind == b"-ERR":
            await client._process_err(line[5:].decode("utf-8", "backslashreplace"))
        elif kind == b"INFO":
            try:
                info = json.loads(line[5:])
            except ValueError as error:
                raise ProtocolError("nats: malformed INFO") from error
            await client._process_info(info)
        elif kind != b"+OK":
            raise ProtocolError(f"nats: unknown operation {line[:20]!r}")
