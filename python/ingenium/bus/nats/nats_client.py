"""nats-py's client with its faults repaired. Only this module and `frames` know its internals.

Each override below says which fault of nats-py 2.16.0 it repairs; the tests in
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
# A server that comes back is found within half a second, however long it was away.
_LONGEST_DELAY_SECONDS = 0.5

# Of a server that comes back with other users; one refusal may be a server that is still starting.
_REFUSALS_BEFORE_CLOSE = 2


def is_authorization_error(error: BaseException | str) -> bool:
    """Tell whether a server refused the credentials."""
    text = str(error).lower()
    return "authorization violation" in text or "authentication revoked" in text


class _WideTransport(TcpTransport):
    """Reads what has arrived in one piece.

    nats-py reads 32 KiB at a time; asyncio then stops and starts the socket for every burst.
    """

    async def read(self, buffer_size: int) -> bytes:
        return bytes(await super().read(_READ_BYTES))


class SafeClient(Client):
    """A client of a NATS server that does not go silent.

    Attributes:
        deliveries: Where messages go, by subscription id as it is on the wire.
        on_refusal: Called with what the server says when it refuses a subject.
        plaintext_elsewhere: Whether servers on other machines may be spoken to without TLS.
        reason: Why the connection was lost or closed, in the server's or the system's words.
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
        """Whether what is sent now goes out now."""
        return self._status == _CONNECTED or self.is_draining

    @property
    def has_jetstream(self) -> bool:
        """Whether the server keeps streams, of this account or of another one."""
        return bool(self._server_info.get("jetstream"))

    @property
    def buffered_bytes(self) -> int:
        """How much waits to be written."""
        return self._pending_data_size

    @property
    def taken_bytes(self) -> int:
        """How much was ever given to `send`: where the last frame of it ends."""
        return self._taken

    @property
    def unsent_bytes(self) -> int:
        """How much of it had not gone out when the connection was closed."""
        return self._unsent

    def send(self, frame: bytes) -> bool:
        """Put a frame behind those that wait to be written.

        nats-py hands each message to a task over a queue. Here all frames of one turn of the
        event loop go out in one write.

        Returns:
            Whether so much was waiting that the caller should await `room`.
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
        """Write all frames that wait, unless there is no connection."""
        if self._pending and self.is_up and self._transport is not None:
            pending, self._pending = self._pending, []
            self._pending_data_size = 0
            self._transport.writelines(pending)

    async def room(self) -> None:
        """Wait until the system has taken most of what was written, and let others run."""
        if self.is_up and self._transport is not None:
            # A connection that ends meanwhile is reported by the read loop.
            with contextlib.suppress(OSError):
                await self._transport.drain()  # type: ignore[no-untyped-call]
        await asyncio.sleep(0)

    def _count_unsent(self) -> None:
        """Count what waits to go out and never will."""
        writer = getattr(self._transport, "_io_writer", None)
        waiting = 0 if writer is None else writer.transport.get_write_buffer_size()
        self._unsent = self._pending_data_size + waiting

    async def _send_ping(self, future: asyncio.Future[Any] | None = None) -> None:
        # nats-py writes PING ahead of the messages that still wait in its queue, so that the
        # answer to a flush proves nothing about them.
        if future is None:
            future = asyncio.get_running_loop().create_future()
        self._pongs.append(future)
        self._pending.append(_PING)
        self._pending_data_size += len(_PING)
        self.write_pending()

    async def ping(self) -> bool:
        """Wait for the server's answer to a PING behind all that was sent.

        Returns:
            Whether it came; no means that the connection was lost meanwhile.
        """
        future = asyncio.get_running_loop().create_future()
        await self._send_ping(future)
        return bool(await future)

    # Listening

    async def request(self, *arguments: Any, **options: Any) -> Msg:
        """Ask for something, and stay canceled where that meets the answer.

        nats-py waits by `asyncio.wait_for`, which in Python 3.11 forgets a cancel then.
        """
        task = asyncio.current_task()
        before = 0 if task is None else task.cancelling()
        answer = await super().request(*arguments, **options)
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError
        return answer

    @property
    def inbox_prefix(self) -> str:
        """What the subjects begin with on which answers come."""
        return self._inbox_prefix.decode()

    def listen(self, subject: str, queue_group: str, deliver: Deliver) -> int:
        """Subscribe, now or when there is a connection; return the subscription's id."""
        self._sid += 1
        sid = self._sid
        self._subs[sid] = Listener(subject, queue_group, deliver)  # type: ignore[assignment]
        self.deliveries[b"%d" % sid] = deliver
        if self.is_up:
            self.send(f"SUB {subject} {queue_group} {sid}\r\n".encode())
        return sid

    def unsubscribe(self, sid: int) -> None:
        """Tell the server to send no more; what it has sent already still arrives."""
        if self._subs.pop(sid, None) is not None and self.is_up:
            self.send(b"UNSUB %d\r\n" % sid)

    def forget(self, sid: int) -> None:
        """Deliver nothing more for a subscription."""
        self.unsubscribe(sid)
        self.deliveries.pop(b"%d" % sid, None)

    # What the server says

    async def _process_pong(self) -> None:
        # The future of a flush that timed out is done; nats-py sets it again, which raises and
        # ends the read loop while the client goes on saying that it is connected.
        if self._pongs:
            future = self._pongs.pop(0)
            if not future.done():
                future.set_result(True)
            self._pongs_received += 1
            self._pings_outstanding = 0

    async def _process_msg(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: bytes
    ) -> None:
        # One subject that is no UTF-8 ends the read loop of every nats-py client that hears it.
        try:
            await super()._process_msg(sid, subject, reply, data, headers)
        except Exception as error:  # noqa: BLE001 - a stranger's message must not end the loop
            await self._error_cb(errors.Error(f"nats: unreadable message on {subject!r}: {error}"))

    async def _process_err(self, err_msg: str) -> None:
        # nats-py closes for good on whatever it does not know, among them a message that is too
        # large, and lower-cases the subject of what it knows.
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
        """Take note of what nats-py hands to its error callback."""
        if self._status == Client.CLOSED:
            return
        self.reason = error
        if self._was_up and not self.is_up and is_authorization_error(error):
            self._refusals += 1
            if self._refusals >= _REFUSALS_BEFORE_CLOSE:
                self._close_for_good(error)

    # The life of the connection

    async def _read_loop(self) -> None:
        # Whatever else ends the loop must end the connection too, or nobody would ever notice.
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
        # nats-py waits until the old connection has sent what it holds: for ever, where the peer
        # is gone without a word.
        self.abort_transport()
        await super()._attempt_reconnect()

    def _give_up_pongs(self) -> None:
        for future in self._pongs:
            if not future.done():
                future.set_result(False)
        self._pongs = []

    def _give_up_requests(self) -> None:
        # nats-py lets those wait for their whole time whose answer went to the old connection.
        for future in list(self._resp_map.values()):
            if not future.done():
                future.set_exception(errors.ConnectionReconnectingError())
                future.exception()  # nobody waits for one that could not even be sent

    def abort_transport(self) -> None:
        """End the connection without sending what waits."""
        writer = getattr(self._transport, "_io_writer", None)
        if writer is not None:
            writer.transport.abort()

    async def _connect_to_server(self, s: Srv) -> None:
        # Many clients must not come back to a server in step, nor a hundred times a second.
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
            # A server names others of its cluster, and nats-py takes its word.
            raise errors.Error("nats: without TLS, only servers on this machine are spoken to")
        # Of an attempt that failed in the handshake nats-py leaves the socket open.
        self.abort_transport()
        s.last_attempt = time.monotonic()
        self._transport = _WideTransport()  # type: ignore[no-untyped-call]
        await self._transport.connect(s.uri, _READ_BYTES, self.options["connect_timeout"])

    def _connect_command(self) -> bytes:
        # nats-py goes on without encryption where the URL asks for it and the server offers none.
        server = self._current_server
        wanted = "tls" in self.options or (server is not None and server.uri.scheme == "tls")
        if wanted and not self._server_info.get("tls_required"):
            raise errors.Error("nats: the server does not offer the TLS that was asked for")
        return super()._connect_command()

    async def _process_connect_init(self) -> None:
        # A server that hangs up during the handshake leaves nats-py "connecting" for ever.
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
            return  # It was never begun, and nats-py's own close would not have that.
        self._give_up_pongs()
        if self.is_up:
            self.write_pending()
        if status == Client.CLOSED:
            # What could not be written never will be; nats-py's try would raise out of its close.
            self._pending = []
            self._pending_data_size = 0
        with contextlib.suppress(OSError):
            await super()._close(status, do_cbs)

    async def shut(self, timeout_seconds: float) -> None:
        """Close within a time, whatever the peer does; what waits goes out if it can."""
        if not (self.is_closed or self.is_up):
            # nats-py writes what waits to the connection that is gone.
            self._count_unsent()
            self._pending, self._pending_data_size = [], 0
        try:
            await asyncio.wait_for(self._close(Client.CLOSED, do_cbs=False), timeout_seconds)
        except TimeoutError:
            self._count_unsent()
            self.abort_transport()
        except OSError:
            # The connection was lost while the rest of it went out.
            self._unsent = max(self._unsent, 1)
            self.abort_transport()
