"""Reads market data from its in-memory stream, which is lost when the server restarts."""

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
    """Yield market data endlessly.

    Args:
        gaps: Resolves where to resume, and reports missed data.
        open_stream: Creates the stream if it does not exist.
        subjects: The wanted subjects.
        known: Position of the component; ``None`` for new data only.
        clock: Updated with the server's time.
        on_begin: Called when the first position is known, so that no later data is missed.
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
            # Gone with its server, or recreated; the next round reports what is missing.
            await asyncio.sleep(_PAUSE_SECONDS)
