"""Stop requests from signals: the first drains, the second exits at once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import TypeVar

__all__ = ["Stop", "stop_signals", "unless_stopped"]

_SECOND_EXIT_CODE = 130
_T = TypeVar("_T")


class Stop:
    """A stop request."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()
        self._callbacks: list[Callable[[], None]] = []

    @property
    def asked(self) -> bool:
        """Whether a stop was requested."""
        return self._asked.is_set()

    def ask(self) -> None:
        """Request a stop; repeated calls have no effect."""
        if not self._asked.is_set():
            self._asked.set()
            for callback in self._callbacks:
                callback()

    def on_ask(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` on a request."""
        self._callbacks.append(callback)
        if self.asked:
            callback()

    async def wait(self) -> None:
        """Wait for a request."""
        await self._asked.wait()


async def unless_stopped(stop: Stop, work: Coroutine[object, object, _T]) -> _T:
    """Await something, such as a connection, and abort on a stop request.

    Raises:
        KeyboardInterrupt: A stop was requested.
    """
    working = asyncio.ensure_future(work)
    asked = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, asked}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise KeyboardInterrupt
    finally:
        for task in (working, asked):
            task.cancel()
        await asyncio.gather(working, asked, return_exceptions=True)


@contextmanager
def stop_signals(at_once: Callable[[], None] = lambda: None) -> Iterator[Stop]:
    """Turn SIGINT and SIGTERM into a `Stop`; a second signal exits at once.

    Args:
        at_once: Called before an immediate exit, to kill child processes.
    """
    stop = Stop()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if stop.asked:
            at_once()
            sys.stdout.flush()
            # Not sys.exit: the second signal must also cut off handlers, drains and threads.
            os._exit(_SECOND_EXIT_CODE)
        stop.ask()

    numbers = (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, on_signal)
    try:
        yield stop
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


async def stop_when_input_ends(stop: Stop) -> None:
    """Request a stop when standard input closes, which means that the parent is gone."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    while await reader.read(4096):
        continue
    stop.ask()
