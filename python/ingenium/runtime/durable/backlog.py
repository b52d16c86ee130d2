"""Unhandled events of a component: market data that is too old, and the rest at its stop."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from ingenium.bus.base import Bus, Incident, IncidentKind
from ingenium.components import Component
from ingenium.components.component import role_of
from ingenium.components.handle_of import handle_of
from ingenium.runtime.durable.inbox import Inbox
from ingenium.runtime.durable.resume import remembers
from ingenium.runtime.durable.stream_clock import StreamClock

__all__ = ["OldData", "report_left"]

_log = logging.getLogger("ingenium.runtime.durable")
_SAY_SECONDS = 10.0


def report_left(bus: Bus, component: Component, arrivals: Inbox) -> None:
    """Report the events that a stopping component has not handled.

    Args:
        bus: Receives the incident of lost market data, which the component does not read again.
        component: The component that stops.
        arrivals: The events that are left.
    """
    name = f"{component}"
    if records := len(arrivals.records):
        _log.info(
            "%s stops with %d unhandled events, which are handled at its next start", name, records
        )
    if data := len(arrivals.data):
        if remembers(component) and arrivals.data[0].position is not None:
            _log.info(
                "%s stops with %d unhandled market data events, which are handled at its next "
                "start",
                name,
                data,
            )
        else:
            detail = f"{name} stops with {data} market data events that are never handled"
            bus.report(Incident(IncidentKind.GAP, detail))


class OldData:
    """Skips market data that is too old for its component, and reports how much.

    Args:
        component: Its `max_data_age_seconds` is the limit.
        arrivals: The inbox of the component.
        clock: The time of the server.

    Attributes:
        skipped: Events skipped since the start.
    """

    def __init__(self, component: Component, arrivals: Inbox, clock: StreamClock) -> None:
        self._component = component
        self._arrivals = arrivals
        self._clock = clock
        self._elapsed = asyncio.get_running_loop().time
        self.skipped = 0
        self._said = 0
        self._said_at: float | None = None

    def skip(self) -> None:
        """Skip market data that is too old, up to the newest of each subject."""
        limit = handle_of(self._component).max_data_age_seconds
        if limit is None or not self._arrivals.data:
            return
        self.skipped += self._arrivals.skip_data(self._clock.present() - timedelta(seconds=limit))

    def say(self) -> None:
        """Report how much was skipped, every ten seconds at most."""
        if self.skipped == self._said:
            return
        now = self._elapsed()
        if self._said_at is not None and now - self._said_at < _SAY_SECONDS:
            return
        _log.warning(
            "%s %r skipped %d market data events older than %g s, %d since its start",
            role_of(self._component),
            self._component.name,
            self.skipped - self._said,
            handle_of(self._component).max_data_age_seconds or 0.0,
            self.skipped,
        )
        self._said, self._said_at = self.skipped, now
