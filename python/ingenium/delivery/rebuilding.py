"""Makes a portfolio's state anew from what the stream has kept of its orders and executions."""

from __future__ import annotations

import logging
from contextlib import aclosing

from ingenium.bus.envelope import source_of, unpack
from ingenium.bus.stream import Record, Stream
from ingenium.components import Component, Portfolio
from ingenium.errors import IngeniumError
from ingenium.events import CancelEvent, ExecutionEvent, OrderEvent, ReplaceEvent
from ingenium.subjects import ALL_EVENTS, event_type_of

__all__ = ["rebuild"]

_log = logging.getLogger("ingenium.delivery")
_PROGRESS = 100_000


async def rebuild(
    component: Component, stream: Stream, last: int, *, executions_until: int | None = None
) -> list[str]:
    """Let a portfolio that has nothing written down learn its state from the stream.

    Its orders are followed and their executions are booked. Signals are not acted upon again: what
    came of them is in the stream. Other components have nothing there to learn from.

    Args:
        component: A fresh object.
        stream: Has the history.
        last: Sequence of the last message to look at.
        executions_until: That of the last execution to book; ``last`` when left out.

    Returns:
        Ids of the executions that were booked.
    """
    if not isinstance(component, Portfolio):
        return []
    until = last if executions_until is None else executions_until
    seen: dict[str, None] = {}
    async with aclosing(stream.read([ALL_EVENTS], 0)) as records:
        async for record in records:
            if record.sequence > last:
                break
            _learn(component, record, until, seen)
            if record.sequence % _PROGRESS == 0:
                _log.info(
                    "%s: %d of %d messages of stream %s",
                    component.name,
                    record.sequence,
                    last,
                    stream.name,
                )
            if record.sequence == last:
                break
    component.take()
    return list(seen)


def _learn(portfolio: Portfolio, record: Record, until: int, seen: dict[str, None]) -> None:
    message = record.message
    kind = event_type_of(message.subject)
    if kind not in {OrderEvent, ReplaceEvent, CancelEvent, ExecutionEvent}:
        return
    try:
        event = unpack(kind, message)
        if isinstance(event, ExecutionEvent):
            if record.sequence <= until and event.id not in seen:
                portfolio.begin(event.id or f"{record.sequence}", record.time)
                portfolio.handle_execution(event)
                if event.id:
                    seen[event.id] = None
        elif source_of(message) == portfolio.name:
            portfolio.recall(event)
    except (IngeniumError, ValueError) as error:
        _log.warning("%s: message %d: %s", portfolio.name, record.sequence, error)
