"""Settle time for programs of a replay that report nothing, with a check that it sufficed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

from ingenium.bus.base import Message
from ingenium.bus.envelope import source_of, unpack
from ingenium.clock import Clock, SystemClock
from ingenium.components import App, Component, External
from ingenium.errors import DecodeError, LockstepError
from ingenium.events import Event, ExecutionEvent, OrderEvent, SignalEvent

__all__ = ["SettleTimer"]

_SENDERS = {SignalEvent: "strategy", OrderEvent: "portfolio", ExecutionEvent: "executor"}
_SAME_DAY = timedelta(hours=1)
"""A signal whose time differs by more does not carry the time of its sending."""


class SettleTimer:
    """Waits for the components of an app that report nothing.

    Args:
        app: The app of the components.
        clock: The machine's time, which such a program writes into its signals.
    """

    def __init__(self, app: App, clock: Clock | None = None) -> None:
        self.components: tuple[External, ...] = tuple(
            c for c in app.components if isinstance(c, External) and not c.reports
        )
        self._names = {c.name for c in self.components if c.role == "strategy"}
        self._pause = max((c.settle_seconds for c in self.components), default=0.0)
        self._clock = clock or SystemClock()
        self._began = self._clock.now()
        self._waiting_since: float | None = None
        self._slowest: float | None = None
        self._answers = 0

    def __contains__(self, component: Component | None) -> bool:
        return component in self.components

    def begin(self) -> None:
        """Begin a step."""
        if self.components:
            self._began = self._clock.now()

    async def settle(self, arrived: Callable[[], int]) -> None:
        """Return when nothing has arrived for the settle time.

        Args:
            arrived: How many messages have arrived so far.
        """
        before = -1
        self._waiting_since = asyncio.get_running_loop().time()
        while before != (now := arrived()):
            before = now
            await asyncio.sleep(self._pause)
        self._waiting_since = None

    def note_answer(self, kind: type[Event]) -> None:
        """Record an event of a kind that such a program may have sent."""
        if not any(c.role == _SENDERS.get(kind) for c in self.components):
            return
        self._answers += 1
        if self._waiting_since is not None:
            took = asyncio.get_running_loop().time() - self._waiting_since
            self._slowest = max(took, self._slowest or 0.0)

    def inexact(self) -> tuple[str, ...]:
        """Return why another run may have another result, in one line; empty if none.

        That a program will send no more cannot be proven from outside: the server knows which
        messages it has read, not which it has handled.
        """
        if not self.components:
            return ()
        names = ", ".join(component.name for component in self.components)
        report = "reports" if len(self.components) == 1 else "report"
        if self._slowest is not None:
            slowest = f"the slowest answer took {self._slowest:.3f} s"
        elif self._answers:
            slowest = "answers came only after that time"
        else:
            slowest = "no answer came"
        return (f"waited {self._pause:g} s for {names}, which {report} nothing; {slowest}",)

    def check(self, message: Message) -> None:
        """Refuse a signal that was sent before the present step began.

        Only signals that carry the time of their sending can be checked; the documented form
        carries none.

        Raises:
            LockstepError: The settle time was too short.
        """
        if not self._names or (source_of(message) or next(iter(self._names))) not in self._names:
            return
        try:
            sent = unpack(SignalEvent, message).timestamp
        except DecodeError:
            return
        if sent is not None and timedelta(0) < self._began - sent < _SAME_DAY:
            late = (self._began - sent).total_seconds()
            raise LockstepError(
                f"a signal of {', '.join(sorted(self._names))} came {late:.3f} s after its "
                f"instant: raise settle_seconds, now {self._pause}"
            )
