"""Progress of a component since its start, for status messages and metrics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from ingenium.events import DataEvent, Event, OrderEvent, ReplaceEvent, SignalEvent

__all__ = ["HURRIED", "Observation", "Progress"]

HURRIED = (SignalEvent, OrderEvent, ReplaceEvent)
"""Events that are acted upon only for a limited time after their cause."""


class Observation(msgspec.Struct):
    """The status of a component at one moment.

    Attributes:
        now: Time of the observation, UTC, by the clock that judges the component's messages.
        offset: Sequence of the last message of the stream of orders that it handled; ``None``
            where it reads none.
        data_offset: The same for the stream of market data.
        outbox: Messages of the component that the server has not acknowledged.
        waiting: Messages that have reached it and are not handled.
        lag_seconds: Age of the oldest message that waits or is being handled, by the server's
            clock; 0 without any; ``None`` when unknown.
            problem: The problem to show to an operator, in words; empty without any.
    """

    now: datetime
    offset: int | None = None
    data_offset: int | None = None
    outbox: int = 0
    waiting: int = 0
    lag_seconds: float | None = None
    problem: str = ""


class Progress:
    """Counts the events that a component handles and sends.

    Updated for each event, so it has plain attributes only.

    Attributes:
        handled: Events handled since the start.
        sent: Events sent since the start.
        late: Signals and orders that came too late to be acted upon.
        last_event: Type of the last handled event; of the last sent one for a component that
            handles none. ``None`` before the first.
        last_symbol: Its symbol; empty if it has none.
        last_time: When that was, UTC; ``None`` before the first.
        data_times: When the last market data of each symbol was handled, UTC.
        cause_age_seconds: Age of the bar that caused the last signal or order, when that was
            handled or sent; ``None`` when unknown.
        handling: Type of the event that is being handled; ``None`` between events.
        handling_since: When its handling began; only meaningful with `handling`.
        handling_kept_at: When the server kept it; ``None`` if no stream has it.
        on_sent: Called with sent events and the age of their cause in seconds, for metrics;
            ``None`` for no call.
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
        "on_sent",
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
        self.on_sent: Callable[[Sequence[Event], float], None] | None = None

    def begin(self, event: Event, now: datetime, kept_at: datetime | None = None) -> None:
        """Record that the handling of an event begins.

        Args:
            event: The event.
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
        """Record that the handling has ended, with or without an error."""
        self.handling = None
        self.handled += 1

    def send(self, events: Sequence[Event], now: datetime, cause: datetime | None) -> None:
        """Record sent events.

        Args:
            events: The events.
            now: The present time, UTC.
            cause: When their cause was known; ``None`` if unknown.
        """
        self.sent += len(events)
        if cause is not None and any(isinstance(event, HURRIED) for event in events):
            seconds = self.cause_age_seconds = (now - cause).total_seconds()
            if self.on_sent is not None:
                self.on_sent(events, seconds)

    def ingest(self, event: Event, now: datetime) -> None:
        """Record an event that an ingestor has sent."""
        self.sent += 1
        self.last_event = event.__class__
        self.last_symbol = getattr(event, "symbol", "")
        self.last_time = now
