"""nats-py's client with its faults repaired. Only this module and `frames` know its internals.

Each override below states the fault of nats-py 2.16.0 that it repairs; the tests in
``tests/integration/test_nats_faults.py`` and ``test_nats_connection.py`` fail without it. The
version is pinned for that reason.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from typing import Any

from nats import errors
from nats.aio.client import Client, Srv
from nats.aio.msg import Msg
from nats.aio.transport import TcpTransport

from ingenium.bus.nats.credentials import is_loopback
from ingenium.bus.nats.frames import Deliver, FrameParser, Listener

__all__ = ["SafeClient", "is_authorization_error"]

_CONNECTED = Client.CONNECTED
_PING = b"PING\r\n"
_WRITE_CHUNK = 32_768
_READ_BYTES = 131_072
_FIRST_DELAY_SECONDS = 0.1
# A server that returns is found within half a second, however long it was away.
_LONGEST_DELAY_SECONDS = 0.5

# Refusals before giving up: a single one may come from a server that is still starting.
_REFUSALS_BEFORE_CLOSE = 2


def is_authorization_error(error: BaseException | str) -> bool:
    """Return whether a server refused the credentials."""
    text = str(error).lower()
    return "authorization violation" in text or "authentication revoked" in text


class _WideTransport(TcpTransport):
    """Transport that reads all received bytes at once.

    nats-py reads 32 KiB at a time; asyncio then stops and starts the socket for every burst.
    """

    async def read(self, buffer_size: int) -> bytes:
        return bytes(await super().read(_READ_BYTES))


class SafeClient(Client):
    """NATS client that reports every lost connection instead of going silent.

    Attributes:
        deliveries: Receivers of messages, by subscription id as on the wire.
        on_refusal: Called with the server's text when it refuses a subject.
        plaintext_elsewhere: Whether connections to other machines may lack TLS.
        reason: Reason for the lost or closed connection, from the server or the system.
    """

    def __init__(self) -> None:
        super().__init__()
        # The base class of the parser says nothing of its own type but what the two share.
        self._ps: Any = FrameParser(self)
        self.deliveries: dict[bytes, Deliver] = {}
        self.on_refusal: Callable[[str], None] = lambda text: None
        self.plaintext_elsewhere = True
        self.reason: BaseException | None = None
        self._write_planned = False
        self._taken = 0
        self._unsent = 0
        self._was_up = False
        self._refusals = 0
        self._closing: asyncio.Task[None] | None = None

    # Sending

    @property
    def is_up(self) -> bool:
        """Whether frames are sent immediately."""
        return self._status == _CONNECTED or self.is_draining

    @property
    def buffered_bytes(self) -> int:
        """Bytes waiting to be written."""
        return self._pending_data_size

    @property
    def taken_bytes(self) -> int:
        """Total bytes given to `send`: the position of the end of the last frame."""
        return self._taken

    @property
    def unsent_bytes(self) -> int:
        """Bytes that were not sent when the connection was closed."""
        return self._unsent

    def send(self, frame: bytes) -> bool:
        """Queue a frame for writing.

        nats-py passes each message to a task through a queue. Here all frames of one iteration of
        the event loop go out in one write.

        Returns:
            Whether the buffer is so full that the caller should await `room`.
        """
        self._pending.append(frame)
        size = len(frame)
        self._pending_data_size += size
        self._taken += size
        if self._pending_data_size >= _WRITE_CHUNK:
            self.write_pending()
            return True
        if not self._write_planned:
            self._write_planned = True
            asyncio.get_running_loop().call_soon(self._write_planned_now)
        return False

    def _write_planned_now(self) -> None:
        self._write_planned = False
        self.write_pending()

    def write_pending(self) -> None:
        """Write all queued frames if connected."""
        if self._pending and self.is_up and self._transport is not None:
            pending, self._pending = self._pending, []
            self._pending_data_size = 0
            self._transport.writelines(pending)

    async def room(self) -> None:
        """Wait until the system has accepted most written bytes, and yield to other tasks."""
        if self.is_up and self._transport is not None:
            # The read loop reports a connection that ends here.
            with contextlib.suppress(OSError):
                await self._transport.drain()  # type: ignore[no-untyped-call]
        await asyncio.sleep(0)

    def _count_unsent(self) -> None:
        """Count the queued bytes that will never be sent."""
        writer = getattr(self._transport, "_io_writer", None)
        waiting = 0 if writer is None else writer.transport.get_write_buffer_size()
        self._unsent = self._pending_data_size + waiting

    async def _send_ping(self, future: asyncio.Future[Any] | None = None) -> None:
        # nats-py writes PING ahead of the messages that are still in its queue, so that the answer
        # to a flush proves nothing about them.
        if future is None:
            future = asyncio.get_running_loop().create_future()
        self._pongs.append(future)
        self._pending.append(_PING)
        self._pending_data_size += len(_PING)
        self.write_pending()

    async def ping(self) -> bool:
        """Wait for the answer to a PING sent after all earlier frames.

        Returns:
            Whether the answer came; false if the connection was lost.
        """
        future = asyncio.get_running_loop().create_future()
        await self._send_ping(future)
        return bool(await future)

    # Listening

    async def request(self, *arguments: Any, **options: Any) -> Msg:
        """Send a request; a cancel that arrives with the answer is kept.

        nats-py uses `asyncio.wait_for`, which in Python 3.11 loses such a cancel.
        """
        task = asyncio.current_task()
        before = 0 if task is None else task.cancelling()
        answer = await super().request(*arguments, **options)
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError
        return answer

    @property
    def inbox_prefix(self) -> str:
        """Prefix of the reply subjects."""
        return self._inbox_prefix.decode()

    def listen(self, subject: str, queue_group: str, deliver: Deliver) -> int:
        """Subscribe, now or once connected; return the subscription's id."""
        self._sid += 1
        sid = self._sid
        self._subs[sid] = Listener(subject, queue_group, deliver)  # type: ignore[assignment]
        self.deliveries[b"%d" % sid] = deliver
        if self.is_up:
            self.send(f"SUB {subject} {queue_group} {sid}\r\n".encode())
        return sid

    def unsubscribe(self, sid: int) -> None:
        """Unsubscribe at the server; messages already sent still arrive."""
        if self._subs.pop(sid, None) is not None and self.is_up:
            self.send(b"UNSUB %d\r\n" % sid)

    def forget(self, sid: int) -> None:
        """Stop delivering messages of a subscription."""
        self.unsubscribe(sid)
        self.deliveries.pop(b"%d" % sid, None)

    # Messages from the server

    async def _process_pong(self) -> None:
        # The future of a flush that timed out is done; nats-py sets it again, which raises and ends
        # the read loop while the client still claims to be connected.
        if self._pongs:
            future = self._pongs.pop(0)
            if not future.done():
                future.set_result(True)
            self._pongs_received += 1
            self._pings_outstanding = 0

    async def _process_msg(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes
    ) -> None:
        # One subject that is not UTF-8 ends the read loop of every nats-py client that receives it.
        try:
            await super()._process_msg(sid, subject, reply, data, headers)
        except Exception as error:  # noqa: BLE001 - a stranger's message must not end the loop
            await self._error_cb(errors.Error(f"nats: unreadable message on {subject!r}: {error}"))

    async def _process_err(self, err_msg: str) -> None:
        # nats-py closes for good on every error it does not know, such as a message that is too
        # large, and lower-cases the subject in those it knows.
        text = err_msg.strip().strip("'")
        lowered = text.lower()
        if lowered.startswith(("permissions violation", "maximum subscriptions exceeded")):
            self._err = errors.Error(f"nats: {text}")
            self.on_refusal(text)
        elif is_authorization_error(lowered):
            self._close_for_good(errors.Error(f"nats: {text}"))
        else:
            await self._process_op_err(errors.Error(f"nats: {text}"))

    def _close_for_good(self, error: Exception) -> None:
        self.reason = self._err = error
        self._count_unsent()
        if self._closing is None:
            self._closing = asyncio.get_running_loop().create_task(
                self._close(Client.CLOSED, do_cbs=True)
            )

    def note_error(self, error: Exception) -> None:
        """Record an error from the nats-py error callback."""
        if self._status == Client.CLOSED:
            return
        self.reason = error
        if self._was_up and not self.is_up and is_authorization_error(error):
            self._refusals += 1
            if self._refusals >= _REFUSALS_BEFORE_CLOSE:
                self._close_for_good(error)

    # Life cycle of the connection

    async def _read_loop(self) -> None:
        # Any other end of the loop must end the connection too, or it would go unnoticed.
        await super()._read_loop()
        ended = asyncio.current_task() is self._reading_task
        if ended and not (self.is_closed or self.is_reconnecting):
            await self._process_op_err(errors.UnexpectedEOF())

    async def _process_op_err(self, e: Exception) -> None:
        if not (self.is_closed or self.is_reconnecting):
            self.reason = e
        await super()._process_op_err(e)

    async def _attempt_reconnect(self) -> None:
        self._give_up_pongs()
        self._give_up_requests()
        # nats-py waits until the old connection has sent its buffer, which never happens if the
        # peer vanished.
        self.abort_transport()
        await super()._attempt_reconnect()

    def _give_up_pongs(self) -> None:
        for future in self._pongs:
            if not future.done():
                future.set_result(False)
        self._pongs = []

    def _give_up_requests(self) -> None:
        # nats-py lets requests whose answer went to the old connection wait for their full timeout.
        for future in list(self._resp_map.values()):
            if not future.done():
                future.set_exception(errors.ConnectionReconnectingError())
                future.exception()  # a request that was never sent has no waiter

    def abort_transport(self) -> None:
        """End the connection without sending the buffer."""
        writer = getattr(self._transport, "_io_writer", None)
        if writer is not None:
            writer.transport.abort()

    async def _connect_to_server(self, s: Srv) -> None:
        # Jitter, so that many clients do not reconnect in step or too often.
        delay = 0.0
        if s.reconnects:
            delay = min(_LONGEST_DELAY_SECONDS, _FIRST_DELAY_SECONDS * 2 ** min(s.reconnects, 8))
        elif self.is_reconnecting:
            delay = _FIRST_DELAY_SECONDS
        if delay:
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
        if not (
            self.plaintext_elsewhere or "tls" in self.options or is_loopback(s.uri.hostname or "")
        ):
            # A server announces other servers of its cluster, and nats-py trusts it.
            raise errors.Error("nats: without TLS, only servers on this machine are spoken to")
        # nats-py leaves the socket of a failed handshake open.
        self.abort_transport()
        s.last_attempt = time.monotonic()
        self._transport = _WideTransport()  # type: ignore[no-untyped-call]
        await self._transport.connect(s.uri, _READ_BYTES, self.options["connect_timeout"])

    def _connect_command(self) -> bytes:
        # nats-py continues without encryption where the URL asks for TLS and the server has none.
        server = self._current_server
        wanted = "tls" in self.options or (server is not None and server.uri.scheme == "tls")
        if wanted and not self._server_info.get("tls_required"):
            raise errors.Error("nats: the server does not offer the TLS that was asked for")
        return super()._connect_command()

    async def _process_connect_init(self) -> None:
        # A server that hangs up during the handshake leaves nats-py in the state "connecting".
        await super()._process_connect_init()
        if self._status != Client.CONNECTED:
            for task in (self._reading_task, self._ping_interval_task, self._flusher_task):
                if task is not None:
                    task.cancel()
            raise errors.Error("nats: the server ended the connection during the handshake")
        self._was_up = True
        self._refusals = 0

    async def _close(self, status: int, do_cbs: bool = True) -> None:
        if self._flush_queue is None:
            return  # The flusher was never started, and nats-py's close would raise.
        self._give_up_pongs()
        if self.is_up:
            self.write_pending()
        if status == Client.CLOSED:
            # Drop the unwritten bytes; nats-py would try to write them and raise from its close.
            self._pending = []
            self._pending_data_size = 0
        with contextlib.suppress(OSError):
            await super()._close(status, do_cbs)

    async def shut(self, timeout_seconds: float) -> None:
        """Close within a time limit; queued bytes are sent if possible."""
        if not (self.is_closed or self.is_up):
            # nats-py would write the queue to the lost connection.
            self._count_unsent()
            self._pending, self._pending_data_size = [], 0
        try:
            await asyncio.wait_for(self._close(Client.CLOSED, do_cbs=False), timeout_seconds)
        except TimeoutError:
            self._count_unsent()
            self.abort_transport()
        except OSError:
            # The connection was lost while the rest was being sent.
            self._unsent = max(self._unsent, 1)
            self.abort_transport()
