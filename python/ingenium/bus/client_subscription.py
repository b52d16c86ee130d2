"""A subscription to typed events: with a handler, or as something to iterate over."""

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
    """Events between a subscription and the loop that iterates over it.

    When it is full it makes the subscription wait, so that what piles up does so in one place,
    where it is counted and limited.
    """

    def __init__(self) -> None:
        self._events: deque[EventT] = deque()
        self._getter: asyncio.Future[None] | None = None
        self._putter: asyncio.Future[None] | None = None
        self._room = float(_ROOM)
        self._ended = False
        self._error: BusError | None = None

    def put(self, event: EventT) -> Awaitable[None] | None:
        """Take an event; what is returned is to be awaited before the next one."""
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
            StopAsyncIteration: There will be none.
            BusClosedError: There will be none, since the connection was lost for good.
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
        """Let nobody wait for room any more: the end is near, and the loop may be gone."""
        self._room = float("inf")
        _wake(self._putter)

    def end(self, error: BusError | None = None) -> None:
        """Let the loop end after the events that are here, with ``error`` if there is one."""
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
    """Make the handler of messages that hands on what it reads in them.

    Args:
        bus: Takes what cannot be read.
        event_type: What the messages hold.
        symbol: Only events of this symbol, its case as given unless the sender does not say who it
            is; ``None`` for all.
        handler: Gets the events.
    """

    def receive(message: Message) -> Awaitable[None] | None:
        try:
            event = unpack(event_type, message)
        except DecodeError as error:
            return bus.refuse(message, error)
        # Subjects are in lower case: two symbols may share one.
        if symbol is None or (found := getattr(event, "symbol", symbol)) == symbol:
            return handler(event)
        # One who does not say who he is, as the original Go library, knows only the subject.
        if source_of(message) or not share_subject(symbol, found):
            return None
        return handler(event)

    return receive


class EventSubscription(Generic[EventT]):
    """A subscription to events of one type; made by `EventBus.subscribe`.

    Await it, or enter it with ``async with``, to be subscribed before going on. Iterate over it
    with ``async for``; the first step subscribes, where that was not done before.
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
                    # The bus holds the buffer and not this object, so that a loop that is left
                    # lets go of it, and the subscription ends.
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
            StopAsyncIteration: The subscription was stopped, or the bus closed by this program.
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
        """Handle what has already arrived, then end. Stopping twice does no harm.

        A loop over it still gets the events that are here, and then ends.
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
            # Nobody can get its events any more. Without a running loop the bus is gone too.
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
