"""In-memory bus within one process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping

from ingenium.bus.base import BusGuarantee, Message, MessageHandler, Subscription
from ingenium.bus.headers import RawHeaders, encode_headers
from ingenium.bus.subscription import QueuedSubscription, ReportingBus
from ingenium.clock import Clock
from ingenium.errors import BusClosedError, BusTimeoutError, EventTooLargeError
from ingenium.events import ContentType
from ingenium.subjects.grammar import check_pattern, check_queue_group, check_subject, matches

__all__ = ["MemoryBus"]

_MIB = 1_048_576
_CACHE_LIMIT = 4096
_MESSAGES_PER_TURN = 128
_NO_HEADERS: Mapping[str, str] = {}


class MemoryBus(ReportingBus):
    """Bus without a server, for tests and for apps in one process.

    Keeps the same contract as `NatsBus` and refuses the same subjects, headers and sizes, so that a
    program that works on this bus works on a server too. Create it inside a running event loop.

    Args:
        name: Name of the connection, recorded in dead letters.
        max_payload: Maximum size of a message in bytes, headers included.
        pending_bytes: Maximum bytes waiting for one handler: payloads plus 512 per message.
        drain_timeout_seconds: Maximum time that `drain` waits for handlers.
        clock: Source of the time of dead letters; the system clock by default.
        content_type: Encoding of published events.
    """

    guarantees = frozenset(BusGuarantee)

    def __init__(
        self,
        name: str = "ingenium",
        *,
        max_payload: int = _MIB,
        pending_bytes: int = 256 * _MIB,
        drain_timeout_seconds: float = 5.0,
        clock: Clock | None = None,
        content_type: ContentType = ContentType.JSON,
    ) -> None:
        super().__init__(name, clock, content_type)
        self._max_payload = max_payload
        self._pending_bytes = pending_bytes
        self._drain_timeout = drain_timeout_seconds
        self._subscriptions: dict[QueuedSubscription, str] = {}
        # By subject: subscriptions that get each message, and groups of which one member does.
        self._routes: dict[str, tuple[list[QueuedSubscription], list[list[QueuedSubscription]]]]
        self._routes = {}
        self._turn = 0
        self._published = 0
        self._closed = False
        self._dropped: list[Message] = []

    @property
    def url(self) -> str:
        """``"memory:"``."""
        return "memory:"

    @property
    def max_payload(self) -> int:
        """Maximum size of a message in bytes, headers included."""
        return self._max_payload

    def hand_over(
        self, subject: str, payload: bytes, headers: Mapping[str, str] | None = None
    ) -> Awaitable[None] | None:
        """Queue a message for the subscriptions; see `ReportingBus.hand_over`."""
        self._check_open()
        route = self._routes.get(subject)
        if route is None:
            route = self._find_route(subject)
        block = encode_headers(headers) if headers else b""
        size = len(payload) + len(block)
        if size > self._max_payload:
            raise EventTooLargeError(
                f"a message of {size:,} bytes, headers included, is too large for {subject}: the "
                f"bus takes {self._max_payload:,}",
                size,
                self._max_payload,
            )
        message = Message(subject, payload, RawHeaders(block) if block else _NO_HEADERS)
        everyone, groups = route
        for subscription in everyone:
            subscription.offer(message)
        for group in groups:
            self._turn += 1
            group[self._turn % len(group)].offer(message)
        self._published += 1
        # Yield, or a publisher that never waits would fill the queues before any handler runs.
        return self._turn_to_others(message) if self._published % _MESSAGES_PER_TURN == 0 else None

    async def _turn_to_others(self, message: Message) -> None:
        await asyncio.sleep(0)
        if self._closed and any(dropped is message for dropped in self._dropped):
            raise BusClosedError("the bus was closed before this was handled")

    def _find_route(
        self, subject: str
    ) -> tuple[list[QueuedSubscription], list[list[QueuedSubscription]]]:
        check_subject(subject)
        everyone: list[QueuedSubscription] = []
        groups: dict[str, list[QueuedSubscription]] = {}
        for subscription, queue_group in self._subscriptions.items():
            if not matches(subscription.subject, subject):
                continue
            if queue_group:
                groups.setdefault(queue_group, []).append(subscription)
            else:
                everyone.append(subscription)
        route = (everyone, list(groups.values()))
        if len(self._routes) < _CACHE_LIMIT:
            self._routes[subject] = route
        return route

    async def subscribe(
        self, subject: str, handler: MessageHandler, *, queue_group: str = ""
    ) -> Subscription:
        """Run ``handler`` for every message on ``subject``; see `Bus.subscribe`."""
        check_pattern(subject)
        check_queue_group(queue_group)
        self._check_open()
        subscription = QueuedSubscription(
            self,
            subject,
            handler,
            limit_bytes=self._pending_bytes,
            leave=self._leave,
            timeout_seconds=self._drain_timeout,
        )
        self._subscriptions[subscription] = queue_group
        self._routes.clear()
        return subscription

    async def _leave(self, subscription: QueuedSubscription) -> None:
        self._subscriptions.pop(subscription, None)
        self._routes.clear()

    async def flush(self, timeout_seconds: float = 5.0) -> None:
        """Yield to other tasks once; all published messages are in the queues then.

        Raises:
            BusTimeoutError: The timeout is not positive.
            BusClosedError: The bus was closed.
        """
        self._check_open()
        if timeout_seconds <= 0:
            raise BusTimeoutError(f"cannot flush within {timeout_seconds:g} s: give it some time")
        await asyncio.sleep(0)

    async def drain(self) -> None:
        """Handle the messages that have arrived, and close; see `Bus.drain`."""
        subscriptions = list(self._subscriptions)
        for subscription in subscriptions:
            subscription.leave_out(asyncio.current_task())
        self._subscriptions.clear()
        self._routes.clear()
        await asyncio.gather(*(item.finish(self._drain_timeout) for item in subscriptions))
        await self.close()

    async def close(self) -> None:
        """Close at once. Closing twice has no effect."""
        self._closed = True
        self._incidents.end()
        subscriptions = list(self._subscriptions)
        self._subscriptions.clear()
        self._routes.clear()
        self._dropped = [message for each in subscriptions for message in each.waiting]
        for subscription in subscriptions:
            await subscription.abort()

    def _check_open(self) -> None:
        if self._closed:
            raise BusClosedError("the bus was closed")
