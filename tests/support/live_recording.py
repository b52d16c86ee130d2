"""A recorded live run without a server: the events of a backtest, as streams would have them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ingenium import App
from ingenium.backtest import run
from ingenium.bus.base import Message
from ingenium.bus.envelope import unpack
from ingenium.bus.headers import RawHeaders
from ingenium.bus.nats.direct_reader import KeptMessage
from ingenium.clock import format_time
from ingenium.events import DataEvent, ExecutionEvent, OrderEvent, SignalEvent, encode
from ingenium.recorder.backtest_recording import digested_events
from ingenium.recorder.batch import RecordedStream, WriteBatch
from ingenium.recorder.database import Database
from ingenium.recorder.instants import datetime_of, nanoseconds
from ingenium.recorder.open_writer import open_writer
from ingenium.recorder.runs import LIVE, begin_run
from ingenium.recorder.trading_rows import TradingRows
from ingenium.recorder.typed_rows import TypedRows
from ingenium.runtime.durable.causes import CAUSE_TIME
from ingenium.runtime.replay import time_of
from ingenium.subjects.names import event_type_of, subject_of

__all__ = ["LiveEvent", "events_of", "record_live_run"]

_NO_HEADERS = RawHeaders(b"NATS/1.0\r\n\r\n")
_MILLISECOND = 1_000_000
_DELAYS = {SignalEvent: 2, OrderEvent: 4, ExecutionEvent: 6}


@dataclass
class LiveEvent:
    """An event, when its stream stored it, and the bar behind it.

    Attributes:
        event: The event.
        received: In nanoseconds since 1970.
        cause: When the strategies' stream stored the bar; 0 for events without such a cause.
    """

    event: Any
    received: int
    cause: int = 0


@dataclass
class _Events:
    found: list[LiveEvent] = field(default_factory=list)
    last: dict[str, int] = field(default_factory=dict)

    def add(self, lines: bytes) -> None:
        for subject, payload in digested_events(lines):
            kind = event_type_of(subject)
            assert kind is not None
            event: Any = unpack(kind, Message(subject, payload, _NO_HEADERS))
            if isinstance(event, DataEvent):
                # It arrives 3 ms after its end.
                received = nanoseconds(time_of(event)) + 3 * _MILLISECOND
                self.last[event.symbol] = received
                self.found.append(LiveEvent(event, received))
                continue
            bar = self.last[event.symbol]
            received = bar + _DELAYS.get(kind, 5) * _MILLISECOND
            if isinstance(event, SignalEvent | OrderEvent):
                # The clock, and ids that nobody can derive. Strategies have a stream of their own,
                # which stored the bar a little earlier.
                event.timestamp = datetime_of(received - _MILLISECOND)
                event.id = f"{event.id}_live"
                self.found.append(LiveEvent(event, received, bar - 40_000))
            else:
                if isinstance(event, ExecutionEvent):
                    event.order_id = f"{event.order_id}_live"
                self.found.append(LiveEvent(event, received))


def events_of(app: App) -> list[LiveEvent]:
    """Return what an app would send live that is as fast as in its backtest."""
    events = _Events()
    run(app, on_lines=events.add)
    return events.found


def record_live_run(
    place: str, app: str, events: list[LiveEvent], settings: Mapping[str, Any]
) -> Database:
    """Record events as those of a live run."""
    database = Database(place)
    database.migrate()
    begin_run(database, app, LIVE, settings)
    writer = open_writer(database, app)
    rows = TypedRows(TradingRows(app, {}, {}))
    for name in ("INGENIUM_DATA", "INGENIUM"):
        stream = RecordedStream(app, name)
        writer.claim(stream)
        own = [e for e in events if isinstance(e.event, DataEvent) is (name == "INGENIUM_DATA")]
        batch = WriteBatch(stream.label, 0, len(own), 1)
        for number, each in enumerate(sorted(own, key=lambda e: e.received), 1):
            headers = b""
            if each.cause:
                text = format_time(datetime_of(each.cause))
                headers = f"NATS/1.0\r\n{CAUSE_TIME}: {text}\r\n\r\n".encode()
            subject = subject_of(each.event)
            kept = KeptMessage(number, each.received, subject, headers, encode(each.event))
            rows.add(batch.rows, batch.stream, kept)
        writer.write(batch)
    writer.close()
    return database
