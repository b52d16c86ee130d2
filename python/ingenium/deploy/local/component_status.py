"""Builds the status message of a component in this process."""

from __future__ import annotations

import os
import socket
from datetime import datetime
from typing import Protocol

from msgspec.structs import replace

from ingenium import _version
from ingenium._gen.ingenium.v1 import ComponentStatus
from ingenium.brokers import BrokerExecutor
from ingenium.brokers.journal_entry import OrderState
from ingenium.clock import SystemClock
from ingenium.components import Component, Portfolio
from ingenium.components.component import role_of
from ingenium.components.handle_of import risk_of
from ingenium.deploy.local.account_status import account_status, working_orders_of
from ingenium.errors import StoreError
from ingenium.events import TradingState
from ingenium.ids import random_id
from ingenium.runtime.handler_limit import handler_place
from ingenium.runtime.pause import Pause
from ingenium.runtime.progress import Observation, Progress

__all__ = ["Observed", "StatusMaker", "problems_of"]

BUSY_SECONDS = 1.0
"""Seconds after which a running handler is reported."""

_LONGEST_TEXT = 2000
_UINT32 = 2**32 - 1


class Observed(Protocol):
    """Runner of a component, as seen by the status."""

    @property
    def component(self) -> Component:
        """Which."""

    @property
    def progress(self) -> Progress:
        """Counts of handled and sent events."""

    @property
    def pause(self) -> Pause:
        """Pause of the component."""

    def lag(self) -> float | None:
        """Return the lag in seconds; ``None`` if unknown."""

    def observe(self) -> Observation:
        """Return an observation of the runner."""


class StatusMaker:
    """Builds the statuses of one component.

    Args:
        app: Name of the app.
        member: Runner of the component.
    """

    def __init__(self, app: str, member: Observed) -> None:
        self._app = app
        self._member = member
        self.life = random_id("life")
        """Tells this start of the component from all others."""
        self._started: datetime | None = None
        self._seen: Observation | None = None

    def make(self, state: str, interval_seconds: int, problem: str = "") -> ComponentStatus:
        """Return the current status.

        Args:
            state: Life-cycle state of the component.
            interval_seconds: Maximum time until the next status.
            problem: Additional problem for the operator.

        Raises:
            StoreError: The component's store cannot be read, for example after closing.
        """
        member = self._member
        component, progress, seen = member.component, member.progress, self._observe()
        self._started = self._started or seen.now
        status = ComponentStatus(
            app=self._app,
            component=component.name,
            role=role_of(component),
            language="python",
            version=_version.__version__,
            life=self.life,
            host=socket.gethostname(),
            process=os.getpid(),
            state=state,
            timestamp=seen.now,
            start_time=self._started,
            interval_seconds=interval_seconds,
            handled=min(progress.handled, _UINT32),
            sent=min(progress.sent, _UINT32),
            offset=None if seen.offset is None else str(seen.offset),
            data_offset=None if seen.data_offset is None else str(seen.data_offset),
            outbox=seen.outbox,
            waiting=seen.waiting,
            lag_milliseconds=_milliseconds(seen.lag_seconds),
            cause_age_milliseconds=_milliseconds(progress.cause_age_seconds),
            late=min(progress.late, _UINT32),
        )
        if progress.last_event is not None:
            status.last_event = progress.last_event.__name__
            status.last_symbol = progress.last_symbol or None
            status.last_time = progress.last_time
        kind, since = progress.handling, progress.handling_since
        if kind is not None and since is not None:
            seconds = (seen.now - since).total_seconds()
            if seconds >= BUSY_SECONDS:
                status.busy = handler_place(component, kind)
                status.busy_milliseconds = _milliseconds(seconds)
        self._add_trading(status, component)
        if isinstance(component, Portfolio):
            status.account = account_status(component.account, progress.data_times)
        status.working_orders = working_orders_of(component)
        paused = "paused by an operator" if member.pause.is_on else ""
        text = "; ".join(filter(None, (problem, paused, seen.problem, *problems_of(component))))
        status.problem = text[:_LONGEST_TEXT] or None
        return status

    def _observe(self) -> Observation:
        try:
            seen = self._seen = self._member.observe()
        except StoreError:
            # The component has stopped, and its store is closed.
            if self._seen is None:
                raise
            seen = replace(self._seen, now=SystemClock().now())
        return seen

    def _add_trading(self, status: ComponentStatus, component: Component) -> None:
        risk = risk_of(component)
        if risk is None or risk.gate is None:
            return
        # A kill file not yet seen by the component takes effect from the next order on.
        outside = risk.kill_switch() if risk.kill_switch is not None else None
        switch = risk.gate.switch
        state, standing = switch.state, switch.standing
        reason = "" if standing is None else str(standing)
        if outside is not None and outside[0] is not state and state is not TradingState.HALTED:
            state, reason = outside[0], f"kill file: {outside[1]}"
        status.trading = state.value
        status.trading_reason = reason[:_LONGEST_TEXT] or None


def problems_of(component: Component) -> list[str]:
    """Return the problems that need an operator, one text each."""
    found: list[str] = []
    if isinstance(component, BrokerExecutor):
        found += [
            f"order {entry.order.id} is UNKNOWN"
            for entry in component.journal.open.values()
            if entry.state is OrderState.UNKNOWN
        ]
    risk = risk_of(component)
    if risk is not None and risk.gate is not None:
        found += [
            f"{symbol} is halted: {standing.reason}"
            for symbol, standing in sorted(risk.gate.switch.halted_symbols.items())
        ]
        found += [f"EXIT DENIED in {symbol}" for symbol in sorted(risk.gate.denied_exits)]
    return found


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else min(max(0, round(seconds * 1000)), _UINT32)
