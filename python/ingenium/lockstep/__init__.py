"""Replays over the bus, in step: members, the conductor, and the log of what happened."""

from ingenium.lockstep.conductor import Conductor
from ingenium.lockstep.feed import Feed, Head, Instant, Item, Run, Turn, next_turn, time_of
from ingenium.lockstep.log import EventLog, OnStep, ReplayResult, Step
from ingenium.lockstep.member import Member, make_member
from ingenium.lockstep.merging import merged
from ingenium.lockstep.order import SignalOrder
from ingenium.lockstep.window import Window

__all__ = [
    "Conductor",
    "EventLog",
    "Feed",
    "Head",
    "Instant",
    "Item",
    "Member",
    "OnStep",
    "ReplayResult",
    "Run",
    "SignalOrder",
    "Step",
    "Turn",
    "Window",
    "make_member",
    "merged",
    "next_turn",
    "time_of",
]
