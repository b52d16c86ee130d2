"""The time of the cause of a signal or an order: when the stream kept its bar."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from ingenium.events import DataEvent, Event
from ingenium.runtime.progress import HURRIED

__all__ = ["CAUSE_TIME", "cause_of"]

CAUSE_TIME = "Ingenium-Cause-Time"
"""Header of a signal or an order: when the stream kept the bar that caused it, RFC 3339."""


def cause_of(event: Event, headers: Mapping[str, str], kept_at: datetime | None) -> datetime | None:
    """Return the time of the cause of an event, by the server's clock.

    For market data that is when the stream kept it. A signal or an order has it in a header; one
    without it, as from a program in another language, counts from when it was kept itself. A header
    can make a message older, and never younger than it is.

    Args:
        event: A signal, an order or a bar; other events cause nothing that could be late.
        headers: Headers of its message.
        kept_at: When the stream kept it; ``None`` if it came over a plain bus.

    Returns:
        The time; ``None`` if it is not known.
    """
    if kept_at is None:
        return None
    if isinstance(event, DataEvent):
        return kept_at
    if not isinstance(event, HURRIED):
        return None
    if text := headers.get(CAUSE_TIME, ""):
        try:
            return min(kept_at, datetime.fromisoformat(text))
        except (ValueError, TypeError):
            # Never written by Ingenium; the message itself is at least as old as its place.
            return kept_at
    return kept_at
