"""Observes one app for all that ask, and tells watchers what has changed."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from typing import Any

from ingenium.control._gen.ingenium.control.v1 import watch_pb
from ingenium.control.app_catalog import AppCatalog
from ingenium.control.component_messages import component_messages
from ingenium.control.event_tail import EventTail, Heard
from ingenium.control.money_messages import decimal_of, portfolio_message
from ingenium.control.trading_messages import overview_message, trading_report
from ingenium.control.watcher import Watcher
from ingenium.errors import BusTimeoutError
from ingenium.operations.live_rates import AppView, RateReader

__all__ = ["AppMonitor"]

EVERY_SECONDS = 1.0
"""Interval between two observations while somebody watches."""
PATIENCE_SECONDS = 2.5
"""Time limit of an observation; doubled after each one that has failed, up to the most."""
MOST_PATIENCE_SECONDS = 20.0
"""Longest time limit."""
KEPT = 10_000
"""Fills, denials and events that a stream can be resumed from."""
LINGER_SECONDS = 60.0
"""Events are heard for so long after the last watcher has left, so that it can resume."""


class AppMonitor:
    """The present state of an app.

    Args:
        catalog: Finds the app.
        app: Its name.
        midnight: Returns its equity at 00:00 UTC for its starting cash; ``None`` if unknown.

    Attributes:
        observed: When it was last observed, in nanoseconds since 1970; 0 for never.
        number: Number of the last message heard.
    """

    def __init__(
        self,
        catalog: AppCatalog,
        app: str,
        midnight: Callable[[Decimal | None], Awaitable[Decimal | None]],
    ) -> None:
        self.app = app
        self.observed = 0
        self.number = 0
        self._catalog = catalog
        self._midnight = midnight
        self._view: AppView | None = None
        self._reader: RateReader | None = None
        self._lock = asyncio.Lock()
        self._watchers: set[Watcher] = set()
        self._sent: dict[str, bytes] = {}
        self._present: dict[str, Any] = {}
        self._kept: deque[tuple[int, Heard, str]] = deque(maxlen=KEPT)
        self._tasks: list[asyncio.Task[None]] = []
        self._left = 0.0
        self._patience = PATIENCE_SECONDS
        self._error = ""
        self._is_stale = False

    async def view(self, seconds: float = EVERY_SECONDS) -> AppView:
        """Return the app as it was at most so many seconds ago, or at its last answer.

        Raises:
            BusTimeoutError: It has never answered.
        """
        async with self._lock:
            age = (time.time_ns() - self.observed) / 1e9
            if self._view is None or self._is_stale or age > seconds:
                self._is_stale = False
                place = await asyncio.to_thread(self._catalog.place, self.app)
                if self._reader is None:
                    self._reader = RateReader(place, self._catalog.roster(self.app))
                self._reader.place = place
                await self._observe(self._reader)
            if self._view is None:
                raise BusTimeoutError(self._error)
            return self._view

    async def _observe(self, reader: RateReader) -> None:
        """Observe the app, or give up, as its server may have gone just now."""
        try:
            async with asyncio.timeout(self._patience):
                view = await reader.observe()
        except TimeoutError:
            self._error = f"the app has not answered within {self._patience:g} s"
            self._patience = min(2 * self._patience, MOST_PATIENCE_SECONDS)
            return
        self._patience, self._error = PATIENCE_SECONDS, ""
        self._view, self.observed = view, time.time_ns()
        await self._tell(view)

    def expire(self) -> None:
        """Observe again for the next question, as a command has changed something."""
        self._is_stale = True

    async def present(self) -> dict[str, Any]:
        """Return the messages of the present state by key; see `view`."""
        await self.view()
        return dict(self._present)

    @property
    def connection(self) -> tuple[bool, str]:
        """Whether the app's server answered at the last observation, and why not."""
        status = None if self._view is None else self._view.status
        if status is None or self._error:
            return False, self._error or "not observed yet"
        return bool(status.server), status.server_error

    def since(self, number: int) -> list[tuple[int, Heard, str]] | None:
        """Return what was heard after a number; ``None`` if that is too long ago."""
        first = self._kept[0][0] if self._kept else self.number + 1
        if number + 1 < first or number > self.number:
            return None
        return [each for each in self._kept if each[0] > number]

    @asynccontextmanager
    async def watched(self, watcher: Watcher) -> AsyncIterator[None]:
        """Tell a watcher of changes for the duration of the context."""
        self._watchers.add(watcher)
        if not self._tasks:
            tail = EventTail(lambda: self._catalog.place(self.app), self._hear)
            self._tasks = [asyncio.create_task(self._run()), asyncio.create_task(tail.run())]
        try:
            yield
        finally:
            self._watchers.discard(watcher)
            self._left = time.monotonic()

    async def close(self) -> None:
        """End all tasks."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self) -> None:
        while self._watchers or time.monotonic() - self._left < LINGER_SECONDS:
            began = time.monotonic()
            if self._watchers:
                with suppress(BusTimeoutError):
                    await self.view(0)
            await asyncio.sleep(max(0.05, began + EVERY_SECONDS - time.monotonic()))
        tasks, self._tasks = self._tasks, []
        tasks[1].cancel()
        with suppress(asyncio.CancelledError):
            await tasks[1]

    def _hear(self, message: Heard, symbol: str) -> None:
        self.number += 1
        self._kept.append((self.number, message, symbol))
        for watcher in self._watchers:
            watcher.hear(self.number, message, symbol)

    async def _tell(self, view: AppView) -> None:
        equity = await self._midnight(decimal_of(view.status.money.starting_cash))
        messages: dict[str, Any] = {
            "overview": overview_message(view, equity),
            "trading": trading_report(view.status),
            "portfolio": portfolio_message(self.app, view.status.money),
        }
        for each in component_messages(view):
            messages[f"component {each.name} {each.instance}"] = each
        changed = {key: each.to_binary() for key, each in messages.items()}
        for key in ("overview", "portfolio"):
            messages[key].observed_time = self.observed
        for key, data in changed.items():
            if self._sent.get(key) != data:
                self._put(key, messages[key])
        for key in self._present.keys() - messages.keys():
            gone = self._present[key]
            self._put(key, watch_pb.RemovedComponent(name=gone.name, instance=gone.instance))
        self._sent, self._present = changed, messages

    def _put(self, key: str, message: Any) -> None:
        for watcher in self._watchers:
            watcher.put(key, message)
