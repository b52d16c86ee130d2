"""Detects a handler that blocks the event loop of its process."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from time import perf_counter
from typing import Any, Generic, TypeVar

from ingenium.bus.base import Bus, Incident, IncidentKind
from ingenium.components.component import Component
from ingenium.events import DataEvent, Event
from ingenium.runtime.handler_limit import BLOCKED_LIMIT, HandlerLimit, handler_place

__all__ = ["TimedSteps", "timed"]

_T = TypeVar("_T")
_Work = Coroutine[Any, Any, _T]


class TimedSteps(Generic[_T]):
    """An awaitable whose steps between two waits are timed.

    Args:
        work: The work to await.
        on_step: Called with the seconds of the longest step, at the end.
        elapsed: Returns seconds of a monotonic clock.
    """

    def __init__(
        self,
        work: _Work[_T],
        on_step: Callable[[float], None],
        elapsed: Callable[[], float] = perf_counter,
    ) -> None:
        self._work = work
        self._on_step = on_step
        self._elapsed = elapsed

    def __await__(self) -> Generator[Any, Any, _T]:
        """Run the work."""
        work, elapsed = self._work, self._elapsed
        longest = 0.0
        step: Callable[[], Any] = lambda: work.send(None)  # noqa: E731
        try:
            while True:
                began = elapsed()
                try:
                    waits_for = step()
                except StopIteration as end:
                    result: _T = end.value
                    return result
                finally:
                    longest = max(longest, elapsed() - began)
                try:
                    value = yield waits_for
                except BaseException as error:  # noqa: BLE001 - handed on into the work
                    step = _throw(work, error)
                else:
                    step = _send(work, value)
        finally:
            work.close()
            self._on_step(longest)


def _send(work: _Work[Any], value: Any) -> Callable[[], Any]:
    return lambda: work.send(value)


def _throw(work: _Work[Any], error: BaseException) -> Callable[[], Any]:
    return lambda: work.throw(error)


def timed(
    bus: Bus,
    component: Component,
    work: _Work[_T],
    kind: type[Event] = DataEvent,
    limit: HandlerLimit = BLOCKED_LIMIT,
) -> TimedSteps[_T]:
    """Report when the handling of an event blocks the event loop for too long.

    Meanwhile nothing is sent, no halt is received, and a server may drop the connection.

    Args:
        bus: Receives the incident.
        component: The component of the handler.
        work: The handling.
        kind: The type of event that is handled.
        limit: Duration from which a block is reported.
    """

    def on_step(seconds: float) -> None:
        if seconds >= limit.seconds:
            detail = (
                f"{component} blocked the loop for {seconds:.1f} s in "
                f"{handler_place(component, kind)}: await slow calls, or move them to another "
                f"process; {limit}"
            )
            bus.report(Incident(IncidentKind.BLOCKED, detail))

    return TimedSteps(work, on_step)
