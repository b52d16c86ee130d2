"""Subscriptions to typed events, with a handler or as an async iterator."""

from __future__ import annotations

import asyncio
import contextlib
import warnings
from collections import deque
from collections.abc import Awaitable, Callable, Generator
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from ingenium.bus.base import Message, MessageHandler, Subscription
from ingenium.bus.envelope import source_of, unpack
from ingenium.bus.subscription import ReportingBus
from ingenium.errors import BusError, DecodeError
from ingenium.subjects.names import share_subject

__all__ = ["EventBuffer", "EventHandler", "EventSubscription", "receiver"]

EventT = TypeVar("EventT")
EventHandler = Callable[[EventT], Awaitable[None] | None]

_ROOM = 1024


class EventBuffer(Generic[EventT]):
    """Buffer between a subscription and the loop that iterates over it.

    A full buffer makes the subscription wait, so that waiting messages are counted and limited in
    one place only.
    """

    def __init__(self) -> None:
        self._events: deque[EventT] = deque()
        self._getter: asyncio.Future[None] | None = None
        self._putter: asyncio.Future[None] | None = None
        self._room = float(_ROOM)
        self._ended = False
        self._error: BusError | None = None

    def put(self, event: EventT) -> Awaitable[None] | None:
        """Add an event; await the result before adding the next one."""
        self._events.append(event)
        _wake(self._getter)
        return self._wait_for_room() if len(self._events) >= self._room else None

    async def _wait_for_room(self) -> None:
        while len(self._events) >= self._room:
            self._putter = asyncio.get_running_loop().create_future()
            await self._putter

    async def get(self) -> EventT:
        """Return the next event.

        Raises:
            StopAsyncIteration: There are no more events.
            BusClosedError: There are no more events, since the connection was lost for good.
        """
        while not self._events:
            if self._error is not None:
                raise self._error
            if self._ended:
                raise StopAsyncIteration
            self._getter = asyncio.get_running_loop().create_future()
            await self._getter
        event = self._events.popleft()
        _wake(self._putter)
        return event

    def open_wide(self) -> None:
        """Stop limiting the buffer: the subscription is ending, and the loop may be gone."""
        self._room = float("inf")
        _wake(self._putter)

    def end(self, error: BusError | None = None) -> None:
        """End the loop after the buffered events, with ``error`` if given."""
        self.open_wide()
        self._ended = True
        self._error = error
        _wake(self._getter)


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(None)


def receiver(
    bus: ReportingBus,
    event_type: type[EventT],
    symbol: str | None,
    handler: EventHandler[EventT],
) -> MessageHandler:
    """Return a message handler that decodes events and passes them on.

    Args:
        bus: Receives payloads that cannot be read.
        event_type: Type of the events.
        symbol: Only events of this symbol, case-sensitive if the sender states its name; ``None``
            for all.
        handler: Receives the events.
    """

    def receive(message: Message) -> Awaitable[None] | None:
        try:
            event = unpack(event_type, message)
        except DecodeError as error:
            return bus.refuse(message, error)
        # Subjects are lower case, so two symbols may share a subject.
        if symbol is None or (found := getattr(event, "symbol", symbol)) == symbol:
            return handler(event)
        # A sender without a name, such as the original Go library, knows only the subject.
        if source_of(message) or not share_subject(symbol, found):
            return None
        return handler(event)

    return receive


class EventSubscription(Generic[EventT]):
    """Subscription to events of one type; created by `EventBus.subscribe`.

    Await it, or use ``async with``, to subscribe before continuing. Iterating with ``async for``
    subscribes on the first step otherwise.
    """

    def __init__(
        self,
        open_: Callable[[MessageHandler], Awaitable[Subscription]],
        make_receiver: Callable[[EventHandler[EventT]], MessageHandler],
        handler: EventHandler[EventT] | None,
        on_buffer: Callable[[EventBuffer[Any]], None],
    ) -> None:
        self._open = open_
        self._make_receiver = make_receiver
        self._handler = handler
        self._on_buffer = on_buffer
        self._buffer: EventBuffer[EventT] | None = None
        self._subscription: Subscription | None = None
        self._starting = asyncio.Lock()
        self._stopped = False

    async def _start(self) -> Self:
        async with self._starting:
            if self._subscription is None and not self._stopped:
                if self._handler is None:
                    # The bus references the buffer and not this object, so that leaving a loop
                    # frees this object and ends the subscription.
                    self._buffer = EventBuffer()
                    self._on_buffer(self._buffer)
                    deliver: EventHandler[EventT] = self._buffer.put
                else:
                    deliver = self._handler
                self._subscription = await self._open(self._make_receiver(deliver))
        return self

    def __await__(self) -> Generator[Any, None, Self]:
        return self._start().__await__()

    async def __aenter__(self) -> Self:
        """Subscribe."""
        return await self._start()

    async def __aexit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    def __aiter__(self) -> Self:
        if self._handler is not None:
            raise TypeError("a subscription with a handler cannot be iterated over: leave it out")
        return self

    async def __anext__(self) -> EventT:
        """Return the next event.

        Raises:
            StopAsyncIteration: The subscription was stopped, or this program closed the bus.
            BusClosedError: The connection is gone for good.
        """
        buffer = self._buffer
        if buffer is None:
            await self._start()
            buffer = self._buffer
            if buffer is None:
                raise StopAsyncIteration
        return await buffer.get()

    async def stop(self) -> None:
        """Handle what has already arrived, then end. Stopping twice has no effect.

        An iterating loop still receives the buffered events, and then ends.
        """
        self._stopped = True
        if self._buffer is not None:
            self._buffer.open_wide()
        if self._subscription is not None:
            await self._subscription.stop()
        if self._buffer is not None:
            self._buffer.end()

    def __del__(self) -> None:
        if self._stopped:
            return
        if self._subscription is None:
            if self._handler is not None:
                text = "a subscription with a handler was never awaited: write await bus.subscribe"
                warnings.warn(text, RuntimeWarning, source=self, stacklevel=1)
            return
        if self._handler is None:
            # The events have no receiver any more. Without a running loop the bus is gone too.
            with contextlib.suppress(RuntimeError):
                _stop_later(self._subscription, self._buffer)


_stopping: set[asyncio.Task[None]] = set()


def _stop_later(subscription: Subscription, buffer: EventBuffer[Any] | None) -> None:
    loop = asyncio.get_running_loop()
    if buffer is not None:
        buffer.open_wide()

    async def stop() -> None:
        with contextlib.suppress(BusError):
            await subscription.stop()

    task = loop.create_task(stop())
    _stopping.add(task)
    task.add_done_callback(_stopping.discard)
