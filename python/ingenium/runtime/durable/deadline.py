"""Deadline after which a signal or an order must not be acted upon."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from ingenium.events import Event
from ingenium.runtime.durable.causes import cause_of
from ingenium.runtime.durable.transaction import DEADLINE, DEADLINE_SECONDS
from ingenium.runtime.progress import HURRIED

__all__ = ["lateness"]


def lateness(
    event: Event, headers: Mapping[str, str], kept_at: datetime, now: datetime
) -> float | None:
    """Return the age of a signal or order that is too late to act upon.

    A market has moved on after half a minute: an order on a bar that is older must not be worked,
    whether the order itself waited or the strategy was behind when it made the signal. Requests to
    cancel are never late.

    Args:
        event: The event that arrived.
        headers: Headers of its message; they may state its cause and a deadline.
        kept_at: When the stream kept it, by the server's clock.
        now: The present time by the same clock.

    Returns:
        Seconds since its cause was known, or since it was kept or made if the cause is unknown;
        ``None`` when it is in time.
    """
    if not isinstance(event, HURRIED):
        return None
    cause = cause_of(event, headers, kept_at)
    age = (now - (cause or kept_at)).total_seconds()
    if deadline := headers.get(DEADLINE, ""):
        try:
            over = (now - datetime.fromisoformat(deadline)).total_seconds()
        except (ValueError, TypeError):
            # Never written by Ingenium; the age by the server's clock still counts.
            over = 0.0
        age = max(age, over + DEADLINE_SECONDS if over > 0 else 0.0)
    return age if age > DEADLINE_SECONDS else None
