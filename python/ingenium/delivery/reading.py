"""Reads market data from its stream, which may vanish with the server that keeps it in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing

from ingenium.bus.contract import Bus, Incident, IncidentKind
from ingenium.bus.stream import Stream, StreamState
from ingenium.delivery.arrivals import Data
from ingenium.delivery.store import Position
from ingenium.delivery.stream_clock import StreamClock
from ingenium.errors import BusTimeoutError, StreamError

__all__ = ["OpenStream", "read_data"]

OpenStream = Callable[[], Awaitable[Stream]]
_PAUSE_SECONDS = 0.25


async def read_data(
    bus: Bus,
    open_stream: OpenStream,
    subjects: Sequence[str],
    known: Position | None,
    clock: StreamClock,
    on_begin: Callable[[], None] = lambda: None,
) -> AsyncGenerator[Data, None]:
    """Yield market data, without an end.

    Args:
        bus: Takes incidents: what may have been missed is a gap.
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
            after = _start(bus, state, known, stream.name)
            known = Position(stream.name, state.created, after)
            on_begin()
            async with aclosing(stream.read(subjects, after)) as records:
                async for record in records:
                    known = Position(stream.name, state.created, record.sequence)
                    yield Data(record.message, known, record.time)
        except BusTimeoutError:
            await asyncio.sleep(_PAUSE_SECONDS)
        except StreamError:
            # Gone with its server, or made anew; the next round says what is missing.
            await asyncio.sleep(_PAUSE_SECONDS)


def _start(bus: Bus, state: StreamState, known: Position | None, name: str) -> int:
    """Return behind which message to read, and report what is missing before it."""
    if known is None:
        return state.last
    if known.created != state.created:
        _report(bus, f"stream {name} was made anew: data between the two is missing")
        # All that it holds came after it was made.
        return state.first - 1
    if state.last < known.sequence:
        _report(bus, f"stream {name} has lost its end: data is missing")
        return state.last
    if state.first > known.sequence + 1:
        missing = state.first - known.sequence - 1
        _report(bus, f"{missing} messages fell out of stream {name} before they were read")
        return state.first - 1
    return known.sequence


def _report(bus: Bus, text: str) -> None:
    bus.report(Incident(IncidentKind.GAP, text))
