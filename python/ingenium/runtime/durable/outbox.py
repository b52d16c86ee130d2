"""Publishes the messages in the outbox of a store until the stream acknowledges them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from ingenium.backoff import Backoff
from ingenium.bus.base import Bus, Incident, IncidentKind, Message
from ingenium.bus.stream import MESSAGE_ID, Appended, Stream
from ingenium.components.failpoints import Pass, Point
from ingenium.errors import BusTimeoutError, EventTooLargeError
from ingenium.runtime.durable.store import Outgoing, Store

__all__ = ["Outbox"]

_log = logging.getLogger("ingenium.runtime.durable")
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0
_SLOW_SECONDS = 5.0
_TOGETHER = 256
_TOGETHER_BYTES = 1_048_576


class Outbox:
    """Publishes in the order of the outbox, with the same id and bytes at each attempt.

    Waiting messages are sent as a batch, and their acknowledgements are awaited together. A message
    that is not acknowledged is then sent alone, and nothing else is until it is kept.

    Whether an unanswered attempt was kept cannot be known, so it is repeated for as long as it
    takes; the stream keeps the message once. A late order is recognized by its deadline.

    Args:
        bus: Receives incidents.
        store: Holds the messages to send.
        stream: The stream to publish to.
        at: Failpoint, called between effects.
    """

    def __init__(self, bus: Bus, store: Store, stream: Stream, at: Pass) -> None:
        self._bus = bus
        self._store = store
        self._stream = stream
        self._at = at
        self._woken = asyncio.Event()
        self._woken.set()
        self._empty = asyncio.Event()

    def wake(self) -> None:
        """Signal that messages were added."""
        self._empty.clear()
        self._woken.set()

    async def run(self) -> None:
        """Publish until canceled.

        Raises:
            BusError: The stream refuses a message permanently.
            StoreError: The store cannot be used.
        """
        while True:
            self._woken.clear()
            while waiting := self._store.outbox(_TOGETHER):
                await self._send_together(waiting)
            self._empty.set()
            await self._woken.wait()

    async def flush(self, seconds: float) -> bool:
        """Wait until the outbox is empty.

        Args:
            seconds: The maximum time.

        Returns:
            Whether it is empty; remaining messages are sent after the next start.
        """
        try:
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True

    async def _send_together(self, waiting: Sequence[Outgoing]) -> None:
        """Send the first batch of waiting messages."""
        waiting = _first_of(waiting)
        answers: list[Appended | None] = [None]
        if len(waiting) > 1:
            answers = await self._stream.append_many([_message(each) for each in waiting])
        kept: list[int] = []
        left: list[Outgoing] = []
        for outgoing, answer in zip(waiting, answers, strict=True):
            if answer is None:
                left.append(outgoing)
            else:
                self._at(Point.SENT)
                kept.append(outgoing.number)
        self._forget(kept)
        for outgoing in left:
            await self._send(outgoing)
            self._at(Point.SENT)
            self._forget([outgoing.number])

    def _forget(self, sent: Sequence[int]) -> None:
        if sent:
            self._store.forget(sent)
            self._at(Point.FORGOTTEN)

    async def _send(self, outgoing: Outgoing) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        backoff = Backoff(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
        warned = False
        message = _message(outgoing)
        while True:
            try:
                await self._stream.append(message.subject, message.payload, message.headers)
            except EventTooLargeError as error:
                self._bus.report(
                    Incident(IncidentKind.HANDLER_ERROR, str(error), outgoing.subject, error)
                )
                return
            except BusTimeoutError as error:
                if not warned and loop.time() - began > _SLOW_SECONDS:
                    warned = True
                    _log.warning(
                        "%s is not acknowledged after %.0f s and is sent again: %s",
                        outgoing.id,
                        loop.time() - began,
                        error,
                    )
                if await self._stream.pause(backoff.next()):
                    backoff.reset()
            else:
                if warned:
                    _log.info("%s is now acknowledged", outgoing.id)
                return


def _message(outgoing: Outgoing) -> Message:
    headers = {**outgoing.headers, MESSAGE_ID: outgoing.id}
    return Message(outgoing.subject, outgoing.payload, headers)


def _first_of(waiting: Sequence[Outgoing]) -> Sequence[Outgoing]:
    """Return the messages that may be in flight together."""
    size = 0
    for place, outgoing in enumerate(waiting):
        size += len(outgoing.payload)
        if place and size > _TOGETHER_BYTES:
            return waiting[:place]
    return waiting
