"""Fills and denials of a running app, and its account at the end."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from time import monotonic

from ingenium._gen.ingenium.v1 import ComponentStatus
from ingenium.bus import NatsBus
from ingenium.bus.base import Message, Subscription
from ingenium.bus.envelope import unpack
from ingenium.clock import SystemClock
from ingenium.components import App
from ingenium.components.base import role_of
from ingenium.errors import BusError, BusPermissionError, DecodeError, IngeniumError
from ingenium.events import DenialEvent, ExecutionEvent, OrderEvent, decode
from ingenium.operations.account_money import AppMoney, money_of
from ingenium.operations.apps import stream_of
from ingenium.operations.component_state import ComponentState
from ingenium.operations.live_view import Heard
from ingenium.operations.today import DenialView, FillView, TodayReader, denial_of, fill_of
from ingenium.subjects.names import DENIAL, EXECUTION, ORDER, status_subject
from ingenium.trading.recent_ids import RecentIds

__all__ = ["RunWatch"]

_log = logging.getLogger("ingenium.operations")
_REMEMBERED = 10_000


class RunWatch:
    """Watches fills, denials and the account of a running app.

    Args:
        app: The app.
        on_fill: Receives each fill.
        on_denial: Receives each denial.

    Attributes:
        money: Account at the end; ``None`` before.
    """

    def __init__(
        self,
        app: App,
        on_fill: Callable[[FillView], None],
        on_denial: Callable[[DenialView], None],
    ) -> None:
        self.money: AppMoney | None = None
        self._app = app
        self._on_fill = on_fill
        self._on_denial = on_denial
        self._said: dict[str, tuple[ComponentStatus, float]] = {}
        self._orders: dict[str, tuple[str, str]] = {}
        self._seen = RecentIds(_REMEMBERED)
        self._reader = TodayReader()

    @asynccontextmanager
    async def watch(self, bus: NatsBus) -> AsyncIterator[None]:
        """Watch for the duration of the context; the components must have stopped at its end.

        Args:
            bus: Connection with operator rights.
        """
        subscriptions: list[Subscription] = []
        for subject, handler in (
            (ORDER, self._on_order),
            (EXECUTION, self._on_execution),
            (DENIAL, self._on_refusal),
            (status_subject(self._app.name, "*"), self._on_status),
        ):
            try:
                subscriptions.append(await bus.subscribe(subject, handler))
            except BusPermissionError as error:
                # Manually configured accounts may lack the right; trading continues.
                _log.warning("fills, denials or the account at the end are not shown: %s", error)
        try:
            yield
        finally:
            with suppress(BusError):
                await bus.flush()
            for subscription in subscriptions:
                with suppress(BusError):
                    await subscription.stop()
            await self._look(bus)

    async def _look(self, bus: NatsBus) -> None:
        components = [ComponentState(each.name, role_of(each)) for each in self._app.components]
        now = monotonic()
        said = {name: Heard(status, now - at) for name, (status, at) in self._said.items()}
        money = self.money = money_of(components, said)
        # Without the server or its stream the rest is still shown.
        with suppress(IngeniumError):
            money.today = await self._reader.observe(await stream_of(bus))

    def _on_order(self, message: Message) -> None:
        with suppress(DecodeError):
            event = unpack(OrderEvent, message)
            if len(self._orders) >= _REMEMBERED:
                del self._orders[next(iter(self._orders))]
            self._orders[event.id] = event.symbol, event.side

    def _on_execution(self, message: Message) -> None:
        with suppress(DecodeError):
            event = unpack(ExecutionEvent, message)
            order = self._orders.get(event.order_id, ("", ""))
            fill = fill_of(event, SystemClock().now(), order)
            # A message resent after a lost acknowledgement arrives twice.
            if fill is not None and (not fill.id or self._seen.add(fill.id)):
                self._on_fill(fill)

    def _on_refusal(self, message: Message) -> None:
        with suppress(DecodeError):
            event = unpack(DenialEvent, message)
            if not event.id or self._seen.add(event.id):
                self._on_denial(denial_of(event, SystemClock().now()))

    def _on_status(self, message: Message) -> None:
        with suppress(DecodeError):
            status = decode(ComponentStatus, message.payload)
            self._said[message.subject.rpartition(".")[2]] = status, monotonic()
