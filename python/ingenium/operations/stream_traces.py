"""Find the traces of events that the streams of a running app still hold."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from ingenium.bus import NatsBus
from ingenium.bus.nats.direct_reader import DirectReader
from ingenium.bus.nats.stream_layout import DATA_STREAM, MONEY_STREAM
from ingenium.errors import NoListenerError, StreamError
from ingenium.events import DataEvent
from ingenium.recorder.trace_event import TraceEvent, trace_event
from ingenium.recorder.trace_tree import Hop, TraceEvents, TraceTree
from ingenium.subjects.names import data_subject
from ingenium.telemetry.trace_context import trace_id_of

__all__ = ["HeldMarketData", "stream_trace"]


async def stream_trace(bus: NatsBus, identifier: str) -> Hop:
    """Return the trace of an event.

    Args:
        bus: A connection with the rights of a reader.
        identifier: Id of an event, or a trace id.

    Raises:
        StreamError: The server keeps no streams.
        RecorderError: The streams have no such event.
        BusError: The server does not answer, or denies reading.
    """
    if not bus.client.has_jetstream:
        raise StreamError(
            f"the server at {bus.url} keeps no streams (JetStream is off), so it remembers "
            "nothing: record the app, and trace from the record"
        )
    found = [*await _read(bus, DATA_STREAM.name), *await _read(bus, MONEY_STREAM.name)]
    data = [each for each in found if each.type == DataEvent.__name__]
    others = (each for each in found if each.type != DataEvent.__name__)
    return TraceTree(TraceEvents(others, is_live=True), HeldMarketData(data)).of(identifier)


async def _read(bus: NatsBus, name: str) -> list[TraceEvent]:
    reader, found, first = DirectReader(bus, name), list[TraceEvent](), 1
    reader.open()
    try:
        while kept := await reader.read(first):
            found += [trace_event(name, each) for each in kept]
            first = kept[-1].sequence + 1
    except NoListenerError:
        return []
    finally:
        reader.close()
    return found


class HeldMarketData:
    """Market data in memory; see `ingenium.recorder.trace_tree.MarketData`.

    Args:
        events: The events, in the order in which the stream stored them.
    """

    def __init__(self, events: Sequence[TraceEvent]) -> None:
        self._events = events
        self._received = [each.received for each in events]

    def with_id(self, identifier: str, near: int | None = None) -> TraceEvent | None:
        """Return the event of an id."""
        return next((each for each in self._events if each.id == identifier), None)

    def of_trace(self, trace_id: str) -> TraceEvent | None:
        """Return the event whose id gives this trace id."""
        found = (
            each
            for each in self._events
            if trace_id_of(each.id) == trace_id or each.trace_id == trace_id
        )
        return next(found, None)

    def before(self, event: TraceEvent, symbol: str, most: int) -> Sequence[TraceEvent]:
        """Return the events that were there when another was sent, the latest first."""
        end = bisect_right(self._received, event.received)
        subject = data_subject(symbol) if symbol else ""
        found = (
            each for each in reversed(self._events[:end]) if not subject or each.subject == subject
        )
        return [each for each, _ in zip(found, range(most), strict=False)]

    def nearest(self, symbol: str, received: int) -> TraceEvent | None:
        """Return the event of a symbol that was stored nearest to a time in nanoseconds."""
        subject = data_subject(symbol)
        return min(
            (each for each in self._events if each.subject == subject),
            key=lambda each: abs(each.received - received),
            default=None,
        )
