"""Rates of the components of an app, from two samples of their counters."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from ingenium.errors import BusError
from ingenium.operations.apps import LocalApp
from ingenium.operations.component_services import RunningComponent, services_of
from ingenium.operations.status import AppStatus, status_of
from ingenium.operations.today import TodayReader

__all__ = ["AppView", "ComponentRates", "RateReader"]


class ComponentRates(msgspec.Struct):
    """Events of a component in a second.

    Attributes:
        handled: Events handled; ``None`` before the second look.
        sent: Events sent; ``None`` before the second look.
    """

    handled: float | None = None
    sent: float | None = None


class AppView(msgspec.Struct):
    """An app at one moment.

    Attributes:
        status: State of trading, account, orders, and the day's fills and denials.
        components: Its running components.
        rates: Their rates since the last look, by instance.
        error: Why the components are unknown; empty if they are known.
    """

    status: AppStatus
    components: list[RunningComponent] = []
    rates: dict[str, ComponentRates] = {}
    error: str = ""


class _Counters(NamedTuple):
    seconds: float
    handled: int
    sent: int


class RateReader:
    """Samples the counters of an app repeatedly.

    Args:
        place: The app.
        roster: Roles of its components by name, if its definition is available.
    """

    def __init__(self, place: LocalApp, roster: Mapping[str, str]) -> None:
        self.place = place
        self._roster = roster
        self._today = TodayReader()
        self._last: dict[str, _Counters] = {}

    async def observe(self) -> AppView:
        """Return the app as it is now; one without a server is no error."""
        status, rows = await asyncio.gather(
            status_of(self.place, self._roster, self._today),
            services_of(self.place),
            return_exceptions=True,
        )
        if isinstance(status, BaseException):
            raise status
        if isinstance(rows, BaseException):
            if not isinstance(rows, BusError):
                raise rows
            return AppView(status, error=str(rows))
        return AppView(status, rows, {row.instance: self._rates_of(row) for row in rows})

    def _rates_of(self, row: RunningComponent) -> ComponentRates:
        now = _Counters(asyncio.get_running_loop().time(), row.handled, row.sent)
        last = self._last.get(row.instance)
        self._last[row.instance] = now
        if last is None or now.seconds <= last.seconds:
            return ComponentRates()
        seconds = now.seconds - last.seconds
        return ComponentRates(
            (now.handled - last.handled) / seconds, (now.sent - last.sent) / seconds
        )
