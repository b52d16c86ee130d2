"""Queue of the events that have reached a component and wait for their turn."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import datetime

import msgspec

from ingenium.bus.base import Message
from ingenium.bus.stream import Record
from ingenium.runtime.durable.store import StreamPosition
from ingenium.runtime.pause import Pause

__all__ = ["ExternalChange", "Inbox", "Data"]

_LIMIT = 1024


class Data(msgspec.Struct, frozen=True):
    """Market data that has arrived.

    Attributes:
        message: The message.
        position: Its position in its stream; ``None`` from a plain bus.
        kept_at: When the stream kept it, UTC, by the server's clock; ``None`` from a plain bus.
    """

    message: Message
    position: StreamPosition | None = None
    kept_at: datetime | None = None


class ExternalChange(msgspec.Struct):
    """An action of a component outside of the bus, to be committed."""

    cause: str
    act: Callable[[], None]
    done: asyncio.Future[None]


class Inbox:
    """Three queues with one reader: external changes, the stream of orders, market data.

    Orders never wait behind market data. The writer of a full queue waits. During a pause only
    external changes are taken: a halt, and what has happened at a broker.

    Attributes:
        pause: Pause of the component.
    """

    def __init__(self) -> None:
        self.acts: deque[ExternalChange] = deque()
        self.records: deque[Record] = deque()
        self.data: deque[Data] = deque()
        self._woken = asyncio.Event()
        self._room = asyncio.Event()
        self.pause = Pause(self.wake)

    def __bool__(self) -> bool:
        """Whether anything is to be handled now."""
        return bool(self.acts or (not self.pause.is_on and (self.records or self.data)))

    def __len__(self) -> int:
        return len(self.acts) + len(self.records) + len(self.data)

    def oldest(self) -> datetime | None:
        """Return when the server kept the oldest message that waits; ``None`` if none does."""
        found = [self.records[0].time] if self.records else []
        if self.data and (kept_at := self.data[0].kept_at) is not None:
            found.append(kept_at)
        return min(found, default=None)

    async def put_record(self, record: Record) -> None:
        """Add a message of the stream."""
        await self._put(self.records, record)

    async def put_data(self, data: Data) -> None:
        """Add market data."""
        await self._put(self.data, data)

    def put_act(self, act: ExternalChange) -> None:
        """Add an external change."""
        self.acts.append(act)
        self._woken.set()

    def wake(self) -> None:
        """Wake the reader, although nothing was added."""
        self._woken.set()

    async def _put(self, queue: deque[Record] | deque[Data], item: object) -> None:
        while len(queue) >= _LIMIT:
            self._room.clear()
            await self._room.wait()
        queue.append(item)  # type: ignore[arg-type]
        self._woken.set()

    def next(self) -> ExternalChange | Record | Data | None:
        """Take the most urgent item; ``None`` when nothing waits."""
        queues = (self.acts,) if self.pause.is_on else (self.acts, self.records, self.data)
        for queue in queues:
            if queue:
                self._room.set()
                return queue.popleft()
        return None

    def skip_data(self, before: datetime) -> int:
        """Drop market data from before a time, where newer data of the same subject waits.

        Returns:
            How much was dropped.
        """
        data = self.data
        if not data or data[0].kept_at is None or data[0].kept_at >= before:
            return 0
        newest = {each.message.subject: each for each in data}
        kept = [
            each
            for each in data
            if each.kept_at is None
            or each.kept_at >= before
            or newest[each.message.subject] is each
        ]
        dropped = len(data) - len(kept)
        if dropped:
            data.clear()
            data.extend(kept)
            self._room.set()
        return dropped

    async def wait(self, seconds: float | None = None) -> None:
        """Wait until an item arrives.

        Args:
            seconds: The maximum time.
        """
        if self:
            return
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            pass
        self._woken.clear()
