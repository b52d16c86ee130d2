"""Runs an ingestor of live data, and restarts it if its app is set to do so."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Literal

from ingenium.backoff import RestartPolicy, Restarts
from ingenium.bus.base import Bus, Incident, IncidentKind
from ingenium.components.blame import text_of, where
from ingenium.components.ingestor import Ingestor
from ingenium.components.overrides import overrides_of
from ingenium.errors import ComponentError, FeedError

__all__ = ["FEED_RESTARTS", "LiveFeed", "OnEnd"]

OnEnd = Literal["restart", "stop"]
"""The action when `Ingestor.ingest` has ended."""

FEED_RESTARTS = RestartPolicy(healthy_seconds=10.0)
"""When an ingestor is started again. One that ran for ten seconds has had a connection."""


class LiveFeed:
    """Calls `Ingestor.ingest`, and calls it again when it has ended.

    An ingestor that failed five times before it sent any data is not restarted: its file, address
    or password is wrong, or its code is. One that has sent data may have lost its source for a
    while, and is restarted without a limit.

    Args:
        ingestor: The ingestor.
        bus: Receives the incidents.
        has_sent: Returns whether it has sent any data.
        on_end: The action when it has ended.
        policy: When to start it again.
        pause: Waits for some seconds.
    """

    def __init__(
        self,
        ingestor: Ingestor,
        bus: Bus,
        has_sent: Callable[[], bool],
        on_end: OnEnd = "restart",
        policy: RestartPolicy = FEED_RESTARTS,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._ingestor = ingestor
        self._bus = bus
        self._has_sent = has_sent
        self._on_end = on_end
        self._policy = policy
        self._pause = pause
        self.problem = ""
        """Why no data arrives now, in words; empty while it runs."""

    async def run(self) -> None:
        """Run until `ingest` has returned and the app stops with it, or until canceled.

        Raises:
            FeedError: `ingest` raised, and is not started again.
        """
        now = asyncio.get_running_loop().time
        restarts = Restarts(self._policy)
        name = f"ingestor {self._ingestor.name!r}"
        own = overrides_of(self._ingestor, Ingestor)
        while True:
            began = now()
            error = await self._ingest()
            ran = now() - began
            if error is None:
                text = f"{name} has ended: ingest() returned"
                if self._on_end == "stop":
                    self._report(text)
                    return
                seconds: float | None = restarts.pause(ran)
            else:
                text = f"{name} failed: {text_of(error)}{where(error)}"
                if self._on_end == "stop" or "ingest" not in own:
                    raise FeedError(text) from error
                seconds = restarts.pause(ran) if self._has_sent() else restarts.crashed(ran, now())
            if seconds is None:
                raise FeedError(
                    f"{text}, {self._policy.crashes} times, and has sent no data: not restarted "
                    "again, fix ingest() first"
                ) from error
            self.problem = f"{text}; it is started again in {seconds:g} s"
            self._report(self.problem, error)
            await self._pause(seconds)
            self.problem = ""

    async def _ingest(self) -> Exception | None:
        """Run `ingest` once; return the error it raised."""
        task = asyncio.create_task(self._call())
        try:
            await asyncio.wait({task})
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        if task.cancelled():
            return ComponentError("ingest() canceled its own task")
        error = task.exception()
        if error is not None and not isinstance(error, Exception):
            raise error
        return error

    async def _call(self) -> None:
        found: object = self._ingestor.ingest()
        if inspect.isasyncgen(found):
            raise ComponentError(
                "ingest() is a generator: call self.send_data(event) instead of yield"
            )
        if not inspect.isawaitable(found):
            raise ComponentError("ingest() is not a coroutine: write async def ingest(self)")
        try:
            await found
        except SystemExit as error:
            # asyncio would end the whole run with this code, which may be 0.
            raise ComponentError(
                f"ingest() called sys.exit({error.code!r}): return, or raise an error"
            ) from error

    def _report(self, text: str, error: Exception | None = None) -> None:
        self._bus.report(Incident(IncidentKind.FEED, text, error=error))
