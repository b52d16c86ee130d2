"""What one Watch stream has yet to send: the newest of each key, and what is never merged."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Any

from protobuf import Oneof

from ingenium.control._gen.ingenium.control.v1 import events_pb, watch_pb
from ingenium.control.event_messages import fits
from ingenium.control.event_tail import Heard

__all__ = ["Watcher", "answer_of"]

MOST_WAITING = 2000
"""Fills, denials and events that wait for a slow reader."""

_FIELDS = {
    "Heartbeat": ("heartbeat", watch_pb.Topic.UNSPECIFIED),
    "Ready": ("ready", watch_pb.Topic.UNSPECIFIED),
    "Missed": ("missed", watch_pb.Topic.UNSPECIFIED),
    "BusEvent": ("event", watch_pb.Topic.EVENTS),
    "Transaction": ("transaction", watch_pb.Topic.TRANSACTIONS),
    "Denial": ("denial", watch_pb.Topic.TRANSACTIONS),
    "Overview": ("overview", watch_pb.Topic.OVERVIEW),
    "Component": ("component", watch_pb.Topic.COMPONENTS),
    "RemovedComponent": ("removed_component", watch_pb.Topic.COMPONENTS),
    "TradingStateReport": ("trading", watch_pb.Topic.TRADING),
    "Portfolio": ("portfolio", watch_pb.Topic.PORTFOLIO),
    "Backtest": ("backtest", watch_pb.Topic.RUNS),
    "Sweep": ("sweep", watch_pb.Topic.RUNS),
}


def answer_of(message: object) -> watch_pb.WatchResponse:
    """Return the answer that has a message."""
    field: Any = _FIELDS[type(message).__name__][0]
    update: Any = Oneof(field, message)
    return watch_pb.WatchResponse(update=update)


def _topic_of(message: object) -> watch_pb.Topic:
    return _FIELDS[type(message).__name__][1]


class Watcher:
    """Collects what is to be sent.

    Args:
        topics: What is asked for.
        wanted: Which events.
    """

    def __init__(self, topics: Iterable[watch_pb.Topic], wanted: events_pb.EventFilter) -> None:
        self._topics = frozenset(topics)
        self._wanted = wanted
        self._latest: dict[str, object] = {}
        self._waiting: deque[tuple[int, object]] = deque()
        self.missed = 0
        self.changed = asyncio.Event()

    def put(self, key: str, message: object) -> None:
        """Take a message of which only the newest counts."""
        if _topic_of(message) in self._topics:
            # It goes to the end, as what it now says is newer than what else waits.
            self._latest.pop(key, None)
            self._latest[key] = message
            self.changed.set()

    def hear(self, number: int, message: Heard, symbol: str) -> None:
        """Take a message that is never merged."""
        if _topic_of(message) not in self._topics:
            return
        if isinstance(message, events_pb.BusEvent) and not fits(message, symbol, self._wanted):
            return
        if len(self._waiting) >= MOST_WAITING:
            self._waiting.popleft()
            self.missed += 1
        self._waiting.append((number, message))
        self.changed.set()

    def take(self) -> list[tuple[int, watch_pb.WatchResponse]]:
        """Return what waits, each with the number of the last message heard, or 0."""
        self.changed.clear()
        found = [(0, answer_of(message)) for message in self._latest.values()]
        self._latest.clear()
        if self.missed:
            missed = watch_pb.Missed(count=self.missed, reason="slow reader")
            found.append((0, answer_of(missed)))
            self.missed = 0
        found += [(number, answer_of(message)) for number, message in self._waiting]
        self._waiting.clear()
        return found
