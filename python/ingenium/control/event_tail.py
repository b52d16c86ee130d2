"""Hears the events of a live app as a reader, and connects again when its server comes back."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress

from ingenium.bus.base import Message
from ingenium.control._gen.ingenium.control.v1 import events_pb, transactions_pb
from ingenium.control.event_messages import event_message
from ingenium.control.money_messages import denial_message, fill_message
from ingenium.errors import BusError, IngeniumError
from ingenium.events import DenialEvent, ExecutionEvent, OrderEvent
from ingenium.operations.apps import LocalApp, as_reader
from ingenium.operations.today import denial_of, fill_of
from ingenium.recorder.instants import datetime_of
from ingenium.subjects.names import ALL_EVENTS
from ingenium.trading.recent_ids import RecentIds

__all__ = ["EventTail", "Heard"]

_log = logging.getLogger("ingenium.control")
_AGAIN_SECONDS = 1.0
_REMEMBERED = 10_000

Heard = events_pb.BusEvent | transactions_pb.Transaction | transactions_pb.Denial
"""What is heard: an event, and a fill or a denial in it."""


class EventTail:
    """Subscribes to all events of an app.

    Args:
        place: Returns where the app runs now.
        on_heard: Receives each event with its symbol, and each fill and denial.
    """

    def __init__(
        self, place: Callable[[], LocalApp], on_heard: Callable[[Heard, str], None]
    ) -> None:
        self._place = place
        self._on_heard = on_heard
        self._orders: OrderedDict[str, tuple[str, str]] = OrderedDict()
        self._seen = RecentIds(_REMEMBERED)

    async def run(self) -> None:
        """Listen until cancelled."""
        while True:
            try:
                await self._listen()
            except IngeniumError as error:
                _log.debug("events are not heard: %s", error)
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _listen(self) -> None:
        place = await asyncio.to_thread(self._place)
        async with as_reader(place) as bus:
            subjects = [ALL_EVENTS, *place.settings.data_subjects]
            for subject in subjects:
                with suppress(BusError):
                    await bus.subscribe(subject, self._hear)
            await bus.flush()
            # An embedded server that starts again has another address.
            while (await asyncio.to_thread(self._place)).settings == place.settings:
                await asyncio.sleep(_AGAIN_SECONDS)
                await bus.flush()

    def _hear(self, message: Message) -> None:
        received = time.time_ns()
        made, event = event_message(message, received)
        symbol = getattr(event, "symbol", "") or ""
        self._on_heard(made, symbol)
        now = datetime_of(received)
        if isinstance(event, OrderEvent):
            while len(self._orders) >= _REMEMBERED:
                self._orders.popitem(last=False)
            self._orders[event.id] = event.symbol, event.side
        elif isinstance(event, ExecutionEvent):
            fill = fill_of(event, now, self._orders.get(event.order_id, ("", "")))
            # A message that was sent again after a lost acknowledgement arrives twice.
            if fill is not None and (not fill.id or self._seen.add(fill.id)):
                self._on_heard(fill_message(fill), fill.symbol)
        elif isinstance(event, DenialEvent) and (not event.id or self._seen.add(event.id)):
            order = "" if event.order is None else event.order.id
            self._on_heard(denial_message(denial_of(event, now), order), event.symbol)
