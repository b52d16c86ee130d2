"""Closes connections that only cost: idle ones, and those that send much and read nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Any

__all__ = ["ConnectionLimits"]

IDLE_SECONDS = 10.0
"""A connection without a request is closed after this; a half of a request is none."""
MOST_UNREAD = 4 * 1024 * 1024
"""Bytes that wait for a caller: answers of services stop far below, those to pings do not."""
_EVERY_SECONDS = 0.25


class ConnectionLimits:
    """Watches the connections of uvicorn, which has no such limits of its own.

    Args:
        connections: Returns the protocols of the open connections.
    """

    def __init__(self, connections: Callable[[], Collection[Any]]) -> None:
        self._connections = connections
        self._idle: dict[int, float] = {}

    async def run(self) -> None:
        """Watch until cancelled."""
        while True:
            self.look(asyncio.get_running_loop().time())
            await asyncio.sleep(_EVERY_SECONDS)

    def look(self, now: float) -> None:
        """Close what is over a limit.

        Args:
            now: A time in seconds.
        """
        idle: dict[int, float] = {}
        for each in list(self._connections()):
            if each.transport is None or each.transport.is_closing():
                continue
            if each.transport.get_write_buffer_size() > MOST_UNREAD:
                each.transport.abort()
            elif not _is_answering(each):
                since = idle[id(each)] = self._idle.get(id(each), now)
                if now - since > IDLE_SECONDS:
                    each.transport.close()
        self._idle = idle


def _is_answering(protocol: Any) -> bool:
    """Return whether a request is under way: HTTP/2 has several, and HTTP/1 one."""
    cycles = getattr(protocol, "cycles", None)
    if cycles is not None:
        return bool(cycles)
    cycle = getattr(protocol, "cycle", None)
    return cycle is not None and not cycle.response_complete
