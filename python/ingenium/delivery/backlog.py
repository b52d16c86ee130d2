"""What waits for a component: how much, for how long, and what of it is too old to be handled."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

import msgspec

from ingenium.bus.contract import Bus, Incident, IncidentKind
from ingenium.components import Component
from ingenium.delivery.arrivals import Arrivals
from ingenium.delivery.places import remembers
from ingenium.delivery.stream_clock import StreamClock

__all__ = ["Backlog", "BacklogWatch", "report_left"]

_log = logging.getLogger("ingenium.delivery")
_LOOK_SECONDS = 0.5
_BEHIND_SECONDS = 2.0
_CAUGHT_UP_SECONDS = 0.5
_SKIPS_SECONDS = 10.0


class Backlog(msgspec.Struct, frozen=True):
    """What waits for a component.

    Attributes:
        waiting: Events that have arrived and are not handled. More may wait in the stream when
            there are a thousand or more.
        seconds: How long ago the server took the oldest of them; 0 when nothing waits.
        skipped: Events of market data that were passed over since the start, since they were
            older than the component's `max_data_age_seconds` and newer ones had come.
    """

    waiting: int
    seconds: float
    skipped: int = 0


def report_left(bus: Bus, component: Component, arrivals: Arrivals) -> None:
    """Say what a component that stops has not handled.

    Args:
        bus: Takes the incident of what is lost: market data that the component does not read again.
        component: Which.
        arrivals: What is left.
    """
    name = f"{component.role} {component.name!r}"
    if records := len(arrivals.records):
        _log.info("%s stops with %d events that it handles at its next start", name, records)
    if data := len(arrivals.data):
        if remembers(component) and arrivals.data[0].position is not None:
            _log.info("%s stops with %d events of data for its next start", name, data)
        else:
            detail = f"{name} stops behind: {data} events of market data are not handled"
            bus.report(Incident(IncidentKind.GAP, detail))


class BacklogWatch:
    """Says when a component is behind, and when it has caught up; passes over old market data.

    Args:
        component: Whose events wait.
        arrivals: Where they wait.
        clock: The time of the server that keeps the orders.
        data_clock: The time of the server that keeps the market data.
    """

    def __init__(
        self, component: Component, arrivals: Arrivals, clock: StreamClock, data_clock: StreamClock
    ) -> None:
        self._component = component
        self._arrivals = arrivals
        self._clock = clock
        self._data_clock = data_clock
        self._elapsed = asyncio.get_running_loop().time
        self._look_at = 0.0
        self._said = 0.0
        self._skipped = 0
        self._skipped_said = 0
        self._skips_said_at: float | None = None

    @property
    def backlog(self) -> Backlog:
        """What waits now."""
        records, data = self._arrivals.records, self._arrivals.data
        seconds = 0.0
        if records:
            seconds = (self._clock.present() - records[0].time).total_seconds()
        if data and (time := data[0].time) is not None:
            seconds = max(seconds, (self._data_clock.present() - time).total_seconds())
        return Backlog(len(records) + len(data), max(0.0, seconds), self._skipped)

    def skip(self) -> None:
        """Pass over market data that is too old, up to the newest of each subject."""
        limit = self._component.max_data_age_seconds
        if limit is None or not self._arrivals.data:
            return
        self._skipped += self._arrivals.skip_data(
            self._data_clock.present() - timedelta(seconds=limit)
        )

    def look(self) -> None:
        """Say it when the component falls behind, gets further behind, or has caught up."""
        now = self._elapsed()
        if now < self._look_at:
            return
        self._look_at = now + _LOOK_SECONDS
        backlog = self.backlog
        name = f"{self._component.role} {self._component.name!r}"
        if backlog.seconds > max(_BEHIND_SECONDS, 2 * self._said):
            self._said = backlog.seconds
            more = " or more" if self._arrivals.is_full else ""
            _log.warning(
                "%s is %.1f s behind: %d%s events wait",
                name,
                backlog.seconds,
                backlog.waiting,
                more,
            )
        elif self._said and backlog.seconds < _CAUGHT_UP_SECONDS:
            self._said = 0.0
            _log.warning("%s has caught up", name)
        self._say_skips(name, now)

    def _say_skips(self, name: str, now: float) -> None:
        since = self._skips_said_at
        if self._skipped == self._skipped_said or (since and now - since < _SKIPS_SECONDS):
            return
        _log.warning(
            "%s skipped %d events of market data older than %g s, %d since its start",
            name,
            self._skipped - self._skipped_said,
            self._component.max_data_age_seconds or 0.0,
            self._skipped,
        )
        self._skipped_said = self._skipped
        self._skips_said_at = now
