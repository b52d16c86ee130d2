"""One monitor for each app that somebody asks for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal

from ingenium.control.app_catalog import AppCatalog
from ingenium.control.app_monitor import AppMonitor

__all__ = ["AppMonitors"]

Midnight = Callable[[str, Decimal | None], Awaitable[Decimal | None]]


class AppMonitors:
    """Makes monitors, and keeps them.

    Args:
        catalog: Finds apps.
        midnight: Returns the equity of a named app at 00:00 UTC for its starting cash.
    """

    def __init__(self, catalog: AppCatalog, midnight: Midnight) -> None:
        self.catalog = catalog
        self._midnight = midnight
        self._monitors: dict[str, AppMonitor] = {}

    def of(self, app: str) -> AppMonitor:
        """Return the monitor of an app; see `AppCatalog.resolve`."""
        name = self.catalog.resolve(app)
        found = self._monitors.get(name)
        if found is None:
            found = AppMonitor(self.catalog, name, lambda cash: self._midnight(name, cash))
            self._monitors[name] = found
        return found

    async def close(self) -> None:
        """End all of them."""
        await asyncio.gather(*(each.close() for each in self._monitors.values()))
