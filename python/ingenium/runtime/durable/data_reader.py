"""Reads market data from its stream, which may vanish with the server that keeps it in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing

from ingenium.bus.stream import Stream
from ingenium.errors import BusTimeoutError, StreamError
from ingenium.runtime.durable.gaps import Gaps
from ingenium.runtime.durable.inbox import Data
from ingenium.runtime.durable.store import StreamPosition
from ingenium.runtime.durable.stream_clock import StreamClock

__all__ = ["OpenStream", "read_data"]

OpenStream = Callable[[], Awaitable[Stream]]
_PAUSE_SECONDS = 0.25


async def read_data(
    gaps: Gaps,
    open_stream: OpenStream,
    subjects: Sequence[str],
    known: StreamPosition | None,
    clock: StreamClock,
    on_begin: Callable[[], None] = lambda: None,
) -> AsyncGenerator[Data, None]:
    """Yield market data, without an end.

    Args:
        gaps: Says where to go on, and what has been missed.
        open_stream: Makes the stream if it is not there.
        subjects: What is wanted.
        known: How far the component has come; ``None`` for what comes from now on.
        clock: Is told the server's time.
        on_begin: Called when it is known where to begin, so that what comes later is not missed.
    """
    while True:
        try:
            stream = await open_stream()
            asked = asyncio.get_running_loop().time()
            state = await stream.state()
            clock.hear(state.time, asked)
            after = gaps.start(state, known, stream.name)
            if known is None or (known.created, known.sequence) != (state.created, after):
                known = StreamPosition(stream.name, state.created, after)
            on_begin()
            async with aclosing(stream.read(subjects, after)) as records:
                async for record in records:
                    known = StreamPosition(stream.name, state.created, record.sequence, record.mark)
                    yield Data(record.message, known, record.time)
        except BusTimeoutError:
            await asyncio.sleep(_PAUSE_SECONDS)
        except StreamError:
            # Gone with its server, or made anew; the next round says what is missing.
            await asyncio.sleep(_PAUSE_SECONDS)
