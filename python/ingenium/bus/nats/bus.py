"""Bus over core NATS: at most once, with possible losses reported."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from ingenium.bus.base import BusGuarantee, Incident, IncidentKind, MessageHandler, Subscription
from ingenium.bus.headers import RawHeaders, encode_headers
from ingenium.bus.nats.addresses import Address, parse_address, reason_of
from ingenium.bus.nats.first_connection import first_connect
from ingenium.bus.nats.inbound import deliver_to
from ingenium.bus.nats.options import NatsOptions
from ingenium.bus.subscription import QueuedSubscription, ReportingBus
from ingenium.clock import Clock, format_second
from ingenium.errors import (
    BusAwayError,
    BusClosedError,
    BusError,
    BusPermissionError,
    BusTimeoutError,
    EventTooLargeError,
)
from ingenium.events import ContentType
from ingenium.subjects.grammar import check_pattern, check_queue_group, check_subject
from ingenium.subjects.names import is_ask

if TYPE_CHECKING:
    from ingenium.bus.nats.nats_client import SafeClient

__all__ = ["NatsBus"]

_log = logging.getLogger("ingenium.bus")

_REFUSED = re.compile(r'(Publish|Subscription)[^"]*"([^"]*)"', re.IGNORECASE)
_CACHE_LIMIT = 65_536
_CLOSE_SECONDS = 2.0


class NatsBus(ReportingBus):
    """Connection to a NATS server; created by `connect`.

    After a lost connection it reconnects without limit, and reports what each subscription may have
    missed. It closes by itself only when the server no longer accepts its credentials.
    """

    guarantees = frozenset(BusGuarantee)

    def __init__(
        self,
        client: SafeClient,
        address: Address,
        name: str,
        options: NatsOptions,
        clock: Clock | None,
    ) -> None:
        super().__init__(name, clock, options.content_type or ContentType.JSON)
        self._client = client
        self._address = address
        self._options = options
        self.space = options.space
        """Subject space on the server."""
        self.stream_replicas = options.stream_replicas
        """Servers that keep a copy of each stream that this connection creates."""
        self._subscriptions: dict[int, QueuedSubscription] = {}
        self._ids: dict[QueuedSubscription, int] = {}
        self._refused_subjects: dict[str, str] | None = None
        self._refused_publishes: dict[str, str] = {}
        self._subscribing = 0
        self._subjects: dict[str, bytes] = {}
        self._connected = asyncio.Event()
        self._reconnected: set[asyncio.Future[None]] = set()
        self._lost_at = 0.0
        self._own_close = False
        self._closed = asyncio.Event()
        self._is_unsent_told = False
        self._final: str | None = None
        self._drain: asyncio.Task[None] | None = None
        client.on_refusal = self._on_refusal

    @classmethod
    async def connect(
        cls,
        url: str,
        *,
        name: str = "ingenium",
        options: NatsOptions | None = None,
        clock: Clock | None = None,
    ) -> NatsBus:
        """Connect to a server.

        Args:
            url: Address in the format of ``NATS_SERVER``: ``nats://127.0.0.1:4222``, with or
                without user and password.
            name: Name of the connection, shown in the server's monitoring and in dead letters.
            options: Settings; the defaults if omitted.
            clock: Source of the time of dead letters; the system clock by default.

        Returns:
            The connected bus.

        Raises:
            BusConnectError: No connection; the text has the address and the reason.
        """
        from ingenium.bus.nats.nats_client import SafeClient

        options = options or NatsOptions()
        address = parse_address(url)
        bus = cls(SafeClient(), address, name, options, clock)
        try:
            await first_connect(
                bus._client,
                address,
                name,
                options,
                on_disconnected=bus._on_disconnected,
                on_reconnected=bus._on_reconnected,
                on_closed=bus._on_closed,
            )
        except BaseException:
            bus._own_close = True
            raise
        bus._connected.set()
        return bus

    @property
    def url(self) -> str:
        """Address of the server, without credentials."""
        return self._address.text

    @property
    def client(self) -> SafeClient:
        """The underlying connection, for streams."""
        return self._client

    def refused(self, subject: str) -> str:
        """Return the server's last refusal of a subject with this prefix."""
        found = next((name for name in self._refused_publishes if name.startswith(subject)), "")
        return self._refused_publishes.pop(found, "")

    @property
    def max_payload(self) -> int:
        """Maximum size of a message in bytes, headers included, as the server says."""
        return self._client.max_payload

    def hand_over(
        self, subject: str, payload: bytes, headers: Mapping[str, str] | None = None
    ) -> Awaitable[None] | None:
        """Queue a message for sending; see `ReportingBus.hand_over`."""
        target = self._subjects.get(subject)
        if target is None:
            target = self._admit(subject)
        client = self._client
        if headers is not None and (type(headers) is RawHeaders or headers):
            # The headers of an event are already encoded.
            block = headers.raw if type(headers) is RawHeaders else encode_headers(headers)
            size = len(block) + len(payload)
            frame = b"HPUB %b %d %d\r\n%b%b\r\n" % (target, len(block), size, block, payload)
        else:
            size = len(payload)
            frame = b"PUB %b %d\r\n%b\r\n" % (target, size, payload)
        if size > client.max_payload:
            raise EventTooLargeError(
                f"a message of {size:,} bytes, headers included, is too large for {subject}: the "
                f"server takes {client.max_payload:,}",
                size,
                client.max_payload,
            )
        if not client.is_up:
            self._check_buffer(len(frame))
        elif self._own_close:
            self._check_open()
        return self._room(client.taken_bytes) if client.send(frame) else None

    async def _room(self, end: int) -> None:
        """Wait until the send buffer has space.

        Args:
            end: Position of the end of the last frame given to the client.

        Raises:
            BusClosedError: The bus was closed before that frame was sent.
        """
        client = self._client
        await client.room()
        if self._own_close:
            await self._closed.wait()
        elif self._final is None:
            return
        unsent = client.unsent_bytes
        if unsent and end > client.taken_bytes - unsent:
            raise BusClosedError(f"the connection to {self.url} was closed before this was sent")

    def _admit(self, subject: str) -> bytes:
        self._check_open()
        check_subject(subject)
        target = self.space.to_server(subject).encode()
        # An answer has a subject of its own, which no other message has.
        if len(self._subjects) < _CACHE_LIMIT and not subject.startswith(("_INBOX.", "_R_.")):
            self._subjects[subject] = target
        return target

    def _check_open(self) -> None:
        if self._final is not None:
            raise BusClosedError(f"the connection to {self.url} is closed: {self._final}")
        if self._own_close:
            raise BusClosedError(f"the connection to {self.url} was closed")

    def _check_buffer(self, size: int) -> None:
        self._check_open()
        limit = self._options.reconnect_buffer_bytes
        if self._client.buffered_bytes + size > limit:
            raise BusAwayError(
                f"no connection to {self.url} now, and the buffer of {limit:,} bytes for that time "
                "is full: publish again when it is back"
            )

    async def subscribe(
        self, subject: str, handler: MessageHandler, *, queue_group: str = ""
    ) -> Subscription:
        """Run ``handler`` for every message on ``subject``; see `Bus.subscribe`.

        Raises:
            SubjectError: The subject is invalid.
            BusPermissionError: The server forbids the subject.
            BusTimeoutError: The server did not confirm in time.
            BusClosedError: The bus was closed.
        """
        check_pattern(subject)
        check_queue_group(queue_group)
        self._check_open()
        subscription = QueuedSubscription(
            self,
            subject,
            handler,
            limit_bytes=self._options.pending_bytes,
            leave=self._leave,
            timeout_seconds=self._options.drain_timeout_seconds,
        )
        if self._refused_subjects is None:
            self._refused_subjects = {}
        refused = self._refused_subjects
        self._subscribing += 1
        sid = self._client.listen(
            self.space.to_server(subject), queue_group, deliver_to(self, subscription, self.space)
        )
        self._subscriptions[sid] = subscription
        self._ids[subscription] = sid
        confirmed = False
        try:
            await self._sync(self._options.flush_timeout_seconds)
            confirmed = subject not in refused
        finally:
            self._subscribing -= 1
            if not self._subscribing:
                self._refused_subjects = None
            if not confirmed:
                self._forget(subscription)
                await subscription.abort()
        if not confirmed:
            raise BusPermissionError(
                f"the server at {self.url} forbids subscribing to {subject!r}", subject
            )
        return subscription

    def _forget(self, subscription: QueuedSubscription) -> None:
        sid = self._ids.pop(subscription, None)
        if sid is not None:
            self._subscriptions.pop(sid, None)
            self._client.forget(sid)

    async def _leave(self, subscription: QueuedSubscription) -> None:
        sid = self._ids.get(subscription)
        if sid is not None and self._client.is_up:
            self._client.unsubscribe(sid)
            try:
                await self._sync(self._options.flush_timeout_seconds)
            except BusError as error:
                _log.debug("stopping %s: %s", subscription.subject, error)
        self._forget(subscription)

    async def flush(self, timeout_seconds: float = 5.0) -> None:
        """Wait until the server has processed all earlier publishes; see `Bus.flush`.

        Raises:
            BusTimeoutError: It did not say so in time, or the connection was lost meanwhile.
            BusPermissionError: The server refused a subject since the last flush.
            BusClosedError: The bus was closed.
        """
        await self._sync(timeout_seconds)
        if self._refused_publishes:
            refused, self._refused_publishes = self._refused_publishes, {}
            subject = next(iter(refused))
            raise BusPermissionError(
                f"the server at {self.url} forbids publishing to {', '.join(map(repr, refused))}",
                subject,
            )

    async def _sync(self, timeout_seconds: float) -> None:
        self._check_open()
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._connected.wait()
                self._check_open()
                answered = await self._client.ping()
        except TimeoutError as error:
            raise BusTimeoutError(
                f"the server at {self.url} did not answer within {timeout_seconds:g} s"
            ) from error
        self._check_open()
        if not answered:
            raise BusTimeoutError(
                f"the connection to {self.url} was lost before the server answered: what was "
                "published last may be missing"
            )

    async def wait_for_reconnect(self, seconds: float) -> bool:
        """Wait until a lost connection is restored, or the bus is closed.

        Args:
            seconds: Maximum time to wait.

        Returns:
            Whether the connection is restored; false after the timeout.
        """
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reconnected.add(waiting)
        try:
            await asyncio.wait({waiting}, timeout=seconds)
        finally:
            self._reconnected.discard(waiting)
        return waiting.done()

    def _wake(self) -> None:
        for waiting in self._reconnected:
            if not waiting.done():
                waiting.set_result(None)

    async def drain(self) -> None:
        """Handle the messages that have arrived, flush and close; see `Bus.drain`."""
        for subscription in self._subscriptions.values():
            subscription.leave_out(asyncio.current_task())
        if self._drain is None:
            self._drain = asyncio.get_running_loop().create_task(self._drain_now())
        # Shielded, since a second caller may be waiting for the same drain.
        await asyncio.shield(self._drain)

    async def _drain_now(self) -> None:
        if self._own_close or self._final is not None:
            await self.close()
            return
        ends_at = time.monotonic() + self._options.drain_timeout_seconds
        subscriptions = list(self._subscriptions.values())
        try:
            if self._client.is_up:
                for sid in list(self._subscriptions):
                    self._client.unsubscribe(sid)
                await self._sync(max(0.01, ends_at - time.monotonic()))
            left = max(0.01, ends_at - time.monotonic())
            await asyncio.gather(*(item.finish(left) for item in subscriptions))
            if self._client.is_up:
                await self._sync(max(0.1, ends_at - time.monotonic()))
        except BusError as error:
            _log.debug("draining %s: %s", self.url, error)
            left = max(0.1, ends_at - time.monotonic())
            await asyncio.gather(*(item.finish(left) for item in subscriptions))
        await self.close()

    async def close(self) -> None:
        """Close at once. Closing twice has no effect."""
        self._own_close = True
        self._incidents.end()
        self._connected.set()  # Wake the callers that wait for a reconnect.
        self._wake()
        subscriptions = list(self._subscriptions.values())
        self._subscriptions.clear()
        self._ids.clear()
        self._client.deliveries.clear()
        try:
            for subscription in subscriptions:
                await subscription.abort()
            await self._client.shut(_CLOSE_SECONDS)
        finally:
            self._closed.set()
        if (unsent := self._client.unsent_bytes) and not self._is_unsent_told:
            self._is_unsent_told = True
            detail = (
                f"the connection to {self.url} was closed before all was sent that was published: "
                f"{unsent:,} bytes are lost"
            )
            self.report(Incident(IncidentKind.GAP, detail))

    # Callbacks of the client

    def _on_refusal(self, text: str) -> None:
        found = _REFUSED.search(text)
        action, subject = found.groups() if found else ("", "")
        subject = self.space.from_server(subject)
        if action.lower() == "subscription" and self._refused_subjects is not None:
            self._refused_subjects[subject] = text
            return
        if action.lower() == "publish" and len(self._refused_publishes) < 100:
            self._refused_publishes[subject] = text
        self.report(Incident(IncidentKind.PERMISSION, f"the server says: {text}", subject))

    async def _on_disconnected(self) -> None:
        if self._own_close or not self._connected.is_set():
            return
        self._connected.clear()
        self._lost_at = time.monotonic()
        reason = reason_of(self._client.reason)
        detail = f"{self.name} lost the connection to {self.url}: {reason}"
        self.report(Incident(IncidentKind.DISCONNECTED, detail, error=self._client.reason))

    async def _on_reconnected(self) -> None:
        if self._own_close:
            return
        away, now = time.monotonic() - self._lost_at, self._clock.now()
        self._connected.set()
        detail = f"{self.name} is connected to {self.url} again after {away:.1f} s"
        self.report(Incident(IncidentKind.RECONNECTED, detail))
        for subscription in list(self._subscriptions.values()):
            if subscription.is_spare or is_ask(subscription.subject):
                continue
            begin, end = format_second(now - timedelta(seconds=away)), format_second(now)
            detail = (
                f"{self.name} had no connection from {begin} to {end}: "
                f"messages of these {away:.1f} s may be missing"
            )
            self.report(Incident(IncidentKind.GAP, detail, subscription.subject))
        self._wake()

    async def _on_closed(self) -> None:
        if self._own_close:
            return
        self._final = reason_of(self._client.reason)
        self._connected.set()
        detail = f"the connection to {self.url} is closed for good: {self._final}"
        self.report(Incident(IncidentKind.CLOSED, detail, error=self._client.reason))
