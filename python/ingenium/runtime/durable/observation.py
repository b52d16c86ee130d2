"""Status and lag of a component that runs on a stream."""

from __future__ import annotations

from datetime import datetime

from ingenium.bus.nats.stream_layout import DATA_STREAM, MONEY_STREAM
from ingenium.runtime.durable.inbox import Inbox
from ingenium.runtime.durable.store import Store
from ingenium.runtime.progress import Observation, Progress

__all__ = ["lag_of", "observe"]


def lag_of(arrivals: Inbox, progress: Progress, now: datetime) -> float:
    """Return the lag of a component in seconds.

    Args:
        arrivals: The inbox.
        progress: Knows the event being handled.
        now: The present time by the server's clock.

    Returns:
        Age of the oldest message that waits or is being handled; 0 when none is.
    """
    oldest = arrivals.oldest()
    if progress.handling is not None and progress.handling_kept_at is not None:
        handling = progress.handling_kept_at
        oldest = handling if oldest is None else min(oldest, handling)
    return 0.0 if oldest is None else max(0.0, (now - oldest).total_seconds())


def observe(store: Store, arrivals: Inbox, progress: Progress, now: datetime) -> Observation:
    """Return the status of a component.

    Raises:
        StoreError: Its store cannot be read.
    """
    offsets = {position.stream: position.sequence for position in store.positions()}
    return Observation(
        now,
        offset=offsets.get(MONEY_STREAM.name),
        data_offset=offsets.get(DATA_STREAM.name),
        outbox=store.outbox_size(),
        waiting=len(arrivals),
        lag_seconds=lag_of(arrivals, progress, now),
    )
