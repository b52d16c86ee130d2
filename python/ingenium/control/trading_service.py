"""Reads and changes the state of trading."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from connectrpc.request import RequestContext

from ingenium.clock import SystemClock
from ingenium.control._gen.ingenium.control.v1 import common_pb
from ingenium.control._gen.ingenium.control.v1 import trading_pb as pb
from ingenium.control._gen.ingenium.control.v1.trading_connect import TradingService
from ingenium.control.app_monitor import AppMonitor
from ingenium.control.app_monitors import AppMonitors
from ingenium.control.call_guard import caller_now, refuse
from ingenium.control.once_by_id import OnceById
from ingenium.control.trading_messages import switch_progress, trading_report
from ingenium.events import TradingState
from ingenium.operations.halt_resume import SwitchResult, release, restrict

__all__ = ["TradingCalls"]

Context = RequestContext[Any, Any]
_MOST_REASON = 200
_RESTRICTIONS = {
    common_pb.TradingState.HALTED: TradingState.HALTED,
    common_pb.TradingState.REDUCING: TradingState.REDUCING,
}
Switch = Callable[[Callable[[SwitchResult], None]], Awaitable[SwitchResult]]


class TradingCalls(TradingService):
    """Implements TradingService.

    Args:
        monitors: Observe apps.
    """

    def __init__(self, monitors: AppMonitors) -> None:
        self._monitors = monitors
        self._once = OnceById()

    async def get_overview(
        self, request: pb.GetOverviewRequest, _: Context, /
    ) -> pb.GetOverviewResponse:
        """Return whether an app is safe."""
        present = await self._monitors.of(request.app).present()
        return pb.GetOverviewResponse(overview=present["overview"])

    async def get_trading_state(
        self, request: pb.GetTradingStateRequest, _: Context, /
    ) -> pb.GetTradingStateResponse:
        """Return the state of trading."""
        view = await self._monitors.of(request.app).view()
        return pb.GetTradingStateResponse(report=trading_report(view.status))

    async def halt_trading(
        self, request: pb.HaltTradingRequest, _: Context, /
    ) -> AsyncIterator[pb.HaltTradingResponse]:
        """Halt trading, or let only reducing orders pass."""
        state = _RESTRICTIONS.get(request.state)
        if state is None:
            raise refuse("state is neither TRADING_STATE_HALTED nor TRADING_STATE_REDUCING")
        _check_reason(request.reason)
        monitor = self._monitors.of(request.app)
        place = self._monitors.catalog.place(monitor.app)
        sender = caller_now().user

        def switch(on_progress: Callable[[SwitchResult], None]) -> Awaitable[SwitchResult]:
            now = SystemClock().now()
            return restrict(place, state, request.reason, sender, now, on_progress)

        async for progress in self._run(monitor, "HaltTrading", request.request_id, switch):
            yield pb.HaltTradingResponse(progress=progress)

    async def resume_trading(
        self, request: pb.ResumeTradingRequest, _: Context, /
    ) -> AsyncIterator[pb.ResumeTradingResponse]:
        """Let orders pass again."""
        monitor = self._monitors.of(request.app)
        if request.confirm_app != monitor.app:
            raise refuse(
                f"confirm_app is {request.confirm_app!r}: type the name of the app, {monitor.app!r}"
            )
        _check_reason(request.reason)
        place = self._monitors.catalog.place(monitor.app)
        sender = caller_now().user

        def switch(on_progress: Callable[[SwitchResult], None]) -> Awaitable[SwitchResult]:
            return release(place, request.reason, sender, SystemClock().now(), on_progress)

        async for progress in self._run(monitor, "ResumeTrading", request.request_id, switch):
            yield pb.ResumeTradingResponse(progress=progress)

    async def _run(
        self, monitor: AppMonitor, method: str, request_id: str, switch: Switch
    ) -> AsyncIterator[pb.SwitchProgress]:
        """Change the state to the end, whoever listens."""
        began = time.monotonic()
        waiting: asyncio.Queue[pb.SwitchProgress | None] = asyncio.Queue()
        after: dict[str, float] = {}

        def on_progress(result: SwitchResult) -> None:
            elapsed = time.monotonic() - began
            for name in result.confirmed:
                after.setdefault(name, elapsed)
            waiting.put_nowait(switch_progress(result, after, elapsed, done=False))

        async def work() -> pb.SwitchProgress:
            try:
                result = await switch(on_progress)
                elapsed = time.monotonic() - began
                return switch_progress(result, after, elapsed, done=True)
            finally:
                monitor.expire()
                waiting.put_nowait(None)

        running = asyncio.ensure_future(self._once.run(method, request_id, work))
        # A repeated request has no progress of its own.
        running.add_done_callback(lambda _: waiting.put_nowait(None))
        while (progress := await waiting.get()) is not None:
            yield progress
        yield await running


def _check_reason(reason: str) -> None:
    if len(reason) > _MOST_REASON:
        raise refuse(f"reason has {len(reason)} characters: use at most {_MOST_REASON}")
