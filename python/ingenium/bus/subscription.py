"""What both buses share: incidents, and the queue and task behind each subscription."""

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
"""Bytes that a waiting message takes beside its payload: its object, subject and headers."""

# A handler that never waits would otherwise keep everything else in the process from running
# while it works through a backlog.
_MESSAGES_PER_TURN = 128
_SECONDS_PER_TURN = 0.02


class ReportingBus(Bus):
    """The part of a bus that tells people and callbacks what went wrong.

    Args:
        name: Of the connection; dead letters carry it as their component's.
        clock: Tells the time of dead letters; the machine's when left out.
        content_type: The form in which events are published.
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
        """The form in which events are published here."""
        return self._content_type

    @abstractmethod
    def hand_over(
        self, subject: str, payload: bytes, headers: Mapping[str, str] | None = None
    ) -> Awaitable[None] | None:
        """Do as `publish`, without a coroutine where nothing has to be waited for.

        Returns:
            What to await before the next message, if anything.
        """

    async def publish(
        self, subject: str, payload: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        """Hand a message to the bus; see `Bus.publish`.

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
        """Call ``callback`` no more."""
        self._callbacks = [known for known in self._callbacks if known != callback]

    def report(self, incident: Incident) -> None:
        """Log an incident and hand it to the callbacks."""
        self._incidents.write(incident)
        for callback in self._callbacks:
            try:
                callback(incident)
            except Exception:  # noqa: BLE001 - other people's code
                _log.exception("a callback for incidents failed")

    async def refuse(self, message: Message, error: Exception) -> None:
        """Report what a handler could not take, and send it on as a dead letter."""
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
        """Do as `refuse`, from where nothing can be awaited."""
        task = asyncio.get_running_loop().create_task(self.refuse(message, error))
        self._letters.add(task)
        task.add_done_callback(self._letters.discard)


class QueuedSubscription(Subscription):
    """Hands messages to a handler, one at a time and in the order of their arrival.

    Args:
        bus: Takes the incidents.
        subject: What was subscribed to.
        handler: Plain or async.
        limit_bytes: How much may wait; what arrives beyond it is dropped and reported.
        leave: Ends the arrival of messages; when it returns, all have arrived.
        timeout_seconds: How long `stop` waits for the handler.
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
        """What has arrived and is not handled."""
        return tuple(self._queue)

    def offer(self, message: Message) -> None:
        """Take a message that has arrived."""
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
                    # Something that the handler waited for was canceled, not this task.
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
        """Do not wait for the handler if ``caller``, who wants the end, is the handler itself."""
        self._asked_from_handler = self._asked_from_handler or caller is self._task

    def _is_caller(self) -> bool:
        return self._asked_from_handler or self._task is asyncio.current_task()

    async def stop(self) -> None:
        """Handle what has already arrived, then end. Stopping twice does no harm."""
        if not self._left:
            self._left = True
            await self._leave(self)
        await self.finish(self._timeout)

    async def finish(self, timeout_seconds: float) -> None:
        """Handle what waits, and end; what is not handled in time is reported as a gap."""
        self._left = self._ending = True
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        if self._is_caller():
            return  # Its own handler stops it: it ends when that returns.
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
        """End at once; what waits is not handled."""
        self._left = self._ending = True
        self._queue.clear()
        if not (self._is_caller() or self._task.done()):
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=1.0)
