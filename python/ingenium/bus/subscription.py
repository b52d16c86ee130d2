"""Shared by both buses: incident reporting, and the queue and task of a subscription."""

from __future__ import annotations

import asyncio
import logging
import re
from abc import abstractmethod
from collections import deque
from collections.abc import Awaitable, Callable, Mapping

from ingenium.bus.base import (
    Bus,
    Incident,
    IncidentKind,
    Message,
    MessageHandler,
    Subscription,
)
from ingenium.bus.envelope import dead_letter
from ingenium.bus.incident_log import IncidentWriter
from ingenium.clock import Clock, SystemClock
from ingenium.errors import DecodeError
from ingenium.events import ContentType

__all__ = ["MESSAGE_OVERHEAD", "QueuedSubscription", "ReportingBus"]

_log = logging.getLogger("ingenium.bus")

MESSAGE_OVERHEAD = 512
"""Bytes of a waiting message besides its payload: object, subject and headers."""

# A handler that never awaits would otherwise block the event loop while it works through a backlog.
_MESSAGES_PER_TURN = 128
_SECONDS_PER_TURN = 0.02


class ReportingBus(Bus):
    """The part of a bus that logs incidents and calls the callbacks.

    Args:
        name: Name of the connection, recorded as the component in dead letters.
        clock: Source of the time of dead letters; the system clock by default.
        content_type: Encoding of published events.
    """

    def __init__(
        self,
        name: str,
        clock: Clock | None = None,
        content_type: ContentType = ContentType.JSON,
    ) -> None:
        self.name = name
        self._content_type = content_type
        self._component = re.sub(r"[^A-Za-z0-9_-]+", "-", name)[:64].strip("-") or "ingenium"
        self._clock = clock or SystemClock()
        self._callbacks: list[Callable[[Incident], None]] = []
        self._letters: set[asyncio.Task[None]] = set()
        self._incidents = IncidentWriter(self._clock.now)

    @property
    def content_type(self) -> ContentType:
        """Encoding of published events."""
        return self._content_type

    @abstractmethod
    def hand_over(
        self, subject: str, payload: bytes, headers: Mapping[str, str] | None = None
    ) -> Awaitable[None] | None:
        """Publish like `publish`, without a coroutine where there is nothing to wait for.

        Returns:
            An awaitable to await before the next message, or ``None``.
        """

    async def publish(
        self, subject: str, payload: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        """Publish a message; see `Bus.publish`.

        Raises:
            EventTooLargeError: Payload and headers exceed `max_payload`; nothing was sent.
            SubjectError: The subject cannot be published to.
            BusClosedError: The bus was closed.
            BusError: There is no connection now, and the buffer for that time is full; or a
                header cannot be sent.
        """
        room = self.hand_over(subject, payload, headers)
        if room is not None:
            await room

    def on_incident(self, callback: Callable[[Incident], None]) -> None:
        """Call ``callback`` for every incident; see `Bus.on_incident`."""
        self._callbacks.append(callback)

    def forget_incident(self, callback: Callable[[Incident], None]) -> None:
        """Remove a callback."""
        self._callbacks = [known for known in self._callbacks if known != callback]

    def report(self, incident: Incident) -> None:
        """Log an incident and pass it to the callbacks."""
        self._incidents.write(incident)
        for callback in self._callbacks:
            try:
                callback(incident)
            except Exception:  # noqa: BLE001 - other people's code
                _log.exception("a callback for incidents failed")

    async def refuse(self, message: Message, error: Exception) -> None:
        """Report a message that a handler failed on, and publish it as a dead letter."""
        kind = (
            IncidentKind.UNDECODABLE
            if isinstance(error, DecodeError)
            else IncidentKind.HANDLER_ERROR
        )
        detail = (
            str(error) if isinstance(error, DecodeError) else f"{type(error).__name__}: {error}"
        )
        self.report(Incident(kind, detail, message.subject, error))
        await dead_letter(self, self._component, message, error, self._clock)

    def refuse_soon(self, message: Message, error: Exception) -> None:
        """Call `refuse` in a task, for callers that cannot await."""
        task = asyncio.get_running_loop().create_task(self.refuse(message, error))
        self._letters.add(task)
        task.add_done_callback(self._letters.discard)


class QueuedSubscription(Subscription):
    """Passes messages to a handler, one at a time, in order of arrival.

    Args:
        bus: Receives the incidents.
        subject: Subject or wildcard of the subscription.
        handler: Plain or async.
        limit_bytes: Maximum bytes waiting; further messages are dropped and reported.
        leave: Unsubscribes; when it returns, no more messages arrive.
        timeout_seconds: Maximum time that `stop` waits for the handler.
    """

    def __init__(
        self,
        bus: ReportingBus,
        subject: str,
        handler: MessageHandler,
        *,
        limit_bytes: int,
        leave: Callable[[QueuedSubscription], Awaitable[None]],
        timeout_seconds: float,
    ) -> None:
        self._bus = bus
        self._subject = subject
        self._handler = handler
        self._limit = limit_bytes
        self._leave = leave
        self._timeout = timeout_seconds
        self._queue: deque[Message] = deque()
        self._waiting_bytes = 0
        self._dropped = 0
        self._left = False
        self._ending = False
        self._asked_from_handler = False
        self._waiter: asyncio.Future[None] | None = None
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._task = loop.create_task(self._run(), name=f"ingenium subscription to {subject}")

    @property
    def subject(self) -> str:
        """The subject or wildcard that was subscribed to."""
        return self._subject

    @property
    def waiting(self) -> tuple[Message, ...]:
        """Messages that have arrived and are not handled."""
        return tuple(self._queue)

    def offer(self, message: Message) -> None:
        """Queue a message that has arrived."""
        waiting = self._waiting_bytes + len(message.payload) + MESSAGE_OVERHEAD
        if waiting > self._limit:
            self._drop()
            return
        self._waiting_bytes = waiting
        self._queue.append(message)
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _drop(self) -> None:
        self._dropped += 1
        if self._dropped == 1:
            detail = (
                f"the handler is too slow: {len(self._queue)} messages wait, the limit of "
                f"{self._limit} bytes is reached, and messages are being dropped (pending_bytes of "
                "the bus sets another limit)"
            )
            self._bus.report(Incident(IncidentKind.GAP, detail, self._subject))

    async def _run(self) -> None:
        queue = self._queue
        handler = self._handler
        handled = 0
        now = self._loop.time
        while True:
            ends_at = now() + _SECONDS_PER_TURN
            while queue:
                message = queue.popleft()
                self._waiting_bytes -= len(message.payload) + MESSAGE_OVERHEAD
                try:
                    result = handler(message)
                    if result is not None and hasattr(result, "__await__"):
                        await result
                except asyncio.CancelledError as error:
                    task = asyncio.current_task()
                    if task is None or task.cancelling():
                        raise
                    # An awaitable of the handler was canceled, not this task.
                    await self._bus.refuse(message, RuntimeError(f"handler was canceled: {error}"))
                except Exception as error:  # noqa: BLE001 - other people's code
                    await self._bus.refuse(message, error)
                handled += 1
                if handled >= _MESSAGES_PER_TURN or now() > ends_at:
                    handled = 0
                    await asyncio.sleep(0)
                    ends_at = now() + _SECONDS_PER_TURN
            if self._dropped:
                dropped, self._dropped = self._dropped, 0
                detail = f"{dropped} messages were dropped, since the handler was too slow"
                self._bus.report(Incident(IncidentKind.GAP, detail, self._subject))
            if self._ending:
                return
            self._waiter = self._loop.create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None

    def leave_out(self, caller: asyncio.Task[object] | None) -> None:
        """Do not wait for the handler if ``caller`` is the handler itself."""
        self._asked_from_handler = self._asked_from_handler or caller is self._task

    def _is_caller(self) -> bool:
        return self._asked_from_handler or self._task is asyncio.current_task()

    async def stop(self) -> None:
        """Handle what has already arrived, then end. Stopping twice has no effect."""
        if not self._left:
            self._left = True
            await self._leave(self)
        await self.finish(self._timeout)

    async def finish(self, timeout_seconds: float) -> None:
        """Handle the waiting messages and end; after a timeout the rest is reported as a gap."""
        self._left = self._ending = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        if self._is_caller():
            return  # The handler stops its own subscription, which ends when the handler returns.
        done, _ = await asyncio.wait({self._task}, timeout=timeout_seconds)
        if not done:
            detail = (
                f"stopped after {timeout_seconds:g} s with a handler still busy and "
                f"{len(self._queue)} messages waiting (drain_timeout_seconds of the bus sets "
                "another limit)"
            )
            self._bus.report(Incident(IncidentKind.GAP, detail, self._subject))
            await self.abort()

    async def abort(self) -> None:
        """End at once; waiting messages are not handled."""
        self._left = self._ending = True
        self._queue.clear()
        if not (self._is_caller() or self._task.done()):
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=1.0)
