"""Feeds of history, merged in one order, and the log, digest and result of a replay. No bus."""

from ingenium.runtime.replay.copied_digest import OnLines
from ingenium.runtime.replay.denials import DeniedOrders
from ingenium.runtime.replay.event_log import EventLog, OnStep, ReplayResult, Step
from ingenium.runtime.replay.feed import Feed, Head, Instant, Item, Run, Turn, next_turn, time_of
from ingenium.runtime.replay.merge import merged
from ingenium.runtime.replay.signal_order import SignalOrder
from ingenium.runtime.replay.window import Window

__all__ = [
    "DeniedOrders",
    "EventLog",
    "Feed",
    "Head",
    "Instant",
    "Item",
    "OnLines",
    "OnStep",
    "ReplayResult",
    "Run",
    "SignalOrder",
    "Step",
    "Turn",
    "Window",
    "merged",
    "next_turn",
    "time_of",
]
