"""The subscriptions of a component, and whether it wants an event that arrives there."""

from __future__ import annotations

from datetime import datetime

from ingenium.bus.base import Message
from ingenium.bus.envelope import source_of
from ingenium.clock import format_time
from ingenium.components.component import Component
from ingenium.events import CancelEvent, DataEvent, Event, OrderEvent, ReplaceEvent
from ingenium.runtime.dispatch import handled_types
from ingenium.subjects.names import PORTFOLIO, data_subject, share_subject, subject_for
from ingenium.trading.timestamp import is_stated

__all__ = ["note_arrival", "subscriptions_of", "wants"]

_REQUESTS: tuple[type[Event], ...] = (OrderEvent, CancelEvent, ReplaceEvent)


def subscriptions_of(component: Component) -> list[tuple[str, type[Event] | None]]:
    """Return the subjects that a component subscribes to, and their event types.

    Returns:
        Subjects and types; a type of ``None`` depends on each message's own subject.

    Raises:
        SubjectError: One of its symbols cannot be part of a subject.
    """
    symbols = getattr(component, "symbols", None)
    found: dict[str, type[Event] | None] = {}
    for event_type in handled_types(component):
        if event_type is DataEvent and symbols is not None:
            # Two spellings of one symbol share a subject, and one subscription is enough.
            found.update(dict.fromkeys((data_subject(s) for s in symbols), event_type))
        elif event_type in _REQUESTS:
            # Only within one subscription an order and its cancellation surely keep their order.
            found[PORTFOLIO] = None
        else:
            found[subject_for(event_type)] = event_type
    return list(found.items())


def wants(component: Component, event: Event, message: Message) -> bool:
    """Whether a component has asked for an event.

    Symbols are case-sensitive: ``"aapl"`` is not ``"AAPL"``, although both have one subject. A
    program that does not name itself, as those of the original Go library, knows only the subject:
    for its data case is ignored.

    Args:
        component: The component that may handle it.
        event: The event that arrived.
        message: The message that carried it.
    """
    symbols = getattr(component, "symbols", None)
    if symbols is None or not isinstance(event, DataEvent) or event.symbol in symbols:
        return True
    if source_of(message):
        return False
    return any(share_subject(event.symbol, symbol) for symbol in symbols)


def note_arrival(event: Event, now: datetime) -> None:
    """Set the time of arrival in live market data that states no time."""
    if isinstance(event, DataEvent) and not is_stated(event.timestamp):
        event.timestamp = format_time(now)
