"""What a component has done since its start, for status messages and metrics."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from ingenium.events import DataEvent, Event, OrderEvent, ReplaceEvent, SignalEvent

__all__ = ["HURRIED", "Observation", "Progress"]

HURRIED = (SignalEvent, OrderEvent, ReplaceEvent)
"""What is only acted upon for a while after its cause."""


class Observation(msgspec.Struct):
    """How a component stands at one moment.

    Attributes:
        now: When it was observed, UTC, by the clock that the component's messages are judged by.
        offset: Sequence of the last message of the stream of orders that it handled; ``None``
            where it reads none.
        data_offset: The same for the stream of market data.
        outbox: Messages that it has made and the server has not acknowledged.
        waiting: Messages that have reached it and are not handled.
        lag_seconds: Age of the oldest message that waits or is being handled, by the server's
            clock; 0 when none is; ``None`` when that is not known.
        problem: What a person should know, in words; empty for nothing.
    """

    now: datetime
    offset: int | None = None
    data_offset: int | None = None
    outbox: int = 0
    waiting: int = 0
    lag_seconds: float | None = None
    problem: str = ""


class Progress:
    """Counts what a component handles and sends.

    Written for each event, so it holds plain attributes and no more.

    Attributes:
        handled: Events handled since the start.
        sent: Events sent since the start.
        late: Signals and orders that came too late to be acted upon.
        last_event: Type of the last event that was handled; for one that handles none, that was
            sent. ``None`` before the first.
        last_symbol: Its symbol; empty if it has none.
        last_time: When that was, UTC; ``None`` before the first.
        data_times: When the last market data of each symbol was handled, UTC.
        cause_age_seconds: Age of the bar that the last signal or order goes back to, when that was
            handled or sent; ``None`` when that is not known.
        handling: Type of the event that is being handled; ``None`` between events.
        handling_since: When its handling began; only meaningful with `handling`.
        handling_kept_at: When the server kept it; ``None`` if no stream has it.
    """

    __slots__ = (
        "cause_age_seconds",
        "data_times",
        "handled",
        "handling",
        "handling_kept_at",
        "handling_since",
        "last_event",
        "last_symbol",
        "last_time",
        "late",
        "sent",
    )

    def __init__(self) -> None:
        self.handled = 0
        self.sent = 0
        self.late = 0
        self.last_event: type[Event] | None = None
        self.last_symbol = ""
        self.last_time: datetime | None = None
        self.data_times: dict[str, datetime] = {}
        self.cause_age_seconds: float | None = None
        self.handling: type[Event] | None = None
        self.handling_since: datetime | None = None
        self.handling_kept_at: datetime | None = None

    def begin(self, event: Event, now: datetime, kept_at: datetime | None = None) -> None:
        """Take note that the handling of an event begins.

        Args:
            event: Which.
            now: The present time, UTC.
            kept_at: When the server kept it, by its clock; ``None`` if no stream has it.
        """
        self.handling = self.last_event = event.__class__
        self.last_symbol = getattr(event, "symbol", "")
        self.handling_since = self.last_time = now
        self.handling_kept_at = kept_at
        if event.__class__ is DataEvent:
            self.data_times[self.last_symbol] = now

    def end(self) -> None:
        """Take note that it is over, however it ended."""
        self.handling = None
        self.handled += 1

    def send(self, events: Sequence[Event], now: datetime, cause: datetime | None) -> None:
        """Take note of what was sent.

        Args:
            events: What.
            now: The present time, UTC.
            cause: Since when what they go back to is known; ``None`` if that is not known.
        """
        self.sent += len(events)
        if cause is not None and any(isinstance(event, HURRIED) for event in events):
            self.cause_age_seconds = (now - cause).total_seconds()

    def ingest(self, event: Event, now: datetime) -> None:
        """Take note of what an ingestor has sent."""
        self.sent += 1
        self.last_event = event.__class__
        self.last_symbol = getattr(event, "symbol", "")
        self.last_time = now
