"""Streams what changes in an app to one page."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from connectrpc.code import Code
from connectrpc.errors import ConnectError
from connectrpc.request import RequestContext

from ingenium.control._gen.ingenium.control.v1 import watch_pb as pb
from ingenium.control._gen.ingenium.control.v1.events_pb import EventFilter
from ingenium.control._gen.ingenium.control.v1.watch_connect import WatchService
from ingenium.control.app_monitor import AppMonitor
from ingenium.control.app_monitors import AppMonitors
from ingenium.control.call_guard import caller_now, refuse
from ingenium.control.callers import CallerRegistry
from ingenium.control.run_board import RunBoard
from ingenium.control.watcher import Watcher, answer_of
from ingenium.errors import BusTimeoutError
from ingenium.subjects.grammar import check_pattern

__all__ = ["WatchCalls"]

HEARTBEAT_SECONDS = 5.0
"""Interval of heartbeats."""
FLUSH_SECONDS = 0.1
"""Least time between two answers with changes."""
MOST_STREAMS = 32
"""Streams at once."""

Context = RequestContext[Any, Any]
_DEFAULT = tuple(
    topic for topic in pb.Topic if topic not in {pb.Topic.UNSPECIFIED, pb.Topic.EVENTS}
)


class WatchCalls(WatchService):
    """Implements WatchService.

    Args:
        monitors: Observe apps.
        board: Has backtests and sweeps.
        callers: Know whether a session is still open.
        instance: Name of this start of the server.

    Attributes:
        closing: Set when the server ends.
    """

    def __init__(
        self, monitors: AppMonitors, board: RunBoard, callers: CallerRegistry, instance: str
    ) -> None:
        self._monitors = monitors
        self._board = board
        self._callers = callers
        self._instance = instance
        self._streams = 0
        self.closing = asyncio.Event()

    def close(self) -> None:
        """End all streams."""
        self.closing.set()

    async def watch(
        self, request: pb.WatchRequest, _: Context, /
    ) -> AsyncIterator[pb.WatchResponse]:
        """Stream the present state, and then changes."""
        if pb.Topic.UNSPECIFIED in request.topics:
            raise refuse("a topic is not stated: use TOPIC_COMPONENTS or another one")
        wanted = request.event_filter or EventFilter()
        if wanted.subject:
            check_pattern(wanted.subject)
        monitor = self._monitors.of(request.app)
        if self._streams >= MOST_STREAMS:
            raise ConnectError(
                Code.RESOURCE_EXHAUSTED, f"{MOST_STREAMS} streams are open: close one"
            )
        self._streams += 1
        watcher = Watcher(request.topics or _DEFAULT, wanted)
        try:
            async with monitor.watched(watcher):
                self._board.watchers.add(watcher)
                async for answer in self._answers(request, monitor, watcher):
                    yield answer
        finally:
            self._board.watchers.discard(watcher)
            self._streams -= 1

    async def _answers(
        self, request: pb.WatchRequest, monitor: AppMonitor, watcher: Watcher
    ) -> AsyncIterator[pb.WatchResponse]:
        number = monitor.number
        missed = self._resume(request.resume_token, monitor, watcher)
        with suppress(BusTimeoutError):
            for key, message in (await monitor.present()).items():
                watcher.put(key, message)
        for key, message in self._board.present().items():
            watcher.put(key, message)
        yield self._made(monitor, number, self._heartbeat(monitor))
        for heard, answer in watcher.take():
            number = heard or number
            yield self._made(monitor, number, answer)
        if missed is not None:
            yield self._made(monitor, number, answer_of(missed))
        yield self._made(monitor, number, answer_of(pb.Ready()))
        caller = caller_now()
        beat = time.monotonic() + HEARTBEAT_SECONDS
        while not self.closing.is_set():
            await _first(watcher.changed, self.closing, beat - time.monotonic())
            for heard, answer in watcher.take():
                number = heard or number
                yield self._made(monitor, number, answer)
            if time.monotonic() >= beat:
                if not self._callers.is_open(caller):
                    raise ConnectError(Code.UNAUTHENTICATED, "the session has ended")
                yield self._made(monitor, number, self._heartbeat(monitor))
                beat = time.monotonic() + HEARTBEAT_SECONDS
            await asyncio.sleep(FLUSH_SECONDS)

    def _resume(self, token: str, monitor: AppMonitor, watcher: Watcher) -> pb.Missed | None:
        """Put what was heard since a token, and return what cannot be resumed."""
        if not token:
            return None
        instance, _, number = token.rpartition("/")
        if instance != f"{self._instance}/{monitor.app}" or not number.isdigit():
            return pb.Missed(reason="unknown token")
        found = monitor.since(int(number))
        if found is None:
            return pb.Missed(reason="too long ago")
        for heard, message, symbol in found:
            watcher.hear(heard, message, symbol)
        return None

    def _heartbeat(self, monitor: AppMonitor) -> pb.WatchResponse:
        is_connected, error = monitor.connection
        is_without = not is_connected and not self._monitors.catalog.needs_server(monitor.app)
        beat = pb.Heartbeat(
            is_connected=is_connected or is_without,
            error="" if is_without else error,
            observed_time=monitor.observed or None,
            is_without_server=is_without,
        )
        return answer_of(beat)

    def _made(self, monitor: AppMonitor, number: int, answer: pb.WatchResponse) -> pb.WatchResponse:
        answer.resume_token = f"{self._instance}/{monitor.app}/{number}"
        answer.server_time = time.time_ns()
        return answer


async def _first(changed: asyncio.Event, closing: asyncio.Event, seconds: float) -> None:
    """Wait for one of two events, at most so long."""
    waits = [asyncio.ensure_future(each.wait()) for each in (changed, closing)]
    try:
        await asyncio.wait(waits, timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waits:
            each.cancel()
