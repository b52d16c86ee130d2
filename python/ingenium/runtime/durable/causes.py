"""Since when what a signal or an order goes back to is known: its bar's place in the stream."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from ingenium.events import DataEvent, Event
from ingenium.runtime.progress import HURRIED

__all__ = ["CAUSE_TIME", "cause_of"]

CAUSE_TIME = "Ingenium-Cause-Time"
"""Header of a signal or an order: when the stream kept the bar that it goes back to, RFC 3339."""


def cause_of(event: Event, headers: Mapping[str, str], kept_at: datetime | None) -> datetime | None:
    """Return since when what an event goes back to is known, by the server's clock.

    For market data that is when the stream kept it. A signal or an order says it in a header; one
    without it, as of a program in another language, counts from when it was kept itself. A header
    can make a message older, and never younger than it is.

    Args:
        event: A signal, an order or a bar; whatever else comes is the cause of nothing that could
            be late.
        headers: Of its message.
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
            # None of ours writes such a text; the message itself is at least as old as its place.
            return kept_at
    return kept_at
